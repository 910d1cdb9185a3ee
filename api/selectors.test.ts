import { request as httpRequest } from 'node:http';
import { silentLogger } from '@cleat/protocol/log';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Query } from './http/query.js';
import { type SelectorName, selectorNames } from './http/selectors.js';
import { apiRoutes } from './routes.js';
import { fakeServices, startApi, type TestApi } from './testing/fakes.js';

/**
 * A selector narrows or is refused, on every route there is: the list is the API's own, so that a new route is in it.
 * A handler reads the selectors that its route declares before it does anything, and refuses values without sense.
 */
const routes = apiRoutes(fakeServices({}), { log: silentLogger, version: '' });
const cases = routes.flatMap((route) =>
  selectorNames.map((name) => ({ route, name, id: `${route.method} ${route.path}` })),
);

/** Shown, not chosen: a flag that takes any text. */
const flags: readonly SelectorName[] = ['manifests', 'identity'];
/** Names and patterns, of which the engine says whether there is one. */
const texts: Readonly<Record<string, readonly SelectorName[]>> = {
  'GET /images/json': ['filter'],
  'POST /images/create': ['platform'],
  'POST /containers/create': ['platform'],
  'POST /build': ['platform'],
};
/** Routes that are refused as a whole. */
const refusals = [404, 406, 501, 503];

let server: TestApi;
const reads = new Set<string>();
const called: string[] = [];
beforeAll(async () => {
  const service = (name: string): object =>
    new Proxy({}, { get: (_target, key) => () => stop(`${name}.${String(key)}`) });
  const stop = (call: string): never => {
    called.push(call);
    throw new Error('read far enough');
  };
  const names = ['containers', 'execs', 'images', 'networks', 'volumes', 'plugins', 'events', 'system', 'builds'];
  server = await startApi(Object.fromEntries(names.map((name) => [name, service(name)])));
  for (const method of ['text', 'all', 'flag'] as const) {
    const original: (this: Query, name: string) => unknown = Query.prototype[method];
    vi.spyOn(Query.prototype, method).mockImplementation(function (this: Query, name: string) {
      // The check before the handler is none of its reads.
      if (!new Error('who asks').stack?.includes('refuseSelectors')) reads.add(name);
      return original.call(this, name) as never;
    });
  }
});
afterAll(async () => {
  vi.restoreAllMocks();
  await server?.[Symbol.asyncDispose]();
});
afterEach(() => {
  reads.clear();
  called.length = 0;
});

function ask(method: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const outgoing = httpRequest({ socketPath: server.socketPath, method, path, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    outgoing.on('error', reject).on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, text: '' });
    });
    outgoing.end(path.includes('/create?') ? '{"Image":"x"}' : undefined);
  });
}

const target = (path: string, ...values: (readonly [string, string])[]) =>
  `${path.replace(/:\w+/g, 'x')}?${values.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;

test.each(routes.map((route) => ({ route, id: `${route.method} ${route.path}` })))(
  '$id: a selector that it does not have is refused before anything is done',
  async ({ route }) => {
    for (const name of selectorNames) {
      if (route.selectors?.[name] !== undefined) continue;
      const { status, text } = await ask(route.method, target(route.path, [name, '{"a":["b"]}']));
      expect(status).toBe(400);
      if (route.method !== 'HEAD') expect(text).toContain(`has no parameter \\"${name}\\"`);
    }
    expect(called).toEqual([]);
  },
);

describe('a selector that a route has', () => {
  const declared = cases.filter(({ route, name }) => route.selectors?.[name] !== undefined);

  test.each(declared.filter(({ name }) => !flags.includes(name)))(
    '$id?$name is heeded, whatever the version',
    async ({ route, name, id }) => {
      const valid = name === 'platform' || name === 'platforms' ? '{"os":"linux","architecture":"s390x"}' : '{}';
      const value = texts[id]?.includes(name) ? 'x' : valid;
      const source = route.path === '/images/create' ? ([['fromImage', 'x']] as const) : [];
      for (const version of ['', '/v1.46']) {
        reads.clear();
        const { status } = await ask(route.method, version + target(route.path, [name, value], ...source));
        if (refusals.includes(status)) continue;
        expect([...reads]).toContain(name);
      }
    },
  );

  test.each(declared.filter(({ name, id }) => !flags.includes(name) && !texts[id]?.includes(name)))(
    '$id?$name: a value without a sense is refused before anything is done',
    async ({ route, name }) => {
      const { status } = await ask(route.method, target(route.path, [name, '{"a":']));
      expect([400, ...refusals]).toContain(status);
      expect(called).toEqual([]);
    },
  );

  test.each(declared.filter(({ route, name }) => route.selectors?.[name] === 'one'))(
    '$id?$name: of two values none is passed over',
    async ({ route, name }) => {
      const { status } = await ask(route.method, target(route.path, [name, '{}'], [name, '{"a":["b"]}']));
      expect(status).toBe(400);
      expect(called).toEqual([]);
    },
  );
});
