import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { echoSession, startApi, talk, until } from '../testing/fakes.js';

/** Input of a terminal that is, letter by letter, a request which would be carried out. */
const innocentInput = 'POST /containers/victim/kill HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
const upgradeHeaders = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

function frames(raw: string): string {
  let text = '';
  for (let rest = Buffer.from(raw, 'latin1'); rest.length >= 8; ) {
    const length = rest.readUInt32BE(4);
    text += rest.subarray(8, 8 + length).toString();
    rest = rest.subarray(8 + length);
  }
  return text;
}

const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);

describe('attach', () => {
  it.each([
    ['with Upgrade', upgradeHeaders, /^HTTP\/1\.1 101 UPGRADED\r\n/, 'multiplexed-stream'],
    ['without Upgrade', '', /^HTTP\/1\.1 200 OK\r\n/, 'multiplexed-stream'],
  ])('joins streams, %s, and never reads input as a request', async (_name, headers, status, type) => {
    const killed: string[] = [];
    const session = echoSession(false);
    await using server = await startApi({
      containers: { attach: async () => session, kill: async (name) => void killed.push(name) },
    });
    const head = `POST /v1.42/containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\n${headers}Content-Length: 0\r\n\r\n`;
    // In one write with the head, so that the parser could have both in one buffer; then half-close.
    const answer = await talk(server.connect(), `${head}${innocentInput}`, { end: true });
    expect(answer).toMatch(status);
    expect(answer).toContain(`Content-Type: application/vnd.docker.${type}\r\n`);
    expect(frames(bodyOf(answer))).toBe(`${innocentInput}bye`);
    expect(killed).toEqual([]);
  });

  it('does so too on a connection that was used before, where the head comes in pieces', async () => {
    const killed: string[] = [];
    await using server = await startApi({
      containers: { attach: async () => echoSession(true), kill: async (name) => void killed.push(name) },
    });
    const socket = server.connect();
    socket.write('GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n');
    await until(socket, 'OK');
    socket.write('POST /containers/c/attach?stdin=1 HTTP/1.1\r\nHo');
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.write('st: docker\r\n\r\n');
    await until(socket, '\r\n\r\n');
    const answer = await talk(socket, innocentInput, { end: true });
    expect(answer).toBe(`${innocentInput}bye`);
    expect(killed).toEqual([]);
  });

  it('takes a declared body, as dockerode sends one, not for input', async () => {
    await using server = await startApi({ containers: { attach: async () => echoSession(true) } });
    const head = `POST /containers/c/attach?stdin=1 HTTP/1.1\r\nHost: x\r\n${upgradeHeaders}Content-Length: 15\r\n\r\n`;
    const answer = await talk(server.connect(), `${head}{"stream":true}typed`, { end: true });
    expect(bodyOf(answer)).toBe('typedbye');
  });

  it('waits when it was pipelined, and what follows it is its input', async () => {
    const killed: string[] = [];
    await using server = await startApi({
      containers: { attach: async () => echoSession(true), kill: async (name) => void killed.push(name) },
    });
    const request = 'POST /containers/c/attach?stdin=1 HTTP/1.1\r\nHost: docker\r\n\r\n';
    const text = `GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n${request}${innocentInput}`;
    const answer = await talk(server.connect(), text, { end: true });
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n.*OKHTTP\/1\.1 200 OK\r\n/s);
    expect(answer.endsWith(`\r\n\r\n${innocentInput}bye`)).toBe(true);
    expect(killed).toEqual([]);
  });

  it('decodes chunked input of clients that do not upgrade', async () => {
    await using server = await startApi({ containers: { attach: async () => echoSession(true) } });
    const answer = await talk(
      server.connect(),
      'POST /containers/c/attach?stdin=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    );
    expect(bodyOf(answer)).toBe('hellobye');
  });

  it('misses a client that has gone, but not one that has only closed its input', async () => {
    let closed = 0;
    const session = () => ({ ...echoSession(false), write: undefined, close: () => void closed++ });
    await using server = await startApi({ containers: { attach: async () => session() } });
    const request = 'POST /containers/c/attach?stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n';
    const [quiet, gone] = [server.connect(), server.connect()];
    for (const socket of [quiet, gone]) {
      socket.write(request);
      await until(socket, '\r\n\r\n');
      socket.end();
    }
    gone.destroy();
    await expect.poll(() => closed).toBe(1);
    expect(quiet.destroyed).toBe(false);
    quiet.destroy();
  });

  it('answers errors as HTTP', async () => {
    await using server = await startApi({});
    const answer = await talk(
      server.connect(),
      `POST /containers/c/attach HTTP/1.1\r\nHost: x\r\n${upgradeHeaders}\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 500 /);
    expect(bodyOf(answer)).toBe('{"message":"the test has no containers.attach"}\n');
  });
});

describe('exec start', () => {
  const body = '{"Detach":false,"Tty":true}';
  it.each([
    ['by length, with Upgrade', `${upgradeHeaders}Content-Length: ${body.length}\r\n\r\n${body}`],
    ['by length, without Upgrade', `Content-Length: ${body.length}\r\n\r\n${body}`],
    [
      'in chunks, with Upgrade',
      `${upgradeHeaders}Transfer-Encoding: chunked\r\n\r\n5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`,
    ],
  ])('reads a body %s, and what follows is input', async (_name, rest) => {
    const started: unknown[] = [];
    await using server = await startApi({
      execs: {
        start: async (id, request, begin) => {
          started.push([id, request]);
          await begin?.(true);
          return echoSession(true);
        },
      },
    });
    const answer = await talk(
      server.connect(),
      `POST /v1.41/exec/e1/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${rest}${innocentInput}`,
      { end: true },
    );
    expect(started).toEqual([['e1', { Detach: false, Tty: true }]]);
    expect(answer).toContain('Content-Type: application/vnd.docker.raw-stream\r\n');
    expect(bodyOf(answer)).toBe(`${innocentInput}bye`);
  });

  it('frames the output of a terminal, too, when start did not say that it is one', async () => {
    await using server = await startApi({
      execs: {
        start: async (_id, _request, begin) => {
          await begin?.(true);
          return echoSession(true);
        },
      },
    });
    const head = `POST /exec/e1/start HTTP/1.1\r\nHost: x\r\n${upgradeHeaders}Content-Type: application/json\r\n`;
    const answer = await talk(server.connect(), `${head}Content-Length: 13\r\n\r\n{"Tty":false}typed`, { end: true });
    expect(answer).toContain('Content-Type: application/vnd.docker.multiplexed-stream\r\n');
    expect(frames(bodyOf(answer))).toBe('typedbye');
  });

  it('sends the head before anything runs', async () => {
    let headSeen: () => void = () => {};
    const seen = new Promise<void>((resolve) => {
      headSeen = resolve;
    });
    await using server = await startApi({
      execs: {
        start: async (_id, _request, begin) => {
          await begin?.(true);
          await seen;
          return echoSession(true);
        },
      },
    });
    const socket = server.connect();
    const length = 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
    socket.write(`POST /exec/e1/start HTTP/1.1\r\nHost: x\r\n${upgradeHeaders}${length}`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 101 .*\r\n\r\n$/s);
    headSeen();
    socket.end();
    await once(socket, 'data');
  });

  it('writes what the runtime refuses to the stream', async () => {
    await using server = await startApi({
      execs: {
        start: async (_id, _request, begin) => {
          await begin?.(false);
          throw new Error('OCI runtime exec failed: no such file');
        },
      },
    });
    const answer = await talk(
      server.connect(),
      `POST /exec/e1/start HTTP/1.1\r\nHost: x\r\n${upgradeHeaders}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(frames(bodyOf(answer))).toBe('OCI runtime exec failed: no such file\r\n');
  });

  it('answers a detached start as an ordinary request', async () => {
    await using server = await startApi({ execs: { start: async () => undefined } });
    const answer = await talk(
      server.connect(),
      'POST /exec/e1/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"Detach":true}',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Connection: close/s);
  });
});

describe('attach by WebSocket', () => {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';

  it('exchanges frames', async () => {
    const asked: unknown[] = [];
    await using server = await startApi({
      containers: {
        attach: async (_ref, options) => {
          asked.push(options);
          return echoSession(false);
        },
      },
    });
    const socket = server.connect();
    // The key and its answer are the example of RFC 6455.
    socket.write(
      `GET /v1.42/containers/c/attach/ws?stdin=1&stdout=1&stream=1 HTTP/1.1\r\nHost: x\r\n${upgrade}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    expect(await until(socket, '\r\n\r\n')).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n');
    const masked = Buffer.from([0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    socket.write(masked.subarray(0, 4));
    socket.write(masked.subarray(4));
    expect(await until(socket, 'Hello')).toBe('\x82\x05Hello');
    const rest = await talk(socket, Buffer.from([0x88, 0x80, 1, 2, 3, 4]).toString('latin1'));
    expect(rest).toBe('\x82\x03bye\x88\x02\x03\xe8');
    expect(asked).toEqual([expect.objectContaining({ stdin: true, stdout: true, stderr: false, stream: true })]);
  });

  it('refuses what is no handshake', async () => {
    await using server = await startApi({ containers: { attach: async () => echoSession(false) } });
    const answer = await talk(server.connect(), `GET /containers/c/attach/ws HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('other upgrades', () => {
  it('are answered as ordinary requests', async () => {
    await using server = await startApi({});
    for (const request of ['GET /_ping', 'POST /nothing']) {
      const head = `${request} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n`;
      const answer = await talk(server.connect(), `${head}Content-Length: 0\r\n\r\n`);
      expect(answer).toMatch(request === 'GET /_ping' ? /^HTTP\/1\.1 200 OK\r\n/ : /^HTTP\/1\.1 404 Not Found\r\n/);
    }
  });
});
