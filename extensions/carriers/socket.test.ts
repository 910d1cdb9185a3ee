import { mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { never } from './ending.fixture.js';
import { SocketCarrier } from './socket.js';

let directory: string;
let carrier: SocketCarrier;
let server: Server;
/** The requests that arrived, as `PATH on CONNECTION`. */
let arrived: string[];
/** Connections that are open at the plugin's end. */
let open: Set<Socket>;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-carrier-');
  arrived = [];
  open = new Set();
});

afterEach(async () => {
  await carrier.close();
  for (const socket of open) socket.destroy();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';

/** A plugin that knows nothing but how to answer a request, by its number on its connection. */
async function plugin(where: 'unix' | 'tcp', on: (socket: Socket, request: number) => void): Promise<void> {
  let connections = 0;
  server = createServer((socket) => {
    const connection = ++connections;
    let requests = 0;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (data) => {
      arrived.push(`${data.toString('latin1').split(' ')[1]} on ${connection}`);
      on(socket, ++requests);
    });
  });
  await listen(where);
}

async function listen(where: 'unix' | 'tcp'): Promise<void> {
  const path = join(directory, 'p.sock');
  await new Promise<void>((resolve) => {
    if (where === 'unix') server.listen(path, resolve);
    else server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  carrier = new SocketCarrier(
    typeof address === 'string' || !address
      ? { type: 'unix', path }
      : { type: 'tcp', host: '127.0.0.1', port: address.port, tls: undefined },
  );
}

const get = () => carrier.call('/get', '{}', never, true);
const mount = () => carrier.call('/mount', '{}', never);

test('all messages share one connection of a plugin that keeps it', async () => {
  await plugin('unix', (socket) => socket.write(answer));
  for (const call of [get, get, mount, get, mount]) expect(await call()).toEqual({ status: 200, text: '{}' });
  expect(arrived).toEqual(['/get on 1', '/get on 1', '/mount on 1', '/get on 1', '/mount on 1']);
});

test('a call that may not arrive twice does not wait for a proof: it has its own, and meets no idle one', async () => {
  const others: number[] = [];
  await plugin('unix', (socket) => {
    others.push(open.size - 1);
    socket.write(answer);
  });
  for (const call of [get, mount, get]) await call();
  expect(arrived).toEqual(['/get on 1', '/mount on 2', '/get on 3']);
  expect(others[1]).toBe(0);
});

test('over TCP it always has its own', async () => {
  await plugin('tcp', (socket) => socket.write(answer));
  for (const call of [get, get, mount]) await call();
  expect(arrived).toEqual(['/get on 1', '/get on 1', '/mount on 2']);
});

test('over TCP no part of a message waits for an acknowledgement', async () => {
  const told = vi.spyOn(Socket.prototype, 'setNoDelay');
  await plugin('tcp', (socket) => socket.write(answer));
  await get();
  expect(told).toHaveBeenCalledWith();
  told.mockRestore();
});

test('a plugin that closes after each answer and does not say so', async () => {
  await plugin('unix', (socket) => socket.end(answer));
  for (const call of [get, mount, get, get, mount, mount]) expect(await call()).toEqual({ status: 200, text: '{}' });
  expect(arrived.filter((text) => text.startsWith('/mount'))).toHaveLength(3);
});

test('a connection that was closed meanwhile, unread, is replaced in silence', async () => {
  await plugin('unix', (socket) => socket.write(answer));
  await get();
  await get();
  await stat(directory); // From here, what is immediate comes before the plugin's end can read anything.
  const mounted = mount();
  setImmediate(() => {
    for (const socket of open) socket.destroy();
  });
  expect(await mounted).toEqual({ status: 200, text: '{}' });
  expect(arrived).toEqual(['/get on 1', '/get on 1', '/mount on 2']);
});

test('a plugin that closes a connection while it is asked has perhaps done it: it is asked once', async () => {
  await plugin('unix', (socket, request) => (request < 3 ? socket.write(answer) : socket.destroy()));
  await get();
  await get();
  await expect(mount()).rejects.toMatchObject({ fault: 'broken', sent: true });
  await mount();
  expect(arrived).toEqual(['/get on 1', '/get on 1', '/mount on 1', '/mount on 2']);
});

test('a call that may arrive twice is made again', async () => {
  await plugin('unix', (socket, request) => (request < 2 ? socket.write(answer) : socket.destroy()));
  await get();
  await get();
  expect(arrived).toEqual(['/get on 1', '/get on 1', '/get on 2']);
});

test('a plugin that serves one connection after the other is waited for by nobody for long', async () => {
  const web = createHttpServer((request, response) => {
    arrived.push(request.url ?? '');
    request.resume();
    setTimeout(() => response.end('{}'), 10);
  });
  const waiting: Socket[] = [];
  const next = () => {
    const [socket] = waiting;
    if (!socket) return;
    open.add(socket);
    socket.once('close', () => {
      open.delete(socket);
      waiting.shift();
      next();
    });
    web.emit('connection', socket);
  };
  server = createServer((socket) => {
    if (waiting.push(socket) === 1) next();
  });
  await listen('unix');
  await get();
  await Promise.all([get(), get(), mount(), get(), mount()]);
  expect(arrived).toHaveLength(6);
});
