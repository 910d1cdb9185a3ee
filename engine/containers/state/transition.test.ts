import type { ContainerStatus } from '@cleat/protocol/api/container';
import { expect, test } from 'vitest';
import { zeroTime } from '../../time.js';
import type { Container } from './container.js';
import { newLife } from './life.js';
import type { ContainerRecord } from './record.js';
import { type Change, transition } from './transition.js';

const at = 1_700_000_000_000_000_000n;
const ended = { type: 'ended', exitCode: 3, error: '', oomKilled: false, at, ranMs: 2500, restarts: false } as const;

/** One of each. */
const changes: Change[] = [
  { type: 'started', pid: 7, at: '2026-01-01T00:00:00Z' },
  { type: 'start-failed', exitCode: 127, error: 'no such command' },
  { type: 'start-due' },
  { type: 'start-waiting', error: 'waiting' },
  { type: 'start-given-up', at },
  { type: 'paused' },
  { type: 'unpaused' },
  ended,
  { type: 'end-missed', exitCode: 255, error: 'not seen', at },
  { type: 'removing' },
  { type: 'removal-failed', error: 'busy' },
];

function inState(status: ContainerStatus, more: Partial<ContainerRecord> = {}) {
  const pid = status === 'running' || status === 'paused' ? 7 : 0;
  const record = { id: 'x', restartCount: 0, startedBefore: false, ...more } as ContainerRecord;
  Object.assign(record, { state: { ...newLife, status, pid } });
  const told: string[] = [];
  let saved = 0;
  const container = { record, note: () => void saved++ } as unknown as Container;
  const context = {
    events: { next: 1, holds: () => true, together: <T>(work: () => T) => work() },
    emit: (_: Container, action: string, attributes: Record<string, string> = {}) =>
      void told.push([action, ...Object.entries(attributes).map(([key, value]) => `${key}=${value}`)].join(' ')),
  };
  return { record, told, saved: () => saved, change: (change: Change) => transition(context, container, change) };
}

/** The outcome of each change, from each state in which it may come. */
const table: Record<Change['type'], Partial<Record<ContainerStatus, ContainerStatus>>> = {
  started: { created: 'running', exited: 'running', restarting: 'running' },
  'start-failed': { created: 'created', exited: 'created', restarting: 'created' },
  'start-due': { created: 'restarting', exited: 'restarting', restarting: 'restarting' },
  'start-waiting': { restarting: 'restarting' },
  'start-given-up': { restarting: 'exited' },
  paused: { running: 'paused' },
  unpaused: { paused: 'running' },
  ended: { running: 'exited', paused: 'exited' },
  'end-missed': { running: 'exited', paused: 'exited' },
  removing: { created: 'removing', exited: 'removing', dead: 'removing' },
  'removal-failed': { removing: 'dead' },
};

const statuses: ContainerStatus[] = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

test.each(changes)('$type comes where it may, and nowhere else', (change) => {
  for (const status of statuses) {
    const { record, told, saved, change: apply } = inState(status);
    const next = table[change.type][status];
    if (next) {
      apply(change);
      expect({ status: record.state.status, saved: saved() }).toEqual({ status: next, saved: 1 });
      expect(record.state.pid > 0).toBe(next === 'running' || next === 'paused');
    } else {
      const before = { ...record.state };
      expect(() => apply(change)).toThrow(`container x is ${status}: "${change.type}" cannot happen to it`);
      expect({ state: record.state, told, saved: saved() }).toEqual({ state: before, told: [], saved: 0 });
    }
  }
});

test('a start that fails leaves a container that ran before as exited', () => {
  const { record, change } = inState('restarting', { startedBefore: true });
  change({ type: 'start-failed', exitCode: 127, error: 'no such command' });
  expect(record.state).toMatchObject({ status: 'exited', exitCode: 127, error: 'no such command', pid: 0 });
});

test('an end is on record with its events; one that restarts is counted', () => {
  const { record, told, change } = inState('running');
  change({ ...ended, oomKilled: true, restarts: true });
  expect(told).toEqual(['oom', 'die exitCode=3 execDuration=2']);
  expect(record).toMatchObject({
    restartCount: 1,
    state: { status: 'restarting', exitCode: 3, oomKilled: true, pid: 0, finishedAt: '2023-11-14T22:13:20Z' },
  });
  change({ type: 'started', pid: 8, at: '2026-01-01T00:00:00Z' });
  expect(record.state).toMatchObject({ exitCode: 0, oomKilled: false, error: '', pid: 8 });
});

test('a container that never ran, and is not to be started any longer, has an end', () => {
  const { record, change } = inState('created');
  change({ type: 'start-due' });
  change({ type: 'start-waiting', error: 'waiting for the volume driver "x": no answer' });
  expect(record.state).toMatchObject({ finishedAt: zeroTime, error: expect.stringContaining('waiting') });
  change({ type: 'start-given-up', error: '', at });
  expect(record.state).toMatchObject({ status: 'exited', error: '', finishedAt: '2023-11-14T22:13:20Z' });
});
