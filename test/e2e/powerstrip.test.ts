import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

interface Message {
  Type: 'pre-hook' | 'post-hook';
  ClientRequest: { Method: string; Request: string; Body: string | null };
  ServerResponse?: { ContentType: string; Body: string | null; Code: number };
}

/** An adapter of 2015, which gives back what it gets, but for what a test says. */
let adapter: Server;
let asked: Message[];
let change: (message: Message) => number | undefined;
let engine: Engine;
const { ok, refused } = clientOf(() => engine);
beforeAll(async () => {
  adapter = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const message = JSON.parse(Buffer.concat(chunks).toString()) as Message;
      asked.push(structuredClone(message));
      const status = change(message);
      if (status !== undefined) return void response.writeHead(status).end('{"message":"the adapter says no"}');
      const { Type, ClientRequest, ServerResponse } = message;
      const answer =
        Type === 'pre-hook' ? { ModifiedClientRequest: ClientRequest } : { ModifiedServerResponse: ServerResponse };
      response.end(JSON.stringify({ PowerstripProtocolVersion: 1, ...answer }));
    });
  });
  await new Promise<void>((resolve) => adapter.listen(0, '127.0.0.1', resolve));
  engine = await startEngine({ config: {} });
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  adapter?.close();
});

/** Has the engine use an adapters.yml with these endpoints. */
async function use(endpoints: object, more: object = {}): Promise<void> {
  asked = [];
  change = () => undefined;
  const { port } = adapter.address() as AddressInfo;
  const adapters = { mine: `http://127.0.0.1:${port}/adapter`, ...more };
  const path = join(engine.directory, 'adapters.yml');
  writeFileSync(path, JSON.stringify({ version: 1, endpoints, adapters }));
  writeFileSync(join(engine.directory, 'daemon.json'), JSON.stringify({ hooks: path }));
  const before = engine.log().length;
  process.kill(engine.pid, 'SIGHUP');
  await expect.poll(() => engine.log().slice(before)).toContain('the configuration was read again');
}

test('docker run, exec, logs, cp and build pass adapters that change nothing', async () => {
  await use({ '* /*': { pre: ['mine'], post: ['mine'] } });
  expect(await ok('run', '--name=web', '--network=none', 'busybox', 'echo', 'hello')).toBe('hello');
  expect(await ok('logs', 'web')).toBe('hello');
  const { stdout } = await engine.docker('run', '-i', '--rm', '--network=none', 'busybox', 'cat', { input: 'typed' });
  expect(stdout).toBe('typed');
  await ok('cp', 'web:/bin/busybox', join(engine.directory, 'copied'));
  const context = join(engine.directory, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCOPY data /data\n');
  // Bytes that are no text.
  writeFileSync(join(context, 'data'), Buffer.from([0, 255, 254, 10]));
  const built = await engine.docker('build', '-q', '-t', 'built', context, { env: { DOCKER_BUILDKIT: '0' } });
  expect(built).toMatchObject({ code: 0 });
  expect(await ok('run', '--rm', '--network=none', 'built', 'od', '-An', '-tx1', '/data')).toBe('00 ff fe 0a');
  await ok('rm', 'web');
  const bodies = asked.filter(({ ClientRequest }) => /\/build\?|\/archive|\/attach/.test(ClientRequest.Request));
  expect(bodies.length).toBeGreaterThan(3);
  expect(bodies.every(({ ClientRequest }) => ClientRequest.Body === null)).toBe(true);
});

test('an adapter changes a create, refuses one, and makes a success of an error', async () => {
  await use({ 'POST /*/containers/create': { pre: ['mine'] }, 'DELETE /*/containers/*': { post: ['mine'] } });
  change = ({ Type, ClientRequest, ServerResponse }) => {
    if (Type === 'post-hook' && ServerResponse?.Code === 404) Object.assign(ServerResponse, { Code: 204, Body: null });
    if (Type === 'post-hook') return undefined;
    const body = JSON.parse(ClientRequest.Body ?? '') as { Env: string[]; Image: string };
    if (body.Image === 'forbidden') return 403;
    ClientRequest.Body = JSON.stringify({ ...body, Env: [...(body.Env ?? []), 'FROM=adapter'] });
    return undefined;
  };
  expect(await ok('run', '--rm', '--network=none', 'busybox', 'sh', '-c', 'echo $FROM')).toBe('adapter');
  expect(await refused('create', 'forbidden')).toContain('the adapter says no');
  expect(await ok('rm', 'gone')).toBe('gone');
});

test('an adapter in a container is found by its name', async () => {
  await use({});
  const script = [
    '#!/bin/sh',
    'read -r -n $CONTENT_LENGTH body',
    'printf "Content-Type: application/json\\r\\n\\r\\n"',
    'printf %s "$body" | sed \'s/"Type":"pre-hook","ClientRequest"/"ModifiedClientRequest"/\'',
  ].join('\n');
  const serve = `mkdir -p /www/cgi-bin; printf '%s' "$SCRIPT" > /www/cgi-bin/adapter; chmod +x /www/cgi-bin/adapter; httpd -f -h /www`;
  await ok('run', '-d', '--name=slowreq', `--env=SCRIPT=${script}`, 'busybox', 'sh', '-c', serve);
  await use({ 'POST /*/containers/create': { pre: ['slowreq'] } }, { slowreq: 'http://slowreq/cgi-bin/adapter' });
  // It may not listen yet.
  const create = () => engine.api('POST', '/v1.41/containers/create?name=one', { Image: 'busybox' });
  await expect.poll(async () => (await create()).status).toBe(201);
  await ok('rm', '-f', 'slowreq');
  expect(await refused('create', 'busybox')).toContain('the adapter slowreq failed: it cannot be reached');
  await use({});
  await ok('rm', 'one');
});
