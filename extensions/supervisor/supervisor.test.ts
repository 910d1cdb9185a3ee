import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Backoff } from '@cleat/protocol/async/backoff';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import type { Logger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Extension } from '../extension.js';
import { HostLauncher } from './host-launcher.js';
import { writeNoted } from './note.js';
import { isListening, serves } from './process.js';
import { endStragglers } from './stragglers.js';
import { restartPauses, Supervisor } from './supervisor.js';

const hostPath = fileURLToPath(new URL('./host.fixture.mjs', import.meta.url));
let directory: string;
const started: { supervisor: Supervisor; extension: Extension }[] = [];
let lines: { message: string; fields: Record<string, unknown> | undefined }[];

const log: Logger = {
  debug() {},
  info: (message, fields) => lines.push({ message, fields }),
  warn: (message, fields) => lines.push({ message, fields }),
  error: (message, fields) => lines.push({ message, fields }),
  child: () => log,
};

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-sup-');
  lines = [];
});
afterEach(async () => {
  for (const { supervisor } of started.splice(0)) await supervisor.close();
  rmSync(directory, { recursive: true });
});

/** As one engine does; a second one in the same directory finds what the first, killed, left running. */
function begin(mark: string, ready?: () => Promise<void>) {
  const entry = {
    id: 'one',
    driver: 'vol',
    module: '/module.js',
    kinds: ['VolumeDriver'],
    carrier: 'process' as const,
    enabled: true,
    needs: [],
    after: [],
    options: { mark },
    deadlines: {},
    origin: 'test',
  };
  const launcher = new HostLauncher({ entry, hostPath, directory, log });
  const supervisor = new Supervisor({ launcher, socket: launcher.socket, origin: 'test', log });
  const extension = new Extension({ name: 'vol', entry: 'one', log, onChange() {} }, entry, '');
  extension.attach({ ...entry, source: supervisor, ...(ready && { ready }) });
  started.push({ supervisor, extension });
  const driver = extension.client(volumeKind);
  const who = async () => {
    const [, pid, name] = (await driver.Path({ Name: 'v' })).Mountpoint?.split('/') ?? [];
    return { pid: Number(pid), name };
  };
  return { driver, who, supervisor, extension };
}

const alive = (pid: number) => serves(pid, join(directory, 'one.sock'));

test('starts it, hears what it prints, and starts it again when it dies', async () => {
  const { driver, who, extension } = begin('a');
  const first = await who();
  expect(first.name).toBe('a');
  expect(extension.status.process).toMatchObject({ pid: first.pid, restarts: 0, lastEnd: '' });
  await expect.poll(() => lines).toContainEqual({ message: 'up', fields: { mark: 'a' } });
  await expect(driver.Remove({ Name: 'v' })).rejects.toMatchObject({ class: 'Unavailable' });
  const second = await who();
  expect(second.pid).not.toBe(first.pid);
  expect(lines.map(({ fields }) => fields)).toContainEqual({ how: 'exit code 3' });
  expect(extension.status.process).toMatchObject({ pid: second.pid, restarts: 1, lastEnd: 'exit code 3' });
});

test('finds the one that a killed engine left running, and notices when it dies', async () => {
  const { pid } = await begin('a').who();
  // The first one stands for the killed engine: from here on only the second one acts.
  const { driver, who } = begin('a');
  expect((await who()).pid).toBe(pid);
  await expect(driver.Remove({ Name: 'v' })).rejects.toMatchObject({ class: 'Unavailable' });
  await vi.waitFor(async () => expect((await who()).pid).not.toBe(pid), { timeout: 10_000 });
});

