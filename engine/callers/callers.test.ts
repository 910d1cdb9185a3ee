import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCallers, placeOf } from './index.js';

const own = 'a'.repeat(64);
const sandbox = 'b'.repeat(64);
const foreign = 'c'.repeat(64);
const hereRun = {
  container: (id: string) => (id === own ? { name: 'web' } : undefined),
  plugin: (id: string) => (id === sandbox ? { name: 'store:latest' } : undefined),
};

test('a process of this host', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-callers-'));
  const server = createServer().listen(join(directory, 's'));
  await once(server, 'listening');
  const client = connect(join(directory, 's'));
  const [socket] = (await once(server, 'connection')) as [Socket];
  const { fd } = Reflect.get(socket, '_handle') as { fd: number };
  const [, groups] = /^Groups:(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  expect(openCallers(hereRun).atSocket(fd)).toEqual({
    Method: 'unix',
    User: 'root',
    Within: 'host',
    Process: { PID: process.pid, UID: 0, GID: 0, Groups: groups?.trim().split(/\s+/).filter(Boolean).map(Number) },
  });
  client.destroy();
  server.close();
  rmSync(directory, { recursive: true });
});

const web = { Within: 'container', Container: { ID: own, Name: 'web' } };

test.each([
  ['version 2', `0::/cleat/${own}\n`, web],
  ['systemd’s names', `0::/system.slice/cleat-${own}.scope\n`, web],
  ['only some hierarchies', `12:pids:/\n11:memory:/cleat/${own}\n0::/\n`, web],
  ['a group of its own below, with another’s name', `0::/cleat/${own}/${sandbox}\n`, web],
  ['an engine in a container', `0::/cleat/${own}/docker/${foreign}\n`, web],
  ['our container within a foreign one', `0::/docker/${foreign}/cleat/${own}\n`, web],
  ['a plugin', `0::/cleat/${sandbox}\n`, { Within: 'plugin', Plugin: { ID: sandbox, Name: 'store:latest' } }],
  ['another engine’s container', `0::/docker/${foreign}\n`, { Within: 'host' }],
  ['a longer name', `0::/cleat/0${own}\n`, { Within: 'host' }],
  ['no container', '0::/user.slice/user-0.slice\n', { Within: 'host' }],
  ['one that has ended', undefined, { Within: 'unknown' }],
])('where it runs: %s', (_how, cgroups, place) => {
  expect(placeOf(hereRun, cgroups)).toEqual(place);
});
