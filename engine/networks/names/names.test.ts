import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { datagramsInside } from '@cleat/linux/net/dial-inside';
import { createNamespace, removeNamespace } from '@cleat/linux/net/namespace';
import { processExists } from '@cleat/linux/syscall/process';
import { listeningPid } from '@cleat/linux/syscall/socket';
import { silentLogger } from '@cleat/protocol/log';
import dns from 'dns-packet';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { NameKeeper } from './keeper.js';
import { NameLink } from './link.js';
import { insideAddress, type NamedContainer } from './messages.js';
import { nameFlags } from './process.js';
import { NameService } from './service.js';

/** The service and its process, of which there is one at a time, with a container's namespace. */
const program = fileURLToPath(new URL('../../dist/networks/names/program/main.js', import.meta.url));
const spaces = mkdtempSync(join(tmpdir(), 'cleat-names-'));
const inside = join(spaces, 'one');
let execRoot: string;
let path: string;
let client: Socket;
const services: NameService[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  (await createNamespace(inside)).abandon();
});
afterAll(() => {
  removeNamespace(inside);
  rmSync(spaces, { recursive: true });
});
beforeEach(async () => {
  execRoot = mkdtempSync(join(tmpdir(), 'cleat-exec-'));
  path = join(execRoot, 'names.sock');
  client = createSocket('udp4');
  await new Promise<void>((resolve) => client.bind({ fd: datagramsInside(inside, insideAddress) }, resolve));
});
afterEach(async () => {
  client.close();
  for (const service of services.splice(0)) {
    await service.forget('asker');
    await service.forget('db');
    await service.close();
  }
  for (const child of children.splice(0)) child.kill('SIGKILL');
  expect(existsSync(path)).toBe(false);
  rmSync(execRoot, { recursive: true });
});

function open(): NameService {
  const service = new NameService(silentLogger, { execRoot });
  services.push(service);
  return service;
}

const place = (name: string, address: string) => ({
  networkId: 'n',
  networkName: 'net',
  names: [name],
  addresses: [address],
  links: [],
});
const asker: NamedContainer = {
  containerId: 'asker',
  path: inside,
  places: [place('asker', '10.0.0.1')],
  servers: ['127.0.0.1'],
  asksHost: false,
};
const db = (name = 'db'): NamedContainer => ({
  containerId: 'db',
  path: '',
  places: [place(name, '10.0.0.2')],
  servers: [],
  asksHost: false,
});

/** Resolves to nothing when nobody answers. */
async function lookUp(name: string, within = 2_000): Promise<unknown> {
  const id = Math.trunc(Math.random() * 65_536);
  const message = dns.encode({ type: 'query', id, questions: [{ name, type: 'A' }] });
  return await new Promise((resolve) => {
    const timer = setTimeout(() => settle(undefined), within);
    const hear = (answer: Buffer) => {
      const { answers, id: answered, ...rest } = dns.decode(answer);
      if (answered !== id) return;
      settle(answers?.map((one) => ('data' in one ? one.data : ''))[0] ?? ('rcode' in rest ? rest.rcode : ''));
    };
    const settle = (found: unknown) => {
      clearTimeout(timer);
      client.off('message', hear);
      resolve(found);
    };
    client.on('message', hear);
    client.send(message, 53, insideAddress);
  });
}

/** Sockets that a process has, by what the kernel calls them. */
const socketsOf = (pid: number): Set<string> =>
  new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        // It was closed meanwhile.
        return [];
      }
    }),
  );

/** The process as another version of the engine would have it. */
async function startAnother(): Promise<{ child: ChildProcess; link: NameLink }> {
  const child = spawn(process.execPath, [...nameFlags, program, path, 'another version'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  return { child, link: await NameLink.open(path) };
}

/** The processes that were started for this socket. */
const programsAt = (socket: string): string[] =>
  readdirSync('/proc').filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').includes(socket);
    } catch {
      // It ended meanwhile.
      return false;
    }
  });

test('a process answers with what it was told last, and goes on without the engine', async () => {
  const first = open();
  expect(existsSync(path)).toBe(false);
  await first.put({ ...asker, places: [] });
  await first.put(db());
  expect(await lookUp('db')).toBe('SERVFAIL');
  await first.put(asker);
  expect(await lookUp('db')).toBe('10.0.0.2');
  await first.put(db('other'));
  expect(await lookUp('other')).toBe('10.0.0.2');
  expect(await lookUp('db')).toBe('SERVFAIL');
  expect(statSync(path).mode & 0o777).toBe(0o600);

  const pid = listeningPid(path);
  await first.close();
  expect(await lookUp('other')).toBe('10.0.0.2');
  // The next one knows of another change, and of a container that is gone.
  const next = open();
  next.open([asker, db('third')]);
  await expect.poll(() => lookUp('third', 200)).toBe('10.0.0.2');
  expect(listeningPid(path)).toBe(pid);
  await next.forget('db');
  expect(await lookUp('third')).toBe('SERVFAIL');
});

