import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { flushed, probeBehindHttp2 } from './probe.js';

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
/** Longer than a probe waits. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1500));

/** Answers each call with much, on a connection that is probed. */
function serve(socket: Socket): ServerHttp2Session {
  const session = http2.performServerHandshake(socket);
  session.on('error', () => {});
  session.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.end(large);
  });
  socket.on('error', () => {});
  probeBehindHttp2(socket);
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
  let accepted: Socket | undefined;
  server = createServer((socket) => {
    accepted = socket;
    serve(socket);
  }).listen(path);
  const socket = connect(path);
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
  expect(Reflect.get(Reflect.get(accepted ?? {}, '_handle') as object, 'writeQueueSize')).toBeGreaterThan(0);
  isReading = true;
  socket.resume();
  expect(await lengthOf(answer)).toBe(large.length);
});

it('writes nothing at all beside HTTP/2 on TLS', async () => {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  execFileSync('openssl', [...request.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const pem = { cert: readFileSync(cert), key: readFileSync(key) };
  server = tls.createServer(pem, serve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const session = client(tls.connect({ port, host: '127.0.0.1', ca: pem.cert, servername: 'localhost' }));
  expect(await lengthOf(session.request({ ':path': '/' }))).toBe(large.length);
  await aWhile();
  expect(await lengthOf(session.request({ ':path': '/' }))).toBe(large.length);
});

it('notices that a client has gone whose frames HTTP/2 has refused', async () => {
  const closed = new Promise((resolve) => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      serve(socket);
      socket.once('close', resolve);
    }).listen(path);
  });
  const socket = connect(path);
  // Data of stream 0, which is none.
  socket.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from('000000040000000000', 'hex')]),
  );
  socket.write(Buffer.from('000001000000000000aa', 'hex'));
  await once(socket, 'data');
  await aWhile();
  socket.destroy();
  await closed;
});

it('tells when the kernel has all that was written, or the client has gone', async () => {
  const accepted = new Promise<Socket>((resolve) => {
    server = createServer(resolve).listen(path);
  });
  const socket = connect(path).pause();
  ends.push(() => socket.destroy());
  const writer = (await accepted).on('error', () => {});
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
