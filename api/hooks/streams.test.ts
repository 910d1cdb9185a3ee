import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { HookBench } from '@cleat/engine/hooks/hooks.fixture';
import { silentLogger } from '@cleat/protocol/log';
import { type Served, serve } from '@cleat/sdk';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startApi, type TestApi } from '../testing/fakes.js';
import loud from './loud.fixture.js';

const module = fileURLToPath(new URL('./loud.fixture.ts', import.meta.url));
const manifest = `extensions: {loud: {driver: loud, module: '${module}', kinds: [RequestHook]}}`;

/** On a busy machine, too. */
const until = (condition: () => boolean | Promise<boolean>) => vi.waitUntil(condition, { timeout: 60_000 });

describe.each(['socket', 'in-process'] as const)('a hook on %s', (carrier) => {
  let bench: HookBench;
  let api: TestApi;
  let served: Served | undefined;
  let received: string[];
  let saved: PassThrough;

  beforeEach(async () => {
    bench = new HookBench(carrier === 'in-process' ? manifest : undefined);
    const socket = join(bench.directory, 'loud.sock');
    served = carrier === 'socket' ? await serve(loud, { name: 'loud', socket, log: silentLogger }) : undefined;
    bench.file('hooks: [{name: loud}]');
    received = [];
    saved = new PassThrough();
    api = await startApi({
      hooks: bench.hooks,
      images: {
        async *load(archive: Readable) {
          for await (const piece of archive) received.push(String(piece));
          yield { stream: 'loaded' };
        },
        save: async () => saved,
      },
    } as never);
  });
  afterEach(async () => {
    saved.destroy();
    await api[Symbol.asyncDispose]();
    await served?.close();
    await bench[Symbol.asyncDispose]();
  });

  function ask(method: string, path: string): { sent: ClientRequest; answered: Promise<IncomingMessage> } {
    const sent = httpRequest({ socketPath: api.socketPath, method, path, agent: false });
    return { sent, answered: new Promise((resolve, reject) => sent.on('response', resolve).on('error', reject)) };
  }

  test('changes a body as it flows, and the answer, and holds none of it back', async () => {
    const { sent, answered } = ask('POST', '/images/load');
    sent.write('first');
    // Nothing follows until it has got through.
    await until(() => received.includes('FIRST'));
    sent.end('last');
    const answer = await answered;
    expect(answer.headers['x-was']).toBe('200');
    expect(await textOf(answer)).toContain('"STREAM":"LOADED"');
    expect(received.join('')).toBe('FIRSTLAST');
  });

  test('an answer is seen while it lasts', async () => {
    const { sent, answered } = ask('GET', '/images/x/get');
    sent.end();
    saved.write('one');
    const answer = await answered;
    const pieces: string[] = [];
    answer.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
    await until(() => pieces.join('') === 'ONE');
    saved.end('two');
    await until(() => pieces.join('') === 'ONETWO');
  });

  test('is read at the pace of its reader: nobody keeps the rest', async () => {
    let made = 0;
    const piece = Buffer.alloc(64 * 1024, 'x');
    saved = Object.assign(new PassThrough(), {
      _read(this: PassThrough) {
        made += piece.length;
        this.push(piece);
      },
    });
    const { sent, answered } = ask('GET', '/images/x/get');
    sent.end();
    const answer = await answered;
    // The client does not read on; at some point nothing more is made.
    let before = -1;
    await vi.waitUntil(
      () => {
        const isStill = made === before;
        before = made;
        return isStill;
      },
      { interval: 100, timeout: 60_000 },
    );
    expect(made).toBeLessThan(32 * 1024 * 1024);
    answer.destroy();
  });

  test('that breaks the stream ends the request', async () => {
    const { sent, answered } = ask('POST', '/images/load');
    sent.end('break it');
    expect(await textOf(await answered)).toContain('request hook loud failed');
    const { sent: asked, answered: got } = ask('GET', '/images/x/get');
    asked.end();
    saved.end('break it');
    await expect(got.then(textOf)).rejects.toThrow();
    expect(bench.warned.map(({ message }) => message)).toEqual([
      'a request hook broke a stream',
      'a request hook broke a stream',
    ]);
  });

  test('that breaks the stream while the client still sends is named, too', async () => {
    const { sent, answered } = ask('POST', '/images/load');
    const piece = Buffer.alloc(64 * 1024, 'x');
    sent.write('first');
    await until(() => received.length > 0);
    sent.write('break it');
    const more = setInterval(() => sent.write(piece), 1);
    try {
      expect(await textOf(await answered)).toContain('request hook loud failed');
    } finally {
      clearInterval(more);
      sent.destroy();
    }
    expect(bench.warned.map(({ message }) => message)).toEqual(['a request hook broke a stream']);
  });
});

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of answer.setEncoding('utf8')) text += piece;
  return text;
}