test('endpoints of other hosts are found by all that it takes: changes, its death, the next engine', async () => {
  const elsewhere = (...names: string[]) => [{ names, addresses: ['10.0.0.9'] }];
  const first = open();
  await first.setElsewhere('n', elsewhere('far'));
  await first.put(asker);
  expect(await lookUp('far')).toBe('10.0.0.9');
  await first.setElsewhere('n', elsewhere('farther'));
  expect(await lookUp('farther')).toBe('10.0.0.9');
  expect(await lookUp('far')).toBe('SERVFAIL');
  const pid = listeningPid(path);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => lookUp('farther', 200)).toBe('10.0.0.9');
  await first.close();
  expect(await lookUp('farther')).toBe('10.0.0.9');
  const next = open();
  await next.setElsewhere('n', elsewhere('third'));
  next.open([asker]);
  await expect.poll(() => lookUp('third', 200)).toBe('10.0.0.9');
  await next.setElsewhere('n', []);
  expect(await lookUp('third')).toBe('SERVFAIL');
});

test('it ends with the last container and a clean stop; what a killed one left is cleared away', async () => {
  const service = open();
  await service.put(asker);
  const pid = listeningPid(path);
  await service.forget('asker');
  expect(await lookUp('asker', 100)).toBeUndefined();
  await service.close();
  expect(processExists(pid)).toBe(false);

  const second = open();
  await second.put(asker);
  const next = listeningPid(path);
  await second.close();
  process.kill(next, 'SIGKILL');
  await expect.poll(() => processExists(next)).toBe(false);
  expect(existsSync(path)).toBe(true);
  open().open([]);
  await expect.poll(() => existsSync(path)).toBe(false);
});

test('a process that is killed is there again at once, with all that it knew', async () => {
  const service = open();
  await Promise.all([service.put(asker), service.put(db())]);
  const pid = listeningPid(path);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => lookUp('db', 200)).toBe('10.0.0.2');
  expect(listeningPid(path)).not.toBe(pid);
  // A change that comes while there is none is waited for.
  process.kill(listeningPid(path), 'SIGKILL');
  await service.put(db('other'));
  expect(await lookUp('other')).toBe('10.0.0.2');
});

const keeperOf = (helloMs: number, answerMs: number) =>
  new NameKeeper(
    path,
    silentLogger,
    { containers: () => [asker], ports: () => ({}), elsewhere: () => ({}), onTold: () => {} },
    { helloMs, answerMs },
  );

test('a process that hangs is replaced, when it is found and when it is asked', async () => {
  const service = open();
  await service.put(asker);
  const pids = [listeningPid(path)];
  await service.close();
  process.kill(pids[0] ?? 0, 'SIGSTOP');
  const next = keeperOf(300, 10_000);
  await next.start();
  pids.push(listeningPid(path));
  await expect.poll(() => lookUp('asker', 200)).toBe('10.0.0.1');
  await next.close(true);

  const impatient = keeperOf(10_000, 500);
  await impatient.start();
  process.kill(pids[1] ?? 0, 'SIGSTOP');
  expect(await impatient.ask({ kind: 'put', container: db() })).toBeUndefined();
  pids.push(listeningPid(path));
  expect(new Set(pids).size).toBe(3);
  await expect.poll(() => lookUp('db', 200)).toBe('10.0.0.2');
  await impatient.close(false);
  await expect.poll(() => pids.filter(processExists)).toEqual([]);
});

test('a container that comes while the process ends gets the next one', async () => {
  const keeper = keeperOf(10_000, 10_000);
  await keeper.start();
  const pid = listeningPid(path);
  const resting = keeper.rest();
  await keeper.ask({ kind: 'put', container: db() });
  await resting;
  expect(await lookUp('db')).toBe('10.0.0.2');
  expect(processExists(pid)).toBe(false);
  expect(programsAt(path)).toHaveLength(1);
  await keeper.close(false);
  expect(programsAt(path)).toEqual([]);
});

test('one of another version hands its sockets over, and no question is lost', async () => {
  const { child, link } = await startAnother();
  await link.ask({ kind: 'all', containers: [asker, db()], ports: {}, elsewhere: {} }, 10_000);
  expect(await link.ask({ kind: 'hello' }, 1_000)).toMatchObject({ build: 'another version' });
  const before = socketsOf(child.pid ?? 0);
  link.close();

  let isOver = false;
  const service = open();
  const ended = once(child, 'exit').then(() => {
    isOver = true;
  });
  service.open([asker, db()]);
  const answers = new Set<unknown>();
  while (!isOver) answers.add(await lookUp('db'));
  await ended;
  answers.add(await lookUp('db'));
  expect([...answers]).toEqual(['10.0.0.2']);
  // The very same sockets: names in the container lead there.
  const kept = [...socketsOf(listeningPid(path))].filter(
    (socket) => before.has(socket) && socket.startsWith('socket:'),
  );
  expect(kept).toHaveLength(2);
});

test('a request that cannot be met, or is not known, is refused with a reason', async () => {
  const { child, link } = await startAnother();
  const nowhere = { ...asker, containerId: 'x', path: '/nowhere' };
  await expect(link.ask({ kind: 'put', container: nowhere }, 5_000)).rejects.toThrow('/nowhere: no such file');
  const told = await link.ask({ kind: 'all', containers: [asker, nowhere], ports: {}, elsewhere: {} }, 5_000);
  expect({ ports: Object.keys(told.ports), failures: Object.keys(told.failures) }).toEqual({
    ports: ['asker'],
    failures: ['x'],
  });
  await expect(link.ask({ kind: 'later' } as never, 5_000)).rejects.toThrow('does not know');
  const ended = once(child, 'exit');
  await link.ask({ kind: 'end' }, 5_000);
  await ended;
});
