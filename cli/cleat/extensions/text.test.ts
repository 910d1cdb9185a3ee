import { expect, test } from 'vitest';
import type { Shown } from './shown.js';
import { details, table } from './text.js';

const plugin: Shown = {
  name: 'p',
  entry: undefined,
  kinds: ['VolumeDriver'],
  carrier: 'socket',
  origin: '/run/docker/plugins/p.sock',
  state: 'unreachable',
  reason: 'it hangs',
  since: new Date(Date.now() - 130 * 60_000).toISOString(),
  health: 'suspended',
  lastError: { method: 'VolumeDriver.Mount', result: 'timeout', message: 'too late', at: '2026-01-02T03:04:05.000Z' },
  methods: [
    {
      method: 'VolumeDriver.Mount',
      results: { ok: 3, error: 2, timeout: 4, unreachable: 0, blocked: 1, cancelled: 1 },
      latency: { count: 9, sumMs: 90, maxMs: 2500, atMostMs: { '+Inf': 9 } },
    },
  ],
  underWay: 1,
  retries: 3,
  deadlines: { 'VolumeDriver.Mount': 2500 },
};

test('the table counts calls, and as failed those that got no answer', () => {
  const [head, line, ...rest] = table([plugin]).trimEnd().split('\n');
  expect(head?.split(/ +/)).toEqual([
    'NAME',
    'ENTRY',
    'KINDS',
    'CARRIER',
    'STATE',
    'SINCE',
    'HEALTH',
    'RESTARTS',
    'CALLS',
    'FAILED',
    'WHY',
    'ORIGIN',
  ]);
  expect(line?.split(/ {2,}/)).toEqual([
    'p',
    '-',
    'VolumeDriver',
    'socket',
    'unreachable',
    '2h ago',
    'suspended',
    '-',
    '11',
    '5',
    'it hangs',
    plugin.origin,
  ]);
  expect(rest).toEqual([]);
});

test('a managed plugin shows its names, that it is one, and how often it was started again', () => {
  const since = new Date().toISOString();
  const managed: Shown = {
    ...plugin,
    name: 'me/p:latest',
    aliases: ['me/p'],
    carrier: 'managed',
    process: { pid: 7, since, restarts: 3, lastEnd: 'exit code 1' },
  };
  expect(details(managed)).toMatch(/^Also: +me\/p\nEntry: +- \(a managed plugin\)$/m);
  const line = table([managed]).split('\n')[1];
  expect(line).toMatch(/^me\/p:latest +- +VolumeDriver +managed +unreachable .* suspended +3 +11 +5 +it hangs /);
});

test('details say what went wrong, when, and how long calls take', () => {
  const since = new Date().toISOString();
  const text = details({ ...plugin, process: { pid: undefined, since, restarts: 2, lastEnd: 'exit code 1' } });
  expect(text).toMatch(/^Process: +none, since .*Z; started again 2 times, last end: exit code 1$/m);
  expect(text).toMatch(/^Last error: +too late \(VolumeDriver.Mount, timeout, 2026-01-02T03:04:05.000Z\)$/m);
  expect(text).toMatch(/^Deadlines: +VolumeDriver.Mount 2.5s$/m);
  expect(text).toMatch(/^VolumeDriver.Mount +3 +2 +4 +0 +1 +1 +10ms +2.5s$/m);
  expect(details({ ...plugin, methods: [], deadlines: {} })).toContain('No call yet.');
});

test('containers that wait for it are named, or counted where there is little room', () => {
  const awaited = { ...plugin, awaitedBy: ['container a', 'container b'] };
  expect(details(awaited)).toMatch(/^Awaited by: +container a, container b$/m);
  expect(table([awaited])).toContain('it hangs; 2 containers waiting');
  expect(table([{ ...awaited, awaitedBy: ['container a'] }])).toContain('it hangs; container a waiting');
});

test('an extension that is waited for shows for how long; a suspended one, when it is asked again', () => {
  const soon = new Date(Date.now() + 20_000).toISOString();
  const waiting: Shown = { ...plugin, state: 'activating', reason: 'its socket is gone', waitsUntil: soon };
  expect(table([waiting])).toMatch(/ {2}activating {2}.* {2}its socket is gone; waited for, (20|19)s more {2}/);
  expect(details(waiting)).toMatch(/^State: .*: its socket is gone; waited for, (20|19)s more$/m);
  expect(details({ ...plugin, suspendedUntil: soon })).toMatch(/^Health: +suspended, asked again in (20|19)s$/m);
  const past = new Date(0).toISOString();
  expect(details({ ...plugin, suspendedUntil: past })).toMatch(/^Health: +suspended, asked again by the next call$/m);
  expect(details(plugin)).toMatch(/^Calls: +1 under way, 3 sent again because a connection broke$/m);
});

test('the words of an extension cannot command the terminal, nor look like a line of ours', () => {
  const loud: Shown = { ...plugin, reason: '\u001b[2J\nlocal  VolumeDriver  active', kinds: ['\u001b[31m'] };
  for (const text of [table([loud]), details(loud)]) {
    expect(text).not.toContain('\u001b');
    expect(text).toContain('\\u001b[2J local');
  }
});

test('a table fits a narrow terminal', () => {
  const text = table([plugin], 40);
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(40);
  expect(text).toMatch(/^NAME +ENTRY +STATE +WHY\n/);
});
