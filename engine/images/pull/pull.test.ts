import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { digestOf } from '../../content/blobs.js';
import { expectNothingLeft, manifestType, pull, registryOf } from '../../distribution/hostile.fixture.js';
import { fakeRegistry, servedImage } from '../../distribution/registry.fixture.js';
import { type Bench, lines, openBench, tarOf } from '../images.fixture.js';

const oci = 'application/vnd.oci.image.layer.v1.tar';
const docker = 'application/vnd.docker.image.rootfs.diff.tar';

/** An image of one layer, whose manifest says of that what it likes. */
async function imageOf(layer: Buffer, tar: Buffer, mediaType: string) {
  const config = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
  });
  const described = (content: string | Buffer, type: string) => ({
    mediaType: type,
    digest: digestOf(content),
    size: Buffer.byteLength(content),
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: described(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [described(layer, mediaType)],
  });
  return { layer, config, manifest };
}

const zstd = (data: Buffer) => execFileSync('zstd', ['-c', '-q'], { input: data });
const same = (data: Buffer) => data;

test.each<[string, string, (tar: Buffer) => Buffer]>([
  ['plain', oci, same],
  ['plain, of Docker', docker, same],
  ['gzip', `${oci}+gzip`, gzipSync],
  ['zstd', `${oci}+zstd`, zstd],
  ['zstd, of Docker', `${docker}.zstd`, zstd],
  // The type is only a word; as in Docker the bytes tell.
  ['zstd that is called gzip', `${oci}+gzip`, zstd],
  ['gzip that is called plain', oci, gzipSync],
])('a layer that is %s is pulled, and goes on as it was', async (_what, mediaType, packed) => {
  const tar = await tarOf([{ name: 'f', content: 'content' }]);
  const image = await imageOf(packed(tar), tar, mediaType);
  await using registry = await fakeRegistry((seen) => servedImage(image, seen));
  await using bench = await openBench();
  expect((await pull(bench, `${registry.host}/x`)).at(-1)?.status).toContain('Downloaded newer image');
  const [layer = ''] = bench.images.layerPaths(bench.images.resolve(`${registry.host}/x`).id);
  expect(await readFile(join(layer, 'f'), 'utf8')).toBe('content');
  expect((await bench.images.inspect(`${registry.host}/x`)).RootFS.Layers).toEqual([digestOf(tar)]);
});

test('a chart, which has no layers, is refused', async () => {
  const tar = await tarOf([{ name: 'f', content: 'x' }]);
  const image = await imageOf(gzipSync(tar), tar, 'application/vnd.cncf.helm.chart.content.v1.tar+gzip');
  await using registry = await fakeRegistry((seen) => servedImage(image, seen));
  await using bench = await openBench();
  expect(await errorOf(bench, `${registry.host}/x`)).toContain('unsupported media type');
  await expectNothingLeft(bench);
});

async function errorOf(bench: Bench, image: string): Promise<string> {
  return await pull(bench, image).then(
    (all) => all.at(-1)?.error ?? 'no error',
    (error: Error) => error.message,
  );
}

/** An image of many layers, at whose door it is counted how many come at once. */
test('no more layers come at once than the operator allows, for all pulls together', async () => {
  const tars = await Promise.all(
    Array.from({ length: 8 }, async (_, at) => await tarOf([{ name: `f${at}`, content: `${at}` }])),
  );
  const config = JSON.stringify({ os: 'linux', rootfs: { type: 'layers', diff_ids: tars.map(digestOf) } });
  const layers = tars.map((tar) => ({ mediaType: oci, digest: digestOf(tar), size: tar.length }));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
    layers,
  });
  let now = 0;
  let most = 0;
  let waiting: (() => void)[] = [];
  await using registry = await registryOf((request, response) => {
    const url = request.url ?? '';
    if (url.includes('/manifests/')) return void response.writeHead(200, manifestType).end(manifest);
    if (url.endsWith(digestOf(config))) return void response.end(config);
    most = Math.max(most, ++now);
    waiting.push(() => {
      now--;
      response.end(tars.find((tar) => url.endsWith(digestOf(tar))));
    });
    // Nobody is served before as many have come as may.
    if (waiting.length < 2) return;
    for (const go of waiting) go();
    waiting = [];
  });
  await using bench = await openBench({ maxConcurrentDownloads: 2 });
  const all = await pull(bench, `${registry.host}/x`);
  expect(all.at(-1)?.error).toBeUndefined();
  expect(most).toBe(2);
  expect(all.some(({ status }) => status === 'Waiting')).toBe(true);
});

