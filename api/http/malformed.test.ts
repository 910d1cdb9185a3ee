import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { echoSession, startApi, talk, until } from '../testing/fakes.js';

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

describe('garbage instead of a request is answered with JSON', () => {
  it.each([
    ['words', 'hello\r\n\r\n', 400, 'malformed'],
    ['an unknown method', 'FOO / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'unknown method'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost x\r\n\r\n', 400, 'malformed header'],
    ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n', 400, 'malformed'],
    ['a head without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(70_000)}`, 431, 'larger than 65536 bytes'],
    [
      'a length that is none',
      'POST /containers/c/start HTTP/1.1\r\nHost: x\r\nContent-Length: 5x\r\n\r\n',
      400,
      'bad Content-Length',
    ],
    [
      'a negative length',
      'POST /containers/c/start HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
      400,
      'bad Content-Length',
    ],
    [
      'two lengths',
      'POST /containers/c/start HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n',
      400,
      'Content-Length',
    ],
    [
      'both framings',
      'POST /containers/c/start HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'Transfer-Encoding',
    ],
    [
      'an unknown framing',
      'POST /containers/c/start HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n',
      400,
      'unsupported Transfer-Encoding',
    ],
    [
      'a bad chunk',
      'POST /v1.20/containers/c/start HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
      400,
      'malformed chunked encoding',
    ],
  ])('%s', async (_name, text, status, message) => {
    await using server = await startApi({ containers: { start: async () => {} } });
    const answer = await talk(server.connect(), text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nContent-Type: application/json\r\n`));
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as { message: string };
    expect(body.message).toContain(message);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it('the end comes before the body is complete', async () => {
    await using server = await startApi({ containers: { create: async () => ({ Id: 'c', Warnings: [] }) } });
    const head =
      'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{';
    const answer = await talk(server.connect(), head, { end: true });
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*\{"message":"unexpected EOF"\}\n$/s);
  });

  it('an expectation that nobody meets is no reason to fail', async () => {
    await using server = await startApi({});
    expect(await talk(server.connect(), get('/_ping', 'Expect: the best\r\nConnection: close\r\n'))).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });
});

describe('requests that are sent ahead', () => {
  it('are answered one after the other, whatever comes between them', async () => {
    let running = 0;
    let most = 0;
    await using server = await startApi({
      containers: {
        start: async () => {
          most = Math.max(most, ++running);
          await sleep(5);
          running--;
        },
      },
    });
    const chunked = 'Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nTrailer: x\r\n\r\n';
    const requests = [
      `POST /v1.20/containers/c/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${chunked}`,
      '\r\n\r\n',
      'POST /v1.20/containers/c/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
      'POST /containers/c/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    ];
    const text = requests.join('').repeat(10) + get('/_ping', 'Connection: close\r\n');
    const answer = await talk(server.connect(), text);
    expect(answer.match(/HTTP\/1\.1 204/g)).toHaveLength(30);
    expect(answer).toMatch(/HTTP\/1\.1 200 OK.*OK$/s);
    expect(most).toBe(1);
  });

  it('wait behind a stream, hijacking ones too, and the connection ends with its client', async () => {
    const attached: string[] = [];
    let gone = () => {};
    const ended = new Promise<void>((resolve) => {
      gone = resolve;
    });
    await using server = await startApi({
      events: {
        async *subscribe({ signal }: { signal: AbortSignal }) {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          gone();
        },
      },
      containers: {
        attach: async (name) => {
          attached.push(name);
          return echoSession(true);
        },
      },
    });
    const socket = server.connect();
    socket.write(get('/events'));
    await until(socket, '\r\n\r\n');
    socket.write('POST /containers/nosuch/attach HTTP/1.1\r\nHost: x\r\n\r\n');
    await sleep(20);
    expect(attached).toEqual([]);
    socket.destroy();
    await ended;
    expect(await talk(server.connect(), get('/_ping', 'Connection: close\r\n'))).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('are held up to a bound, then the client has to wait', async () => {
    await using server = await startApi({
      events: {
        async *subscribe({ signal }: { signal: AbortSignal }) {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
      },
    });
    const socket = server.connect();
    socket.write(get('/events'));
    await until(socket, '\r\n\r\n');
    const block = Buffer.alloc(1024 * 1024, get('/_ping'));
    let sent = 0;
    while (socket.write(block) || sent < 4) {
      sent++;
      await sleep(10);
      if (socket.writableLength >= 4 * block.length) break;
    }
    // A socket that is not in the server's hands is still in ours.
    expect(socket.writableLength).toBeGreaterThan(block.length);
    socket.destroy();
  });
});

it('a body whose sender goes away is an error for its reader, whenever that begins to read', async () => {
  const failures: unknown[] = [];
  for (const lateMs of [0, 30]) {
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    await using server = await startApi({
      containers: {
        async putArchive(_name, _path, tar) {
          begin();
          await sleep(lateMs);
          try {
            for await (const _chunk of tar);
          } catch (error) {
            failures.push(error);
            throw error;
          }
        },
      },
    });
    const socket = server.connect();
    socket.write(
      `PUT /containers/c/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(100)}`,
    );
    await begun;
    socket.destroy();
    await once(socket, 'close');
    await expect.poll(() => failures.length).toBe(lateMs === 0 ? 1 : 2);
  }
  expect(failures).toEqual(Array(2).fill(expect.objectContaining({ class: 'Cancelled' })));
});
