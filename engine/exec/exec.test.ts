import { getEventListeners } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect, TestEngine } from '../containers/containers.fixture.js';
import type { ContainerHost, Containers } from '../containers/service.js';
import { thawLeftovers } from './back-pressure.js';
import { openExecs } from './index.js';
import type { Execs } from './service.js';
import { SpillQueue } from './spill-queue.js';

let engine: TestEngine;
let containers: Containers & ContainerHost;
let execs: Execs;
let id: string;
beforeAll(async () => {
  engine = new TestEngine();
  containers = await engine.open();
  execs = openExecs({ config: engine.config, log: silentLogger, containers });
  ({ Id: id } = await containers.create({ Image: 'busybox', Cmd: ['sleep', '600'], Env: ['A=1'] }, { name: 'host' }));
  await containers.start(id);
});
afterAll(() => engine[Symbol.asyncDispose]());

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const streams = { AttachStdout: true, AttachStderr: true };

test('output, exit code and events; nothing is left', async () => {
  const listeners = () => getEventListeners(containers.execTarget(id).ended, 'abort').length;
  const before = listeners();
  const { Id } = await execs.create(id, {
    ...streams,
    Cmd: ['sh', '-c', 'echo $A$B; id -u; echo e >&2; exit 3'],
    Env: ['B=2'],
    User: 'user',
  });
  expect((await containers.inspect(id)).ExecIDs).toEqual([Id]);
  const session = await execs.start(Id, {});
  expect(session && (await collect(session)).split('\n').sort().join(' ')).toBe(' 1000 12 e');
  expect(await execs.inspect(Id)).toMatchObject({ Running: false, ExitCode: 3, ContainerID: id });
  expect((await containers.inspect(id)).ExecIDs).toBe(null);
  expect(await failure(execs.start(Id, {}))).toMatchObject({ class: 'Conflict' });
  const actions = (await engine.history(id)).map((event) => event.Action).slice(-3);
  const title = 'sh -c echo $A$B; id -u; echo e >&2; exit 3';
  expect(actions).toEqual([`exec_create: ${title}`, `exec_start: ${title}`, 'exec_die']);
  expect(readdirSync(join(engine.config.execRoot, 'execs'))).toEqual([]);
  expect(listeners()).toBe(before);
});

test('input and its end; a client that reads late gets everything', async () => {
  const { Id } = await execs.create(id, { ...streams, AttachStdin: true, Cmd: ['sh', '-c', 'wc -c; seq 1 200000'] });
  const session = await execs.start(Id, {});
  await session?.write?.(Buffer.alloc(70_000, 'x'));
  await session?.endInput?.();
  // The process ends although nobody reads.
  await expect.poll(async () => (await execs.inspect(Id)).Running).toBe(false);
  const output = session ? (await collect(session)).split('\n') : [];
  expect([output[0]?.trim(), output[200_000], output.length]).toEqual(['70000', '200000', 200_002]);
});