test('a token that has run out meanwhile is fetched anew', async () => {
  const tar = await tarOf([{ name: 'f', content: 'x' }]);
  const image = await imageOf(gzipSync(tar), tar, `${oci}+gzip`);
  let tokens = 0;
  const asked: string[] = [];
  await using registry = await fakeRegistry((seen, host) => {
    if (seen.url.startsWith('/token')) {
      asked.push(new URL(seen.url, 'http://x').searchParams.get('scope') ?? '');
      return { body: JSON.stringify({ token: `T${++tokens}`, expires_in: 60 }) };
    }
    // Each is good for one request: the manifest, the configuration, the layer.
    const spent = registry.seen.filter(({ authorization }) => authorization === seen.authorization).length > 1;
    if (!seen.authorization || spent) {
      return { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${host}/token",service="s"` } };
    }
    return servedImage(image, seen);
  });
  await using bench = await openBench();
  expect((await pull(bench, `${registry.host}/x`)).at(-1)?.status).toContain('Downloaded newer image');
  expect(tokens).toBe(3);
  expect(new Set(asked)).toEqual(new Set(['repository:x:pull']));
});

test('schema 2, an OCI manifest, a list and an index are pulled by their digests', async () => {
  const tar = await tarOf([{ name: 'f', content: 'x' }]);
  const image = await imageOf(gzipSync(tar), tar, `${oci}+gzip`);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const types = {
    'application/vnd.oci.image.manifest.v1+json': 'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json': 'application/vnd.docker.distribution.manifest.list.v2+json',
  };
  for (const [type, listType] of Object.entries(types)) {
    const manifest = JSON.stringify({ ...JSON.parse(image.manifest), mediaType: type });
    const entry = { mediaType: type, digest: digestOf(manifest), size: manifest.length };
    const list = JSON.stringify({
      schemaVersion: 2,
      mediaType: listType,
      manifests: [{ ...entry, platform: { os: 'linux', architecture } }],
    });
    await using registry = await fakeRegistry((seen) => {
      if (seen.url.endsWith(digestOf(list))) return { headers: { 'content-type': listType }, body: list };
      if (seen.url.endsWith(digestOf(manifest))) return { headers: { 'content-type': type }, body: manifest };
      return seen.url.includes('/manifests/') ? undefined : servedImage(image, seen);
    });
    for (const [digest, mediaType] of [
      [digestOf(list), listType],
      [digestOf(manifest), type],
    ] as const) {
      await using bench = await openBench();
      const signal = new AbortController().signal;
      const said = await lines(bench.images.pull({ image: `${registry.host}/x`, tag: digest, signal }));
      expect(said.at(-1)?.status).toBe(`Status: Downloaded newer image for ${registry.host}/x@${digest}`);
      const { Id, RepoDigests, RepoTags, Descriptor } = await bench.images.inspect(`${registry.host}/x@${digest}`);
      expect([Id, RepoDigests, RepoTags]).toEqual([digestOf(image.config), [`${registry.host}/x@${digest}`], []]);
      expect(Descriptor).toMatchObject({ digest, mediaType });
    }
    // Another document under the digest is noticed.
    await using bench = await openBench();
    const other = createHash('sha256').update('x').digest('hex');
    expect(await errorOf(bench, `${registry.host}/x@sha256:${other}`)).toMatch(/not found|manifest unknown|404/);
  }
});
