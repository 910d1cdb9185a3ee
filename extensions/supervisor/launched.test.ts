import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { emptyRegistry, FakeLauncher } from '../fakes.fixture.js';
import type { Extensions } from '../service.js';
import { Supervisor } from './supervisor.js';

/** The supervisor's own decisions, with a launcher whose processes are only spoken of. */

let directory: string;
let launcher: FakeLauncher;
let supervisor: Supervisor;
let extensions: Extensions;
let server: Server;
let activations: number;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-launched-');
  const socket = join(directory, 'one.sock');
  activations = 0;
  server = createServer((request, response) => {
    request.resume();
    const activation = request.url === '/Plugin.Activate';
    if (activation) activations++;
    response.end(activation ? '{"Implements":["VolumeDriver"]}' : '{"Mountpoint":"/m"}');
  });
  launcher = new FakeLauncher();
  // It listens as soon as it is launched, and for as long as the test says.
  launcher.onLaunch = () => server.listening || new Promise<void>((resolve) => server.listen(socket, resolve));
  const restartPauses = { firstMs: 1, longestMs: 20 };
  supervisor = new Supervisor({ launcher, socket, origin: 'a test', log: silentLogger, restartPauses });
  extensions = emptyRegistry();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await extensions.close();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

const register = (more: { needs?: string[] } = {}) =>
  extensions.register({
    ...{ name: 'p:latest', aliases: [], kinds: ['VolumeDriver'], origin: 'a test', source: supervisor },
    ...more,
  });
const latest = () => launcher.launched.at(-1);

test('a process that ends is shown as gone, started again, and ready before anybody asks', async () => {
  const states: string[] = [];
  const registered = register();
  await registered.activated();
  extensions.onChange(({ state, reason }) => states.push(`${state}: ${reason}`));
  latest()?.end('killed by SIGKILL');
  await expect.poll(() => states).toHaveLength(2);
  expect(states).toEqual(['unreachable: its process ended (killed by SIGKILL) and is started again', 'active: ']);
  expect(registered.status.process).toMatchObject({ pid: 1001, restarts: 1, lastEnd: 'killed by SIGKILL' });
  expect(activations).toBe(2);
  expect(await (await extensions.get(volumeKind, 'p:latest')).Path({ Name: 'v' })).toEqual({ Mountpoint: '/m' });
});

test('a process that cannot be started is tried again for ever, and says why', async () => {
  let failures = 0;
  launcher.before = async () => {
    failures++;
    throw new Error('no such runtime');
  };
  const registered = register();
  await expect(registered.activated()).rejects.toThrow(
    'plugin "p:latest" does not answer: it cannot be started: no such runtime',
  );
  await expect.poll(() => failures).toBeGreaterThan(20);
  expect(registered.status).toMatchObject({
    state: expect.not.stringMatching('disabled'),
    process: { pid: undefined },
  });
  launcher.before = async () => {};
  await expect.poll(() => registered.status.state).toBe('active');
});

test('a process that crashes at once is not waited for as long as one that starts slowly', async () => {
  const own = launcher;
  own.onLaunch = () => setImmediate(() => own.launched.at(-1)?.end('exit code 1'));
  // Whether it has just ended or just started when the time is over.
  await expect(register().activated()).rejects.toThrow(
    /its process ended \(exit code 1\) and is started again$|there is no socket at \S+, and its process ended before \(exit code 1\)$/,
  );
});

test('a process that is killed now and then is started again at once, one that ends again and again less and less', async () => {
  const restartPauses = { firstMs: 7, longestMs: 28 };
  supervisor = new Supervisor({ launcher, socket: '/nowhere', origin: 'a test', log: silentLogger, restartPauses });
  const delays = vi.spyOn(globalThis, 'setTimeout');
  launcher.onLaunch = () => {};
  supervisor.start();
  for (let ends = 0; ends < 9; ends++) {
    await expect.poll(() => supervisor.process().pid).toBe(1000 + ends);
    latest()?.end('killed by SIGKILL');
  }
  await expect.poll(() => supervisor.process().pid).toBe(1009);
  const pauses = delays.mock.calls.map(([, ms]) => ms).filter((ms) => ms === 7 || ms === 14 || ms === 28);
  expect(pauses).toEqual([7, 7, 7, 7, 7, 7, 14, 28, 28]);
  await supervisor.close();
});

test('a process that answers each time is back at once ten times in a row, and not for ever', async () => {
  const restartPauses = { firstMs: 7, longestMs: 28 };
  const socket = join(directory, 'one.sock');
  supervisor = new Supervisor({ launcher, socket, origin: 'a test', log: silentLogger, restartPauses });
  const delays = vi.spyOn(globalThis, 'setTimeout');
  const registered = register();
  await registered.activated();
  for (let ends = 0; ends < 17; ends++) {
    latest()?.end('killed by SIGKILL');
    await expect.poll(() => registered.status).toMatchObject({ state: 'active', process: { restarts: ends + 1 } });
  }
  const pauses = delays.mock.calls.map(([, ms]) => ms).filter((ms) => ms === 7 || ms === 14 || ms === 28);
  expect(pauses).toEqual([...Array(16).fill(7), 14]);
});

test('it takes over what a former engine left running, and nothing is launched', async () => {
  await launcher.onLaunch();
  launcher.adoptable = launcher.process();
  const registered = register({ needs: ['is not there'] });
  await registered.activated();
  expect(launcher.launched).toHaveLength(1);
  launcher.adoptable = undefined;
  latest()?.end('it is gone');
  // Now it is started, and waits for what it needs.
  await expect
    .poll(() => registered.status.reason)
    .toContain("it needs the extension 'is not there', which is not there");
  expect(launcher.launched).toHaveLength(1);
});

test('closed while it starts: the start is told, and what it brings nevertheless is stopped', async () => {
  let told = false;
  launcher.before = (signal) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        told = true;
        resolve(undefined);
      });
    });
  const registered = register();
  await expect.poll(() => supervisor.process().pid).toBeUndefined();
  await registered.remove('away');
  if (launcher.launched.length > 0) expect(told).toBe(true);
  for (const one of launcher.launched) expect(one.stopped).toBe(true);
  expect(launcher.closed).toBe(1);
});

test('closed again and again, it ends once', async () => {
  const registered = register();
  await registered.activated();
  await Promise.all([supervisor.close(), supervisor.close(), registered.remove('away'), extensions.close()]);
  expect(launcher).toMatchObject({ closed: 1, launched: [{ stopped: true }] });
  supervisor.start();
  expect(launcher.launched).toHaveLength(1);
});
