import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc, { type Arbitrary } from 'fast-check';
import type { Route } from '../../../../api/http/router.js';
import { type Json, oddValue, texts, written } from './values.js';

export interface FuzzRequest {
  readonly method: string;
  /** The route's. */
  readonly path: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string | undefined;
  /** Left without waiting for the answer's end: it may have none, or take as long as a container does. */
  readonly endless: boolean;
}

const api = fileURLToPath(new URL('../../../../api/', import.meta.url));

/** The query parameters that the API's sources read, by the room that reads them. */
const parameters = new Map<string, string[]>();
function parametersOf(path: string): string[] {
  const room = path.split('/')[1] ?? '';
  const known = parameters.get(room);
  if (known) return known;
  const names = new Set(['filters']);
  const directory = ['containers', 'images', 'networks', 'volumes', 'plugins', 'exec', 'build'].includes(room)
    ? join(api, room)
    : join(api, room === 'commit' ? 'images' : 'system');
  for (const file of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const source = readFileSync(join(directory, file), 'utf8');
    for (const [, name = ''] of source.matchAll(/query\.(?:text|flag|integer|all|has)\('([\w-]+)'/g)) names.add(name);
  }
  parameters.set(room, [...names]);
  return [...names];
}

const filterKeys = fc.constantFrom(
  ...[
    'label',
    'name',
    'id',
    'until',
    'dangling',
    'status',
    'ancestor',
    'before',
    'since',
    'exited',
    'health',
    'network',
  ],
  ...['volume', 'expose', 'publish', 'driver', 'scope', 'type', 'event', 'container', 'label!', 'nosuch', 'reference'],
);
const filters = fc
  .dictionary(
    filterKeys,
    fc.oneof(fc.array(texts, { maxLength: 2 }), fc.dictionary(texts, fc.boolean(), { maxKeys: 2 })),
    {
      maxKeys: 2,
    },
  )
  .map((value) => written(value as Json));

const oddHeaders = fc.constantFrom(
  ...[
    'Content-Type: text/plain',
    'Content-Type: application/json; charset=utf-8',
    'Content-Encoding: gzip',
    'Accept: x/y',
  ],
  ...[
    'X-Registry-Auth: %%%',
    'X-Registry-Auth: bnVsbA==',
    'X-Registry-Auth: e30=',
    'X-Registry-Config: W10=',
    'Expect: more',
  ],
  ...[
    'Range: bytes=0-1',
    'Accept-Encoding: gzip',
    `X-Long: ${'y'.repeat(9000)}`,
    'X-Bytes: \xff\xfe',
    'Cookie: a=b',
    'TE: trailers',
  ],
);
const versions = fc.constantFrom(
  '',
  '',
  '',
  '/v1.20',
  '/v1.24',
  '/v1.30',
  '/v1.41',
  '/v1.44',
  '/v1.51',
  '/v9.99',
  '/v0',
  '/vx',
);

/** Names of each kind that exist, for paths; the others are rubbish. */
const names: Record<string, readonly string[]> = {
  containers: ['pipe', 'over', 'pipe', 'over'],
  images: ['busybox', 'busybox:latest', 'busybox@sha256:x', 'reg.invalid/a/b:c'],
  networks: ['net', 'bridge', 'none', 'host'],
  volumes: ['vol'],
};
/** Those would take away what the others work on. */
const spared = /^(DELETE .*|POST .*\/(rename|pull|push|upgrade))$/;
/** They wait for a container, a registry or a client. */
const patient = /\/(stop|restart|wait|kill|top|pull|push)$|^POST \/(images\/create|build|session|grpc)|^GET \/events/;

export function requestOf(route: Route): Arbitrary<FuzzRequest> {
  const room = route.path.split('/')[1] ?? '';
  const key = `${route.method} ${route.path}`;
  const known = spared.test(key) ? [] : (names[room] ?? []);
  const name = known.length > 0 ? fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, texts) : texts;
  const pair = fc
    .tuple(fc.constantFrom(...parametersOf(route.path)), fc.oneof(texts, filters))
    .chain(([parameter, value]) =>
      // Pruning without a filter takes what the others work on.
      parameter === 'filters'
        ? filters.map((some) => [parameter, some] as const)
        : fc.constant([parameter, value] as const),
    );
  return fc
    .record({
      names: fc.array(name, { minLength: 2, maxLength: 2 }),
      query: fc.array(pair, { maxLength: 3 }),
      version: versions,
      more: fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, fc.array(oddHeaders, { maxLength: 2 })),
      body: route.body ? oddValue(route.body.schema).map(written) : fc.constant(undefined),
    })
    .map(({ names: [first = '', second = ''], query, version, more, body }) => {
      const given = [first, second];
      const place = route.path.replace(/:\w+/g, () => encoded(given.shift() ?? ''));
      const asked = query.map(([parameter, value]) => `${parameter}=${encoded(value)}`).join('&');
      return {
        method: route.method,
        path: route.path,
        target: `${version}${place}${asked && `?${asked}`}`,
        headers: [
          ...(body !== undefined && !more.some((line) => line.startsWith('Content-Type'))
            ? ['Content-Type: application/json']
            : []),
          ...more,
        ],
        body,
        endless: route.streams !== undefined || route.hijacks !== undefined || patient.test(key),
      };
    });
}

/** Also what is no text, such as half a surrogate pair. */
const encoded = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replace(/[^\w.~-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
