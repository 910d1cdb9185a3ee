import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Query } from './http/query.js';
import type { ApiServices } from './services.js';
import { documentedParameters } from './testing/documented-parameters.js';
import { startApi, type TestApi } from './testing/fakes.js';

/**
 * Each parameter that Docker documents is read by its handler, or its route is refused, or `docs/guide/api.md` says why
 * it means nothing here. A parameter that is silently passed over does what nobody asked for.
 */
/** Parameters that the guide gives a reason for. */
const meaningless: Readonly<Record<string, readonly string[]>> = {
  'GET /images/json': ['digests'],
  'GET /images/{name}/attestations': ['statement', 'type'],
  'POST /images/{name}/tag': ['force'],
  'POST /containers/{id}/start': ['checkpoint-dir'],
};

const guide = readFileSync(new URL('../docs/guide/api.md', import.meta.url), 'utf8');
const platform = JSON.stringify({ os: 'linux', architecture: 'amd64' });

/** Values that decode; most parameters take anything. */
function sampleOf(route: string, name: string): string {
  if (name === 'filters') return '{}';
  if (name === 'platform' && route !== 'POST /images/create' && route !== 'POST /containers/create') return platform;
  if (name === 'platforms') return platform;
  if (name === 'fromSrc') return '-';
  if (name === 'type') return 'image';
  if (name === 'condition') return 'not-running';
  if (['buildargs', 'labels'].includes(name)) return '{}';
  if (['cachefrom', 'outputs'].includes(name)) return '[]';
  // With the first `rm` means nothing, the second is refused.
  if (name === 'forcerm' || name === 'squash') return '0';
  return '1';
}

let server: TestApi;
let reads: Set<string>;
beforeAll(async () => {
  const stop = (): never => {
    throw new Error('read far enough');
  };
  const service = new Proxy({}, { get: (_, key) => (key === 'cursor' ? 'AAAAAAAA.0' : stop) });
  const names = ['builds', 'containers', 'execs', 'images', 'networks', 'volumes', 'plugins', 'events', 'system'];
  server = await startApi(Object.fromEntries(names.map((name) => [name, service])) as Partial<ApiServices>);
  for (const method of ['text', 'all', 'flag', 'integer', 'has'] as const) {
    const original: (this: Query, name: string) => unknown = Query.prototype[method];
    vi.spyOn(Query.prototype, method).mockImplementation(function (this: Query, name: string) {
      reads.add(name);
      return original.call(this, name) as never;
    });
  }
});
afterAll(async () => {
  vi.restoreAllMocks();
  await server?.[Symbol.asyncDispose]();
});

function statusOf(method: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const outgoing = httpRequest({ socketPath: server.socketPath, method, path, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject).on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    // Few routes take a body here, and those that do need one.
    outgoing.end(path.includes('/create?') ? '{"Image":"x"}' : undefined);
  });
}

/** Routes that are refused whatever the parameters say. */
const refusals = [404, 501, 503];

const rows = documentedParameters
  .trim()
  .split('\n')
  .map((line) => {
    const [method = '', path = '', ...names] = line.split(' ');
    return { route: `${method} ${path}`, method, path, names };
  });

test.each(rows)(
  '$route: each parameter is served, refused, or said to mean nothing',
  async ({ route, method, path, names }) => {
    reads = new Set();
    const without = new Set(meaningless[route] ?? []);
    const query = (given: readonly string[]) =>
      given.map((name) => `${name}=${encodeURIComponent(sampleOf(route, name))}`).join('&');
    const target = path.replace(/\{\w+\}/, 'x');
    // The oldest shapes of a route are asked for as well as its newest, and a parameter that excludes another one alone.
    const statuses = [];
    for (const version of ['', '/v1.24']) {
      statuses.push(await statusOf(method, `${version}${target}?${query(names)}`));
      statuses.push(
        await statusOf(method, `${version}${target}?${query(names.filter((name) => name !== 'fromImage'))}`),
      );
    }
    const isRefused = statuses.every((status) => refusals.includes(status));
    const unread = names.filter((name) => !reads.has(name) && !without.has(name));
    if (!isRefused) expect(unread).toEqual([]);
    for (const name of without) expect(guide).toContain(`| \`${route}\` | \`${name}\` |`);
  },
);
