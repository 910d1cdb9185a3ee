import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { hasHungUp } from '@cleat/linux/syscall/poll';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { flushed, watchBehindHttp2 } from './probe.js';

let directory: string;
let path: string;
let server: Server;
const ends: (() => void)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-probe-'));
  path = join(directory, 'a.sock');
});
afterEach(() => {
  for (const end of ends.splice(0)) end();
  server.close();
  rmSync(directory, { recursive: true });
});

const large = Buffer.alloc(3_000_000, 'x');
/** Longer than it takes to look. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1500));

/** Answers each call with much, on a connection that is looked after. */
function serve(socket: Socket): ServerHttp2Session {
  const session = http2.performServerHandshake(socket);
  session.on('error', () => {});
  session.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.end(large);
  });
  socket.on('error', () => {});
  watchBehindHttp2(socket, hasHungUp);
  ends.push(() => socket.destroy());
  return session;
}

function client(connection: Duplex): http2.ClientHttp2Session {
  const session = http2.connect('http://localhost', {
    createConnection: () => connection,
    settings: { initialWindowSize: 2 * large.length },
  });
  session.on('error', () => {});
  session.once('connect', () => session.setLocalWindowSize(2 * large.length));
  ends.push(() => session.destroy());
  return session;
}

async function lengthOf(stream: http2.ClientHttp2Stream): Promise<number> {
  let length = 0;
  for await (const chunk of stream) length += (chunk as Buffer).length;
  return length;
}

it('writes nothing behind what waits for a client of HTTP/2 that does not read', async () => {
  const socket = (await overUnix())();
  let isReading = true;
  const connection = new Duplex({
    read: () => void (isReading && socket.resume()),
    write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
  });
  socket.on('data', (chunk) => {
    connection.push(chunk);
    socket.pause();
  });
  ends.push(() => socket.destroy());
  const session = client(connection);
  await once(session, 'remoteSettings');
  const answer = session.request({ ':path': '/' });
  await once(answer, 'response');
  isReading = false;
  await aWhile();
  expect(Reflect.get(Reflect.get(accepted, '_handle') as object, 'writeQueueSize')).toBeGreaterThan(0);
  isReading = true;
  socket.resume();
  expect(await lengthOf(answer)).toBe(large.length);
});

/** A server on TLS, and what connects to it. */
async function overTls(): Promise<() => tls.TLSSocket> {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  execFileSync('openssl', [...request.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const pem = { cert: readFileSync(cert), key: readFileSync(key) };
  server = tls.createServer({ ...pem, allowHalfOpen: true }, take).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return () => tls.connect({ port, host: '127.0.0.1', ca: pem.cert, servername: 'localhost' });
}

async function overUnix(): Promise<() => Socket> {
  server = createServer({ allowHalfOpen: true }, take).listen(path);
  await once(server, 'listening');
  return () => connect(path);
}

let accepted: Socket;
function take(socket: Socket): void {
  accepted = socket;
  serve(socket);
}

it('writes nothing beside HTTP/2 on TLS', async () => {
  const dial = await overTls();
  const session = client(dial());
  expect(await lengthOf(session.request({ ':path': '/' }))).toBe(large.length);
  await aWhile();
  expect(await lengthOf(session.request({ ':path': '/' }))).toBe(large.length);
});

it.each([
  ['a UNIX socket', overUnix],
  ['TLS', overTls],
])('notices that a client has gone whose frames HTTP/2 has refused, on %s', async (_what, over) => {
  const socket = (await over())();
  const settings = Buffer.from('000000040000000000', 'hex');
  const dataOfNoStream = Buffer.from('000001000000000000aa', 'hex');
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings, dataOfNoStream]));
  await once(socket, 'data');
  await aWhile();
  expect(accepted.destroyed).toBe(false);
  socket.destroy();
  await expect.poll(() => accepted.destroyed).toBe(true);
});

it('tells when the kernel has all that was written, or the client has gone', async () => {
  const connected = new Promise<Socket>((resolve) => {
    server = createServer(resolve).listen(path);
  });
  const socket = connect(path).pause();
  ends.push(() => socket.destroy());
  const writer = (await connected).on('error', () => {});
  expect(await flushed(writer)).toBe(true);
  writer.write(large);
  let isOut: boolean | undefined;
  const out = flushed(writer).then((is) => {
    isOut = is;
  });
  await aWhile();
  expect(isOut).toBeUndefined();
  socket.resume();
  await out;
  expect(isOut).toBe(true);
  socket.pause();
  writer.write(large);
  const gone = flushed(writer);
  socket.destroy();
  expect(await gone).toBe(false);
});
