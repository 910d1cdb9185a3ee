import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type Logger, silentLogger } from '@cleat/protocol/log';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { echoSession, startApi, type TestApi, talk, until } from '../testing/fakes.js';
import { createFront } from './front.js';
import { probe } from './probe.js';

/** Writes `text` in pieces that arrive one by one; `cuts` are relative positions. */
async function sendInPieces(socket: Socket, text: string, cuts: readonly number[]): Promise<void> {
  const positions = [...new Set(cuts.map((cut) => Math.floor(cut * text.length)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...positions, text.length]) {
    if (to > from) socket.write(text.slice(from, to), 'latin1');
    from = to;
    await turn();
    await turn();
  }
}

it('finds each request wherever its bytes are cut, and reads nothing in a body or in raw input', async () => {
  const uploads: string[] = [];
  await using server = await startApi({
    containers: {
      attach: async () => echoSession(true),
      putArchive: async (_ref, _path, tar) => {
        let text = '';
        for await (const chunk of tar) text += String(chunk);
        uploads.push(text);
      },
    },
  });
  // Each body, and the raw input, is a request that hijacks.
  const trap = 'POST /containers/c/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
  const put = 'PUT /containers/c/archive?path=/ HTTP/1.1\r\nHost: x\r\n';
  const requests = {
    ping: 'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n',
    sized: `${put}Content-Length: ${trap.length}\r\n\r\n${trap}`,
    chunked: `${put}Transfer-Encoding: chunked\r\n\r\n${trap.length.toString(16)}\r\n${trap}\r\n0\r\n\r\n`,
  };
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });
  const step = fc.tuple(fc.constantFrom('ping', 'sized', 'chunked'), cuts) as fc.Arbitrary<
    [keyof typeof requests, number[]]
  >;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 4 }), cuts, async (steps, lastCuts) => {
      uploads.length = 0;
      const socket = server.connect();
      for (const [name, where] of steps) {
        const answered = until(socket, name === 'ping' ? 'OK' : 'Content-Length: 0\r\n');
        await sendInPieces(socket, requests[name], where);
        expect(await answered).toMatch(/^(\r\n)*HTTP\/1\.1 200 /);
        // The rest of the answer's head.
        await turn();
      }
      expect(uploads).toEqual(steps.filter(([name]) => name !== 'ping').map(() => trap));
      const done = talk(socket, '');
      await sendInPieces(socket, `POST /containers/c/attach?stdin=1 HTTP/1.1\r\nHost: x\r\n\r\n${trap}`, lastCuts);
      socket.end();
      const answer = await done;
      expect(answer.slice(answer.indexOf('raw-stream'))).toMatch(/^raw-stream\r\n.*\r\n\r\n/s);
      expect(answer.endsWith(`\r\n\r\n${trap}bye`)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

describe('bytes behind the last answer of a connection are neither parsed nor done', () => {
  const start = 'POST /containers/c/start HTTP/1.1\r\nHost: x\r\n\r\n';

  async function served(): Promise<TestApi & { started: () => number; failures: () => string[] }> {
    let count = 0;
    const lines: string[] = [];
    const log: Logger = { ...silentLogger, error: (message) => void lines.push(message), child: () => log };
    const server = await startApi(
      {
        containers: {
          start: async () => {
            count++;
          },
          export: async () => Readable.from([Buffer.alloc(8 * 1024 * 1024)]),
        },
        builds: { buildkit: async () => undefined },
      },
      { log },
    );
    return { ...server, started: () => count, failures: () => lines };
  }

  it.each([
    ['CONNECT', 'CONNECT foo:80 HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 404 .*page not found/s],
    // It is taken up, with the server's settings.
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^\0\0.\x04\0\0\0\0\0/s],
    [
      'a request that is the last',
      'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      /^HTTP\/1\.1 200 .*OK$/s,
    ],
    ['an older client’s request', 'GET /_ping HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 200 .*OK$/s],
  ])('%s', async (_name, first, answer) => {
    await using server = await served();
    expect(await talk(server.connect(), first + start.repeat(2))).toMatch(answer);
    // The next connections may be given the parser of the first.
    const others = await Promise.all(
      ['a', 'b', 'c'].map(() => talk(server.connect(), 'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')),
    );
    for (const other of others) expect(other).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\nOK$/s);
    expect(server.started()).toBe(0);
    expect(server.failures()).toEqual([]);
  });

  it('an answer that could not be written, which Node reports as finished all the same', async () => {
    class Stuck extends Socket {
      fail: () => void = () => {};
      override _read(): void {}
      override _write(_chunk: unknown, _encoding: string, done: (error?: Error) => void): void {
        this.fail = () => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      }
      override _writev(_chunks: unknown, done: (error?: Error) => void): void {
        this._write('', '', done);
      }
    }
    const asked: string[] = [];
    const failures: unknown[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('x');
    });
    const accept = createFront({
      server,
      onPlain: () => false,
      hijacks: () => undefined,
      onUpgrade: (_request, socket) => socket.destroy(),
      onMalformed: (_error, socket) => socket.destroy(),
      onFailure: (error) => failures.push(error),
    });
    const socket = new Stuck({ allowHalfOpen: true });
    socket.on('error', () => {});
    accept(socket);
    socket.push(
      'GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n',
    );
    await turn();
    expect(asked).toEqual(['/1']);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.fail();
    await closed;
    expect(asked).toEqual(['/1']);
    expect(failures).toEqual([]);
  });
});

it('leaves no listener behind for each time that a client has sent too far ahead', () => {
  const socket = new Socket();
  const before = socket.listenerCount('close');
  for (let time = 0; time < 20; time++) probe(socket)();
  expect(socket.listenerCount('close')).toBe(before);
  socket.destroy();
});

it('refuses HTTP/2 where no route speaks it', async () => {
  class Silent extends Socket {
    override _read(): void {}
    override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
      done();
    }
  }
  const server = createServer();
  const malformed = new Promise<Error>((resolve) => {
    const accept = createFront({
      server,
      onPlain: () => false,
      hijacks: () => undefined,
      onUpgrade: (_request, socket) => socket.destroy(),
      onMalformed: (error, socket) => {
        socket.destroy();
        resolve(error);
      },
      onFailure: resolve,
    });
    const socket = new Silent({ allowHalfOpen: true });
    socket.on('error', () => {});
    accept(socket);
    socket.push('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  });
  expect(await malformed).toMatchObject({ code: expect.stringMatching(/^HPE_/) });
});
