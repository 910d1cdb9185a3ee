import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { echoSession, startApi, talk, until } from '../testing/fakes.js';

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
