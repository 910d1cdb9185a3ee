import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Change, changes, tabled } from '../../cli/reference/api/changes.js';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** The table of `docs/reference/api.md` is true: what it says of answers, and of what is refused, is tried. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
  await ok('network', 'create', 'one');
  await ok('volume', 'create', 'vol');
  const body = {
    Image: 'busybox',
    Cmd: ['sleep', '1000'],
    HostConfig: { Annotations: { a: 'b' } },
    NetworkingConfig: { EndpointsConfig: { bridge: { MacAddress: '02:42:00:00:00:09' } } },
  };
  const { Id } = JSON.parse((await engine.api('POST', '/containers/create?name=cc', body)).body);
  await ok('start', Id);
});
afterAll(() => engine?.[Symbol.asyncDispose]());
const { ok } = clientOf(() => engine);

const all = changes();
const oldest = tabled().at(-1) ?? '';
const versionBefore = (version: string) => `1.${Number(version.split('.')[1]) - 1}`;

/** A request of the table for what there is here. */
function target({ request }: Change, version: string): string {
  const [, path = ''] = request.split(' ');
  const names: Record<string, string> = { images: 'busybox', networks: 'one', volumes: 'vol', containers: 'cc' };
  const real = path.replace(/\{\w+\}/, names[path.split('/')[1] ?? ''] ?? 'cc');
  if (path.endsWith('/stats')) return `/v${version}${real}?stream=0&one-shot=1`;
  if (path === '/events')
    return `/v${version}${real}?since=0&until=${Math.floor(Date.now() / 1000)}&filters=%7B%22type%22%3A%5B%22container%22%5D%7D`;
  return `/v${version}${real}`;
}

async function answer(change: Change, version: string): Promise<unknown> {
  const [method = ''] = change.request.split(' ');
  const { status, body } = await engine.api(method, target(change, version));
  expect({ status, body }).toMatchObject({ status: 200 });
  // A stream is judged by its first line.
  return JSON.parse(change.request === 'GET /events' ? (body.split('\n')[0] ?? '') : body);
}

/** Whether there is such a member: `[]` is an element of a list, `*` a member of a map. */
function has(value: unknown, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true;
  if (value === null || typeof value !== 'object') return false;
  if (name === '[]' || name === '*') return Object.values(value).some((inner) => has(inner, rest));
  return Object.hasOwn(value, name) && has(Reflect.get(value, name), rest);
}
const shows = async (change: Change, version: string) =>
  has(await answer(change, version), (change.field.split(' ')[0] ?? '').split('.'));

describe('a field of an answer', () => {
  const of = (...kinds: Change['kind'][]) =>
    all.filter(({ kind, state }) => state === 'served' && kinds.includes(kind));

  test.each(of('answer'))('$request $field is there from $version on', async (change) => {
    const { version } = change;
    expect([await shows(change, versionBefore(version)), await shows(change, version)]).toEqual([false, true]);
    expect(await shows(change, tabled()[0] ?? '')).toBe(!isGone(change));
  });

  test.each(of('gone'))('$request $field is not there from $version on', async (change) => {
    expect([await shows(change, versionBefore(change.version)), await shows(change, change.version)]).toEqual([
      true,
      false,
    ]);
  });

  test.each(of('always'))('$request $field is there in every version', async (change) => {
    expect([await shows(change, oldest), await shows(change, change.version)]).toEqual([true, true]);
  });

  test.each(all.filter(({ kind, state }) => kind === 'answer' && state === 'none'))(
    '$request $field is not there, as $why',
    async (change) => {
      if (change.request !== 'GET /plugins') expect(await shows(change, change.version)).toBe(false);
    },
  );
});

function isGone({ request, field }: Change): boolean {
  return all.some((other) => other.kind === 'gone' && other.request === request && other.field === field);
}

describe('a refusal', () => {
  /** How a client would ask for it. */
  const asked: Record<string, { query?: string; body?: object }> = {
    'POST /containers/create MacAddress': { body: { MacAddress: '02:42:00:00:00:01' } },
    'POST /containers/create HostConfig.Sysctls net.*.*.eth0.*': {
      body: { HostConfig: { Sysctls: { 'net.ipv4.conf.eth0.forwarding': '1' } } },
    },
    'POST /containers/create HostConfig.Capabilities': { body: { HostConfig: { Capabilities: ['CAP_CHOWN'] } } },
    'POST /containers/create HostConfig.StorageOpt': { body: { HostConfig: { StorageOpt: { size: '1G' } } } },
    'POST /containers/create HostConfig.IOMaximumBandwidth': { body: { HostConfig: { IOMaximumBandwidth: 5 } } },
    'POST /volumes/create ClusterVolumeSpec': { body: { Name: 'x', ClusterVolumeSpec: { Group: 'g' } } },
    'POST /build outputs': { query: 'outputs=[{"Type":"tar"}]&version=1' },
  };

  test.each(all.filter(({ state }) => state === 'refused'))('$version $request $field: $why', async (change) => {
    const [method = '', path = ''] = change.request.split(' ');
    const { query = '', body } = asked[`${change.request} ${change.field}`] ?? {};
    // Without a sample the route itself is refused.
    const isWhole = /^\/(services|tasks|swarm|configs|secrets)|PUT \/volumes/.test(`${path}`) || method === 'PUT';
    if (!isWhole && change.kind !== 'text') expect(Object.keys(asked)).toContain(`${change.request} ${change.field}`);
    const real = target(change, change.version);
    const sent = body && path === '/containers/create' ? { Image: 'busybox', ...body } : body;
    const status = await statusOf(
      method,
      `${real}${query && `?${encodeURI(query)}`}`,
      sent ?? (path.endsWith('/start') ? { Binds: ['a:/b'] } : undefined),
    );
    expect([400, 404, 501, 503]).toContain(status);
  });
});

/** A stream of an answer may carry the error instead of its status. */
function statusOf(method: string, path: string, body: object | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const text = body && JSON.stringify(body);
    const headers =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const outgoing = httpRequest({ socketPath: engine.socket, method, path, headers }, (response) => {
      let said = '';
      response.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      response.on('end', () => resolve(said.includes('"errorDetail"') ? 400 : (response.statusCode ?? 0)));
    });
    outgoing.on('error', reject).end(text);
  });
}