/** The conmon of a running exec, and its state: `T` is stopped. */
function monitorOf(pid: number): { pid: number; state: () => string | undefined } {
  const fields = (of: number) => {
    const stat = readFileSync(`/proc/${of}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  };
  const monitor = Number(fields(pid)[1]);
  return { pid: monitor, state: () => fields(monitor)[0] };
}
const stopped = { timeout: 60_000 };

test('a client that does not read makes its process wait, and it alone; it loses nothing', async () => {
  const small = openExecs({ config: engine.config, log: silentLogger, containers, outputLimit: 512 * 1024 });
  const { Id } = await small.create(id, { ...streams, Cmd: ['seq', '1', '1000000'] });
  const session = await small.start(Id, {});
  const monitor = monitorOf((await small.inspect(Id)).Pid);
  await expect.poll(monitor.state, stopped).toBe('T');
  expect(statSync(join(engine.config.execRoot, 'execs', `${Id}.output`)).size).toBeLessThanOrEqual(1024 * 1024);
  // The container's other processes go on.
  expect(await execs.run(id, ['true'], { signal: AbortSignal.timeout(20_000), onOutput: () => {} })).toEqual({
    exitCode: 0,
  });
  const lines = session ? (await collect(session)).split('\n') : [];
  expect(lines.length).toBe(1_000_001);
  expect(lines.every((line, at) => line === String(at + 1) || at === 1_000_000)).toBe(true);
  expect(await small.inspect(Id)).toMatchObject({ Running: false, ExitCode: 0 });
});

test('a process that waits for its client can be killed; a client that leaves lets it go on; so does a new engine', async () => {
  const small = openExecs({ config: engine.config, log: silentLogger, containers, outputLimit: 512 * 1024 });
  const begin = async () => {
    const { Id } = await small.create(id, { ...streams, Cmd: ['seq', '1', '1000000000'] });
    const session = await small.start(Id, {});
    const { Pid: pid } = await small.inspect(Id);
    const monitor = monitorOf(pid);
    await expect.poll(monitor.state, stopped).toBe('T');
    return { Id, session, pid, monitor };
  };
  const killed = await begin();
  process.kill(killed.pid, 'SIGKILL');
  await expect.poll(async () => (await small.inspect(killed.Id)).ExitCode, stopped).toBe(137);
  killed.session?.close();
  const left = await begin();
  left.session?.close();
  await expect.poll(left.monitor.state, stopped).not.toBe('T');
  process.kill(left.pid, 'SIGKILL');
  await expect.poll(async () => (await small.inspect(left.Id)).ExitCode, stopped).toBe(137);
  const forgotten = await begin();
  thawLeftovers(join(engine.config.execRoot, 'execs'));
  await expect.poll(forgotten.monitor.state, stopped).not.toBe('T');
  // Nobody has it wait now: it is cut at the bound.
  const spilled = () => statSync(join(engine.config.execRoot, 'execs', `${forgotten.Id}.output`)).size;
  await expect.poll(spilled, stopped).toBeGreaterThan(1000 * 1024);
  process.kill(forgotten.pid, 'SIGKILL');
  await expect.poll(async () => (await small.inspect(forgotten.Id)).ExitCode, stopped).toBe(137);
  expect(spilled()).toBeLessThanOrEqual(1024 * 1024);
  const { session } = forgotten;
  expect(await failure(session ? collect(session) : Promise.resolve())).toMatchObject({ class: 'Unavailable' });
});

test('programs that cannot be executed', async () => {
  const missing = await execs.create(id, { ...streams, Cmd: ['no-such-command'] });
  expect(await failure(execs.start(missing.Id, {}))).toMatchObject({
    class: 'InvalidParameter',
    message: expect.stringMatching(/^OCI runtime exec failed: .*"no-such-command": executable file not found/),
  });
  expect(await execs.inspect(missing.Id)).toMatchObject({ Running: false, ExitCode: 127 });
  const directory = await execs.create(id, { ...streams, Cmd: ['/tmp'] });
  expect(await failure(execs.start(directory.Id, {}))).toMatchObject({
    message: expect.stringContaining('permission denied'),
  });
  expect(await execs.inspect(directory.Id)).toMatchObject({ ExitCode: 126 });
  const stranger = await execs.create(id, { Cmd: ['true'], User: 'nobody-here' });
  expect(await failure(execs.start(stranger.Id, {}))).toMatchObject({
    message: 'unable to find user nobody-here: no matching entries in passwd file',
  });
  expect(await execs.inspect(stranger.Id)).toMatchObject({ ExitCode: 126 });
  expect(await failure(execs.inspect('nothing'))).toMatchObject({ message: 'No such exec instance: nothing' });
});

test('a terminal, with its size', async () => {
  const { Id } = await execs.create(id, {
    ...streams,
    AttachStdin: true,
    Tty: true,
    Cmd: ['sh', '-c', 'read x; stty size'],
  });
  const session = await execs.start(Id, { ConsoleSize: [10, 20] });
  await execs.resize(Id, { height: 33, width: 44 });
  await session?.write?.(Buffer.from('go\n'));
  expect(session && (await collect(session))).toMatch(/33 44|10 20/);
});

test('a caller that gives up on a run has it killed, with what it started', async () => {
  const given = new AbortController();
  const said: string[] = [];
  const running = execs.run(id, ['sh', '-c', 'sleep 77 & echo begun; sleep 77'], {
    signal: given.signal,
    onOutput: (data) => {
      said.push(Buffer.from(data).toString());
      given.abort();
    },
  });
  expect(await failure(running)).toMatchObject({ name: 'AbortError' });
  expect(said.join('')).toBe('begun\n');
  const left = async () =>
    (await containers.top(id, '-ef')).Processes.flat().filter((word) => word.includes('sleep 77'));
  await expect.poll(left).toEqual([]);
});

test('paused and stopped containers refuse', async () => {
  await containers.pause(id);
  expect(await failure(execs.create(id, { Cmd: ['true'] }))).toMatchObject({ class: 'Conflict' });
  await containers.unpause(id);
  const detached = await execs.create(id, { Cmd: ['sleep', '60'] });
  expect(await execs.start(detached.Id, { Detach: true })).toBe(undefined);
  await containers.kill(id, 'KILL');
  expect(await failure(execs.create(id, { Cmd: ['true'] }))).toMatchObject({
    message: `container ${id} is not running`,
  });
  await expect.poll(async () => (await execs.inspect(detached.Id)).ExitCode).toBe(137);
});

test('frames beyond the memory limit go through the file, in order', async () => {
  const path = join(engine.directory, 'spill');
  const queue = new SpillQueue(path);
  const blocks = Array.from({ length: 100 }, (_, at) => Buffer.alloc(10_000, at));
  for (const [at, data] of blocks.entries()) queue.push({ stream: at % 2 ? 1 : 2, data });
  expect(existsSync(path)).toBe(true);
  queue.end();
  const seen: Buffer[] = [];
  for await (const { data } of queue.frames()) seen.push(Buffer.from(data));
  expect(Buffer.concat(seen).equals(Buffer.concat(blocks))).toBe(true);
  expect(existsSync(path)).toBe(false);
});
