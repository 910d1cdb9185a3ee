import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Dialect, Rendered } from './proxy.js';
import { RunningProxy } from './running.js';

/** Serves the first word of its file, and takes no new one that says `broken`. */
const script = `serve() { read -r word <"$1"; [ "$word" = broken ] || echo "$word" >"$2"; }
serve "$1" "$2"; trap 'serve "$1" "$2"' HUP; trap 'rm "$2"; exit' TERM; while :; do sleep 0.02; done`;

let directory: string;
let told: string[];
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-running-');
  told = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A program that is nginx as far as the balancer can see. */
function dialect(): Dialect {
  const served = join(directory, 'served');
  const command = (file: string) => ['sh', '-c', script, 'sh', file, served];
  return {
    name: 'nginx',
    sockets: ['stale.sock'],
    refusal: () => undefined,
    render: () => rendered('empty'),
    check: (file) => [
      'sh',
      '-c',
      'read -r word <"$0"; [ "$word" != invalid ] || { echo no such word >&2; exit 1; }',
      file,
    ],
    command,
    reload: { by: 'signal', signal: 'SIGHUP' },
    stopSignal: 'SIGTERM',
    current: async () => (existsSync(served) ? readFileSync(served, 'utf8').trim() : undefined),
    beforeReload: async (tag) => void told.push(`before ${tag}`),
    afterReload: (tag) => void told.push(`after ${tag}`),
    drain: async () => {},
    statistics: async () => ({ requests: 0, connections: 0 }),
  };
}

const rendered = (tag: string): Rendered => ({ tag, text: `${tag}\n`, files: {} });
const open = () =>
  RunningProxy.open({ dialect: dialect(), directory, endMs: 5_000, log: silentLogger, serviceMs: 300 });

test('a configuration that does not come into service is taken back', async () => {
  await using proxy = await open();
  expect(await proxy.validate(rendered('invalid'))).toContain('no such word');
  expect(await proxy.validate(rendered('one'))).toBeUndefined();
  writeFileSync(join(directory, 'stale.sock'), '');
  await proxy.reload(rendered('one'));
  expect(existsSync(join(directory, 'stale.sock'))).toBe(false);
  await proxy.reload(rendered('two'));
  await expect(proxy.reload(rendered('broken'))).rejects.toThrow('did not take a configuration');
  expect(proxy.serving).toBe('two');
  expect(readFileSync(join(directory, 'current.conf'), 'utf8')).toBe('two\n');
  expect(told).toEqual(['before one', 'after one', 'before two', 'after two']);
  await proxy.reload(rendered('three'));
  expect(await dialect().current()).toBe('three');
});

test('a program is started again when it is killed, and taken over by the next balancer', async () => {
  const first = await open();
  await first.reload(rendered('one'));
  const pid = () => Number(/"pid":(\d+)/.exec(readFileSync(join(directory, 'program.json'), 'utf8'))?.[1]);
  const before = pid();
  process.kill(before, 'SIGKILL');
  await expect.poll(() => first.isRunning && pid() !== before).toBe(true);
  first.leave();
  const kept = pid();
  await using second = await open();
  expect([second.isRunning, second.serving, pid()]).toEqual([true, 'one', kept]);
});

test('a program that cannot be started is an error, and nothing is served', async () => {
  const missing = { ...dialect(), command: () => ['/nowhere/nginx'], check: () => ['/nowhere/nginx'] };
  await using proxy = await RunningProxy.open({ dialect: missing, directory, endMs: 100, log: silentLogger });
  await expect(proxy.validate(rendered('one'))).rejects.toThrow('/nowhere/nginx cannot be run');
  await expect(proxy.reload(rendered('one'))).rejects.toThrow('/nowhere/nginx cannot be started');
  expect([proxy.isRunning, proxy.serving]).toEqual([false, undefined]);
});
