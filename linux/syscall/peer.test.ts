import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { errnoOf } from './errno.js';
import { peerCgroups, peerProcess } from './peer.js';

let directory: string;
let server: Server;
let path: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-peer-'));
  path = join(directory, 's');
  server = createServer().listen(path);
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

const connecting = `require('net').connect(process.argv[1]).on('data', () => process.exit())`;

async function accepted(...wrapper: string[]) {
  const [command = process.execPath, ...args] = [...wrapper, process.execPath, '-e', connecting, path];
  const child = spawn(command, args, { stdio: 'inherit' });
  const [socket] = (await once(server, 'connection')) as [Socket];
  const handle = Reflect.get(socket, '_handle') as { fd: number };
  return { child, socket, fd: handle.fd };
}

test('the process, its user and its groups, as many as there are', async () => {
  const groups = Array.from({ length: 100 }, (_, at) => 5000 + at);
  const wrapper = ['setpriv', '--reuid=1234', '--regid=1235', `--groups=${groups.join(',')}`];
  chmodSync(directory, 0o755);
  chmodSync(path, 0o666);
  const { child, socket, fd } = await accepted(...wrapper);
  expect(peerProcess(fd)).toEqual({ pid: child.pid, uid: 1234, gid: 1235, groups });
  socket.destroy();
  child.kill();
  await once(child, 'exit');
});

test('its control groups, until it has ended', async () => {
  const { child, socket, fd } = await accepted();
  const { pid } = peerProcess(fd);
  expect(peerCgroups(fd, pid)).toBe(readFileSync('/proc/self/cgroup', 'latin1'));
  socket.write('x');
  await once(child, 'exit');
  expect(peerCgroups(fd, pid)).toBeUndefined();
  // Another process that got its number is not taken for it.
  expect(peerCgroups(fd, process.pid)).toBeUndefined();
  expect(peerCgroups(fd, 0)).toBeUndefined();
  socket.destroy();
});

test('other descriptors are refused', () => {
  const file = openSync('/dev/null', 'r');
  let thrown: unknown;
  try {
    peerProcess(file);
  } catch (error) {
    thrown = error;
  } finally {
    closeSync(file);
  }
  expect(errnoOf(thrown)).toBe('ENOTSOCK');
});
