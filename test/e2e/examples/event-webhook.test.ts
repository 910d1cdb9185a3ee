import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from '../support/client.js';
import { shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { Program } from '../support/program.js';

let engine: Engine;
const { ok } = clientOf(() => engine);
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

test('the server gets each end of a container once, over restarts of the engine and of the program', async () => {
  const posts: { key: string; text: string }[] = [];
  let answer = (_key: string, response: ServerResponse) => void response.writeHead(204).end();
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const key = String(request.headers['idempotency-key']);
      const { Actor, gap } = JSON.parse(Buffer.concat(chunks).toString()) as {
        gap?: string;
        Actor?: { Attributes: Record<string, string> };
      };
      posts.push({ key, text: gap ?? `${Actor?.Attributes.name} ${Actor?.Attributes.exitCode}` });
      answer(key, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const state = join(engine.directory, 'webhook.json');
  const command = substitute(shown('examples/event-webhook/README.md', 'node examples'), {
    '/srv/webhook.json': state,
    'http://127.0.0.1:8080/': url,
  });
  const start = () => new Program('sh', ['-c', `exec ${command}`], { DOCKER_HOST: `unix://${engine.socket}` });
  const end = (name: string, code: number) =>
    ok('run', '-d', `--name=${name}`, '--network=none', 'busybox', 'sh', '-c', `exit ${code}`);
  const listeners = async () =>
    (JSON.parse((await engine.api('GET', '/info')).body) as { NEventsListener: number }).NEventsListener;
  let program = start();
  try {
    await expect.poll(listeners).toBe(1);
    await end('first', 1);
    await expect.poll(() => posts.map(({ text }) => text)).toEqual(['first 1']);
    await expect.poll(() => readFileSync(state, 'utf8')).toContain(posts[0]?.key);
    await program.end('SIGKILL');
    await end('unseen', 2);
    await engine.kill('SIGKILL');
    await engine.restart();
    program = start();
    await expect.poll(() => posts.map(({ text }) => text)).toEqual(['first 1', 'unseen 2']);

    // It takes an event, and is gone before it says so.
    answer = (_key, response) => void response.writeHead(503).end();
    await end('again', 3);
    await expect.poll(() => posts.filter(({ text }) => text === 'again 3').length).toBeGreaterThan(1);
    answer = (_key, response) => void response.writeHead(204).end();
    await end('last', 4);
    await expect.poll(() => posts.at(-1)?.text).toBe('last 4');
    const once = posts.filter(({ key }, at) => posts.findIndex((one) => one.key === key) === at);
    expect(once.map(({ text }) => text)).toEqual(['first 1', 'unseen 2', 'again 3', 'last 4']);
    expect(await program.end('SIGTERM')).toBe(0);
  } finally {
    await program.end('SIGKILL');
    server.close();
  }
});
