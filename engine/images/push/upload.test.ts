import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { digestOf, readSmall } from '../../content/blobs.js';
import { type Handler, registryOf, steady } from '../../distribution/hostile.fixture.js';
import { type Bench, importTar, lines, openBench, tarOf } from '../images.fixture.js';

/** A layer is sent while it is compressed: its digest and size are known at the end. */
let bench: Bench;
let registry: Awaited<ReturnType<typeof registryOf>>;
let layer: Buffer;
/** How the registry takes a chunk. */
let onPatch: Handler;
const uploads = new Map<string, Buffer[]>();
const stored = new Map<string, Buffer>();
let left: () => void;

const accept: Handler = async (request, response) => {
  const path = request.url?.split('?')[0] ?? '';
  uploads.get(path)?.push(await readSmall(request, 1 << 24, 'a chunk'));
  response.writeHead(202, { location: `${path}?state=2` }).end();
};

beforeAll(async () => {
  let count = 0;
  registry = await registryOf(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
    if (request.method === 'PATCH') return void onPatch(request, response);
    if (request.method === 'HEAD') return void response.writeHead(404).end();
    if (request.method === 'POST') {
      const path = `/v2/x/blobs/uploads/${++count}`;
      uploads.set(path, []);
      return void response.writeHead(202, { location: `${path}?state=1` }).end();
    }
    const body = await readSmall(request, 1 << 24, 'a body').catch(() => Buffer.alloc(0));
    const content = Buffer.concat([...(uploads.get(pathname) ?? []), body]);
    if (pathname.includes('/uploads/')) {
      if (digestOf(content) !== searchParams.get('digest')) return void response.writeHead(400).end();
      stored.set(digestOf(content), content);
    }
    response.writeHead(201).end();
  });
  bench = await openBench({}, steady);
  layer = await tarOf([{ name: 'f', content: Buffer.alloc(3_000_000, 'text and ') }]);
  await importTar(bench.images, layer, `${registry.host}/x`, 'latest');
});
afterAll(async () => {
  await bench?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  stored.clear();
  uploads.clear();
  registry.headers.length = 0;
  registry.seen.length = 0;
});

async function push(signal = new AbortController().signal): Promise<string | undefined> {
  return (await lines(bench.images.push({ ref: `${registry.host}/x`, tag: 'latest', signal }))).at(-1)?.error;
}

const layersThere = () =>
  [...stored.values()].filter((blob) => blob[0] === 0x1f && gunzipSync(blob).equals(layer)).length;
const nothingOnTheWay = async () => expect(await readdir(join(bench.root, 'blobs/tmp'))).toEqual([]);

test('a layer goes in one chunk of unknown length, and nothing of it lies on the disk', async () => {
  onPatch = accept;
  expect(await push()).toBeUndefined();
  expect(layersThere()).toBe(1);
  const at = registry.seen.findIndex((each) => each.startsWith('PATCH'));
  expect(registry.headers[at]).toMatchObject({ 'transfer-encoding': 'chunked' });
  await nothingOnTheWay();
});

test('a registry that takes no such chunk gets the layer as a whole, with its length', async () => {
  onPatch = (_request, response) => response.writeHead(411, { connection: 'close' }).end();
  expect(await push()).toBeUndefined();
  expect(layersThere()).toBe(1);
  expect(registry.headers.filter((each) => Number(each['content-length']) > 1000)).toHaveLength(1);
  await nothingOnTheWay();
});

test('an upload that breaks begins anew', async () => {
  let broken = 0;
  onPatch = (request, response) => {
    if (broken++ > 1) return void accept(request, response);
    request.once('data', () => request.socket.destroy());
  };
  expect(await push()).toBeUndefined();
  expect(layersThere()).toBe(1);
  expect(broken).toBe(3);
});

test('an answer that comes early is waited with until all is sent', async () => {
  onPatch = (request, response) => {
    response.writeHead(202, { location: request.url }).end();
    request.on('data', (chunk: Buffer) => uploads.get(request.url?.split('?')[0] ?? '')?.push(chunk));
  };
  expect(await push()).toBeUndefined();
  expect(layersThere()).toBe(1);
});

test('a client that leaves ends the upload', async () => {
  const gone = new Promise<void>((resolve) => {
    left = resolve;
  });
  const client = new AbortController();
  onPatch = (request) => {
    request.once('data', () => client.abort());
    request.once('close', left);
  };
  expect(await push(client.signal)).toContain('cancel');
  await gone;
  expect(stored.size).toBe(0);
  expect(registry.seen.filter((each) => each.startsWith('PUT'))).toEqual([]);
  await nothingOnTheWay();
});
