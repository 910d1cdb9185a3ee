/** A registry and plugins as others write them, for tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect } from 'vitest';
import { type Extensions, openExtensions } from './index.js';

export let directory: string;
export let plugins: string;
export let extensions: Extensions;
export const cleanups: (() => unknown)[] = [];

/** For the tests of a file: each has a registry and a directory of its own. */
export function registryForTests(): void {
  beforeEach(async () => {
    directory = mkdtempSync('/tmp/cleat-ext-');
    plugins = join(directory, 'plugins');
    await mkdir(plugins);
    extensions = open();
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    await extensions.close();
    rmSync(directory, { recursive: true });
  });
}

export function open(more: Partial<Parameters<typeof openExtensions>[0]> = {}): Extensions {
  return openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [plugins],
    dataRoot: join(directory, 'data'),
    execRoot: join(directory, 'exec'),
    hostPath: '/nonexistent',
    log: silentLogger,
    ...more,
  });
}

export type Handler = (path: string, body: string, response: ServerResponse, request: IncomingMessage) => void;

/** A plugin as others write them: plain HTTP, nothing of ours. */
export async function plugin(where: string | number, handle: Handler, implemented = ['VolumeDriver']) {
  const seen: { path: string; body: string; accept: string | undefined }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const path = request.url ?? '';
      seen.push({ path, body, accept: request.headers.accept });
      if (path === '/Plugin.Activate') response.end(JSON.stringify({ Implements: implemented }));
      else handle(path, body, response, request);
    });
  });
  const address = typeof where === 'number' ? { port: where, host: '127.0.0.1' } : { path: where };
  await new Promise<void>((resolve) => server.listen(address, resolve));
  const close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    });
  cleanups.push(close);
  const bound = server.address();
  return { seen, close, server, port: typeof bound === 'object' && bound ? bound.port : 0 };
}

export const answer =
  (value: unknown, status = 200): Handler =>
  (_path, _body, response) => {
    response.statusCode = status;
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };

export const get = (name: string) => extensions.get(volumeKind, name);
export const withClass = (errorClass: string, message: RegExp | string) =>
  expect.objectContaining({
    class: errorClass,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });
