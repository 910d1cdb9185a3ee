import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { digestOf } from '../content/blobs.js';
import { openBench } from '../images/images.fixture.js';
import {
  expectNothingLeft,
  failure,
  type Handler,
  isLayer,
  pull,
  registryOf,
  serve,
  steady,
} from './hostile.fixture.js';
import { type OfferedImage, offeredImage } from './registry.fixture.js';
import { retryAfterOf } from './retry.js';

test('manifest, configuration and layer are asked for again: 429, 503, a cut connection', async () => {
  const image = await offeredImage();
  const failures: Handler[] = [
    (_request, response) => response.writeHead(429, { 'retry-after': '0' }).end(),
    (_request, response) => response.writeHead(503).end('<html>'),
    (request) => request.socket.destroy(),
  ];
  const left = new Map<string, Handler[]>();
  await using registry = await registryOf((request, response) => {
    const url = request.url ?? '';
    const list = left.get(url) ?? [...failures];
    left.set(url, list);
    const fail = list.shift();
    if (fail) fail(request, response);
    else serve(image, request, response);
  });
  await using bench = await openBench({}, steady);
  const all = await pull(bench, `${registry.host}/x`);
  expect(all.at(-1)?.status).toContain('Downloaded newer image');
  expect(all.some((line) => line.status === 'Retrying in 1 second')).toBe(true);
  for (const part of ['/manifests/', digestOf(image.config), digestOf(image.layer)])
    expect(registry.count(part)).toBe(4);
});

test('how long a registry may let us wait', async () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfterOf('7')).toBe(7000);
  expect(retryAfterOf('Thu, 01 Jan 2026 00:00:05 GMT', now)).toBe(5000);
  expect(retryAfterOf('Thu, 01 Jan 2026 00:00:00 GMT', now + 9)).toBe(0);
  expect(retryAfterOf('soon')).toBeUndefined();
  await using registry = await registryOf((_request, response) =>
    response.writeHead(429, { 'retry-after': '86400' }).end(),
  );
  await using bench = await openBench({}, steady);
  expect(await failure(bench, `${registry.host}/x`)).toBe('toomanyrequests: too many requests');
  expect(registry.count('/manifests/')).toBe(1);
});

/** Cuts each answer for the layer after a part of it, and serves ranges by `part`. */
async function interrupted(part: (image: OfferedImage, from: number, response: ServerResponse) => void) {
  const image = await offeredImage({ size: 100_000 });
  const asked: (string | undefined)[] = [];
  const registry = await registryOf((request, response) => {
    if (!isLayer(image, request)) return serve(image, request, response);
    const { range } = request.headers;
    asked.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (from > 0) return part(image, from, response);
    response.writeHead(200, { 'content-length': String(image.layer.length) });
    response.write(image.layer.subarray(0, 50_000), () => setImmediate(() => response.destroy()));
  });
  return { image, asked, registry };
}

const range = (image: OfferedImage, from: number, total = image.layer.length) => ({
  'content-range': `bytes ${from}-${image.layer.length - 1}/${total}`,
  'content-length': String(image.layer.length - from),
});

test('a layer goes on where it was cut', async () => {
  const { image, asked, registry } = await interrupted((image, from, response) => {
    response.writeHead(206, range(image, from)).end(image.layer.subarray(from));
  });
  await using _registry = registry;
  await using bench = await openBench({}, steady);
  expect((await pull(bench, `${registry.host}/x`)).at(-1)?.status).toContain('Downloaded newer image');
  expect(asked).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
  expect(bench.images.layerPaths(bench.images.resolve(digestOf(image.config)).id)).toHaveLength(1);
});

test.each<[string, (image: OfferedImage, from: number, response: ServerResponse) => void, RegExp]>([
  ['the whole again', (image, _from, response) => response.end(image.layer), /no error/],
  ['that it cannot', (_image, _from, response) => response.writeHead(416).end(), /unexpected EOF|no error/],
  [
    'another part',
    (image, from, response) => response.writeHead(206, range(image, from - 10)).end(image.layer.subarray(from - 10)),
    /^the registry sent another part of the layer than it was asked for$/,
  ],
  [
    'a part of something larger',
    (image, from, response) => response.writeHead(206, range(image, from, 10 ** 9)).end(image.layer.subarray(from)),
    /^the registry sent another part of the layer than it was asked for$/,
  ],
  [
    'other bytes',
    (image, from, response) => response.writeHead(206, range(image, from)).end(Buffer.alloc(image.layer.length - from)),
    /^filesystem layer verification failed for digest sha256:/,
  ],
])('asked for the rest of a layer, a registry answers %s', async (_what, part, outcome) => {
  const { registry } = await interrupted(part);
  await using _registry = registry;
  await using bench = await openBench({}, steady);
  const said = await failure(bench, `${registry.host}/x`);
  expect(said).toMatch(outcome);
  if (!said.startsWith('no error')) await expectNothingLeft(bench);
});
