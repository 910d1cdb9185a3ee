import { setTimeout as pause } from 'node:timers/promises';
import type { Kind } from '@cleat/protocol/kinds/kind';
import type { Flaw } from '../../testing/test-plugin.fixture.js';

/** Plugins of a kind that break what every plugin owes. What they remember is of this call. */
export function protocolFlaws({ name }: Kind): Flaw<object>[] {
  let activations = 0;
  let busy: Promise<unknown> = Promise.resolve();
  let broken = false;

  return [
    {
      finds: 'protocol/activate-again',
      about: 'says only once what it implements',
      http(request, response, answer) {
        if (request.url !== '/Plugin.Activate') return answer(request, response);
        // The verifier's own question is the first.
        activations++;
        response.end(activations === 1 ? JSON.stringify({ Implements: [name] }) : '{}');
      },
    },
    {
      finds: 'protocol/activate-media-type',
      about: 'says that it answers HTML',
      http(request, response, answer) {
        const writeHead = response.writeHead.bind(response);
        response.writeHead = (status: number) => writeHead(status, { 'Content-Type': 'text/html' });
        return answer(request, response);
      },
    },
    {
      finds: 'protocol/no-content-type',
      about: 'needs to be told that a body is JSON',
      async http(request, response, answer) {
        const told = request.headers['content-type'] !== undefined || request.url === '/Plugin.Activate';
        if (told) await answer(request, response);
        else response.destroy();
      },
    },
    {
      finds: 'protocol/unknown-method',
      about: 'answers everything with success',
      http(request, response, answer) {
        if (!request.url?.endsWith('NoSuchMethod')) return answer(request, response);
        response.end('{}');
      },
    },
    {
      finds: 'protocol/unknown-method-404',
      about: 'answers what it does not know with another error',
      http(request, response, answer) {
        if (!request.url?.endsWith('NoSuchMethod')) return answer(request, response);
        response.writeHead(500).end('{"Err":"what?"}');
      },
    },
    {
      finds: 'protocol/unknown-members',
      about: 'refuses members that it does not know',
      async http(request, response, answer) {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          if (Buffer.concat(chunks).includes('NextVersion')) response.destroy();
        });
        await answer(request, response);
      },
    },
    {
      finds: 'protocol/malformed',
      about: 'dies of a body that is no JSON',
      async http(request, response, answer) {
        if (broken) return void response.destroy();
        request.on('data', (chunk: Buffer) => {
          if (chunk.toString() !== '{"Name": ') return;
          broken = true;
          response.destroy();
        });
        await answer(request, response);
      },
    },
    {
      finds: 'protocol/slow-request',
      about: 'reads only what comes first',
      async http(request, response, answer) {
        if (request.url === '/Plugin.Activate') return answer(request, response);
        request.once('data', (chunk: Buffer) => {
          if (!chunk.toString().endsWith('}')) response.destroy();
        });
        await answer(request, response);
      },
    },
    {
      finds: 'protocol/hang-up',
      about: 'answers with errors once a caller has hung up',
      async http(request, response, answer) {
        response.once('close', () => {
          broken ||= !response.writableFinished;
        });
        await pause(5);
        if (broken) response.writeHead(418).end('{"Err":"confused"}');
        else await answer(request, response);
      },
    },
    {
      finds: 'protocol/at-once',
      about: 'takes five callers at once, and hangs up on others',
      async http(request, response, answer) {
        const others = ++activations;
        await pause(50);
        if (others > 5) response.destroy();
        else await answer(request, response);
        activations--;
      },
    },
    {
      finds: 'protocol/slow-neighbour',
      about: 'serves one caller after the other',
      async http(request, response, answer) {
        const before = busy;
        const mine = before.then(() => answer(request, response));
        busy = Promise.race([mine.catch(() => {}), new Promise((resolve) => request.once('close', resolve))]);
        await mine;
      },
    },
    {
      finds: 'protocol/get',
      about: 'dies of a GET',
      async http(request, response, answer) {
        if (request.method === 'GET') response.destroy();
        else await answer(request, response);
      },
    },
    {
      finds: 'protocol/starts-again',
      about: 'does not start where its stale socket lies',
      staysDown: true,
    },
  ];
}
