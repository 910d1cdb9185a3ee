import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Deadline } from '@cleat/protocol/async/deadline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endingOf, never } from '../ending.fixture.js';
import { SocketCarrier } from '../socket.js';

/** Answers that do not come in one piece, or not as most do, on connections that are kept. */

let directory: string;
let server: Server;
let carrier: SocketCarrier;
/** The requests in whole, after the number of their connection. */
let arrived: string[];
const open = new Set<Socket>();
const ask = (body = '{}', ending = never) => carrier.call('/get', body, ending, true);

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-kept-');
  arrived = [];
});

afterEach(async () => {
  await carrier.close();
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

/** A plugin that gets whole requests. @param on with their number on their connection */
async function plugin(on: (socket: Socket, request: number) => void): Promise<void> {
  let connections = 0;
  server = createServer((socket) => {
    const connection = ++connections;
    let requests = 0;
    let text = '';
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      const [, length] = /\r\nContent-Length: (\d+)\r\n/.exec(text) ?? [];
      if (length === undefined || text.length < text.indexOf('\r\n\r\n') + 4 + Number(length)) return;
      arrived.push(`${connection} ${text}`);
      text = '';
      on(socket, ++requests);
    });
  });
  const path = join(directory, 'p.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  carrier = new SocketCarrier({ type: 'unix', path });
}

/** Once the other side, which runs in this process, has read what was written. */
const later = (work: () => void) => setImmediate(() => setImmediate(work));
const connections = () => arrived.map((text) => Number(text.split(' ')[0]));
const head = (length: number, more = '') => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n${more}\r\n`;
const plain = (socket: Socket) => socket.write(`${head(2)}{}`);

test('the message, in bytes as long as it says', async () => {
  await plugin(plain);
  await ask('{"Name":"a"}');
  await ask('{"Name":"Zoë 🐳"}');
  const bodies = arrived.map((text) => Buffer.from(text.split('\r\n\r\n')[1] ?? '', 'latin1').toString());
  expect(bodies).toEqual(['{"Name":"a"}', '{"Name":"Zoë 🐳"}']);
  expect(arrived[0]).toMatch(/^1 POST \/get HTTP\/1\.1\r\nAccept: application\/vnd\.docker\.plugins\.v1\.2\+json\r\n/);
  expect(arrived[0]).toMatch(/\r\nHost: plugin\r\n/);
  expect(connections()).toEqual([1, 1]);
});

test('a body in parts, cut within a character', async () => {
  const body = Buffer.from(JSON.stringify({ Mountpoint: '/Zoë/🐳'.repeat(9) }));
  await plugin((socket) => {
    socket.write(head(body.length));
    let at = 0;
    const next = (): void => {
      if (at < body.length) socket.write(body.subarray(at, ++at), () => later(next));
    };
    next();
  });
  for (let round = 0; round < 3; round++) expect(await ask()).toEqual({ status: 200, text: body.toString() });
  expect(connections()).toEqual([1, 1, 1]);
});

test('an answer in chunks, or in a head that comes in parts, is read all the same', async () => {
  await plugin((socket, request) => {
    if (request === 1) plain(socket);
    else if (arrived.length === 2)
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n');
    else {
      const text = `${head(2)}{}`;
      socket.write(text.slice(0, 20), () => later(() => socket.write(text.slice(20))));
    }
  });
  for (let call = 0; call < 5; call++) expect(await ask()).toEqual({ status: 200, text: '{}' });
  // The connection is Node's then.
  expect(connections()).toEqual([1, 1, 2, 2, 3]);
});

test('interim answers are passed over', async () => {
  await plugin((socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n${head(2)}{}`));
  expect(await ask()).toEqual({ status: 200, text: '{}' });
});

test('bytes that come unasked end the connection, and are nobody’s answer', async () => {
  await plugin((socket, request) => {
    if (request === 1) plain(socket);
    else socket.write(head(3), () => later(() => socket.write(`[1]${head(5)}"two"`)));
  });
  expect(await ask()).toEqual({ status: 200, text: '{}' });
  expect(await ask()).toEqual({ status: 200, text: '[1]' });
  expect(await ask()).toEqual({ status: 200, text: '{}' });
  const [unasked] = open;
  const closed = new Promise((resolve) => unasked?.once('close', resolve));
  unasked?.write(`${head(5)}"new"`);
  await closed;
  expect(await ask()).toEqual({ status: 200, text: '{}' });
  expect(connections()).toEqual([1, 1, 2, 3]);
});

test('an answer that breaks off, or never ends', async () => {
  await plugin((socket, request) => {
    if (request === 1) plain(socket);
    else if (arrived.length === 2) socket.end(`${head(9)}{"a"`);
    else socket.write(`${head(9)}{"a"`);
  });
  await ask();
  await expect(ask()).rejects.toMatchObject({ fault: 'broken', sent: true });
  await ask();
  const stop = new AbortController();
  const waits = ask('{}', endingOf(stop.signal));
  await expect.poll(() => arrived.length).toBe(4);
  stop.abort(new Error('late'));
  await expect(waits).rejects.toThrow('late');
  expect(await ask()).toEqual({ status: 200, text: '{}' });
  expect(connections()).toEqual([1, 1, 2, 2, 3]);
});

test('a caller that has gone already asks nothing', async () => {
  await plugin(plain);
  await expect(ask('{}', endingOf(AbortSignal.abort(new Error('gone'))))).rejects.toThrow('gone');
  using late = new Deadline({ ms: 1000, signal: AbortSignal.abort(new Error('gone')), late: () => new Error('late') });
  await expect(ask('{}', late)).rejects.toThrow('gone');
  await ask();
  expect(arrived).toHaveLength(1);
});

test('a connection that will not be kept for a second is not used again', async () => {
  await plugin((socket) => socket.write(`${head(2, 'Keep-Alive: timeout=1\r\n')}{}`));
  await ask();
  await ask();
  expect(connections()).toEqual([1, 2]);
});

test('an answer that comes before the whole message was taken', async () => {
  let connections = 0;
  server = createServer((socket) => {
    connections++;
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
    socket.once('readable', () => plain(socket));
  });
  const path = join(directory, 'p.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  carrier = new SocketCarrier({ type: 'unix', path });
  const large = JSON.stringify('x'.repeat(8 * 1024 * 1024));
  expect(await ask(large)).toEqual({ status: 200, text: '{}' });
  expect(await ask('{}')).toEqual({ status: 200, text: '{}' });
  expect(connections).toBe(2);
});

test('its end is the end of who waits', async () => {
  await plugin((socket) => {
    if (arrived.length === 1) plain(socket);
  });
  await ask();
  const waits = ask();
  await expect.poll(() => arrived.length).toBe(2);
  await carrier.close();
  await expect(waits).rejects.toMatchObject({ fault: 'broken' });
  await expect(ask()).rejects.toMatchObject({ fault: 'broken', sent: false });
});