test('ends one that a killed engine had started and not noted', async () => {
  const socket = join(directory, 'one.sock');
  const CLEAT_EXTENSION = JSON.stringify({ name: 'vol', options: { mark: 'lost' } });
  const lost = spawn(process.execPath, [hostPath, '/module.js', socket], { env: { ...process.env, CLEAT_EXTENSION } });
  await expect.poll(() => existsSync(socket)).toBe(true);
  const found = await begin('a').who();
  expect(found.name).toBe('a');
  expect(alive(lost.pid ?? 0)).toBe(false);
  expect(alive(found.pid)).toBe(true);
});

test('looks for no such process where the socket is only a file that was left behind', async () => {
  const socket = join(directory, 'one.sock');
  const listen = 'require("net").createServer().listen(process.argv[1])';
  const dead = spawn(process.execPath, ['-e', listen, socket]);
  await expect.poll(() => isListening(socket)).toBe(true);
  dead.kill('SIGKILL');
  await expect.poll(() => isListening(socket)).toBe(false);
  expect(existsSync(socket)).toBe(true);
  // By its command line it could be one.
  const innocent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '/module.js', socket]);
  try {
    expect((await begin('a').who()).name).toBe('a');
    expect(alive(innocent.pid ?? 0)).toBe(true);
  } finally {
    innocent.kill('SIGKILL');
  }
});

test('replaces one that was started with another configuration', async () => {
  const socket = join(directory, 'one.sock');
  const env = { ...process.env, CLEAT_EXTENSION: JSON.stringify({ name: 'vol', options: { mark: 'old' } }) };
  const old = spawn(process.execPath, [hostPath, '/module.js', socket], { env, stdio: 'ignore' });
  const { pid = 0 } = old;
  writeNoted(join(directory, 'one.json'), { pid, fingerprint: 'of another configuration' });
  await expect.poll(() => existsSync(socket) && alive(pid)).toBe(true);
  const { who } = begin('new');
  await vi.waitFor(async () => expect((await who()).name).toBe('new'), { timeout: 10_000 });
  expect(alive(pid)).toBe(false);
});

test('stops it with the engine and leaves nothing', async () => {
  const { supervisor, who } = begin('a');
  const { pid } = await who();
  await supervisor.close();
  expect(alive(pid)).toBe(false);
  expect(existsSync(join(directory, 'one.sock'))).toBe(false);
  expect(existsSync(join(directory, 'one.json'))).toBe(false);
});

test('an extension that should no longer run as a process is ended, others are left alone', async () => {
  const { who } = begin('same');
  const { pid } = await who();
  await endStragglers(directory, new Set(['one']), log);
  expect(alive(pid)).toBe(true);
  await endStragglers(directory, new Set(), log);
  expect(alive(pid)).toBe(false);
  await started.pop()?.supervisor.close();
  expect(existsSync(join(directory, 'one.json'))).toBe(false);
});

test('between its end and its next start it is shown as gone, before anybody calls it', async () => {
  const { who, supervisor, extension } = begin('a');
  await who();
  expect(extension.status.state).toBe('active');
  const ended = { pid: undefined, since: new Date(0), restarts: 0, lastEnd: 'killed by SIGKILL' };
  vi.spyOn(supervisor, 'process').mockReturnValue(ended);
  expect(extension.status).toMatchObject({
    state: 'unreachable',
    reason: 'its process ended (killed by SIGKILL) and is started again',
    since: ended.since,
  });
});

test('however often it has ended, it is started again within ten seconds, the first time almost at once', () => {
  const backoff = new Backoff(restartPauses);
  expect(backoff.next()).toBe(100);
  for (let crashes = 1; crashes < 2000; crashes++) expect(backoff.next()).toBeLessThanOrEqual(10_000);
});

test('it is not started before what it needs answers, says so, and then is', async () => {
  let missing = true;
  const { supervisor, extension } = begin('a', async () => {
    if (missing) throw new Error('it needs the extension two');
  });
  await expect(extension.activated()).rejects.toThrow('it needs the extension two');
  expect(supervisor.process().pid).toBeUndefined();
  missing = false;
  await expect.poll(() => supervisor.process().pid).toBeDefined();
  await extension.activated();
});
