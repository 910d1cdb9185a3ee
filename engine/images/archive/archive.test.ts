import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { digestOf } from '../../content/blobs.js';
import { parseImageConfig } from '../config.js';
import { type Bench, type Entry, importTar, lines, openBench, tarOf } from '../images.fixture.js';
import type { Images } from '../service.js';

const { signal } = new AbortController();

async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

/** Loads in small pieces, as from a network. */
async function loadBytes(images: Images, archive: Buffer, quiet = true) {
  const pieces: Buffer[] = [];
  for (let at = 0; at < archive.length; at += 5000) pieces.push(archive.subarray(at, at + 5000));
  return await lines(images.load(Readable.from(pieces), { quiet, signal }));
}

const layerTar = () => tarOf([{ name: 'hello', content: 'world' }]);

test('an image that is saved can be loaded elsewhere, under the same IDs and names', async () => {
  await using one = await openBench();
  const id = await importTar(one.images, gzipSync(await layerTar()), 'app', 'v1', ['CMD ["a"]']);
  const other = await importTar(one.images, await tarOf([{ name: 'other', content: 'x' }]));
  await one.images.tag('app:v1', 'example.com/team/app', 'v2');
  const archive = await bytesOf(await one.images.save(['app', 'example.com/team/app:v2', other]));
  expect(one.events.filter((event) => event.action === 'save').map((event) => event.id)).toEqual([id, other]);
  for (const bytes of [archive, gzipSync(archive)]) {
    await using two = await openBench();
    const report = await loadBytes(two.images, bytes);
    expect(report).toEqual([
      { stream: 'Loaded image: app:v1\n' },
      { stream: 'Loaded image: example.com/team/app:v2\n' },
    ]);
    expect(two.images.resolve('app:v1').id).toBe(id);
    expect(two.images.resolve('example.com/team/app:v2').id).toBe(id);
    expect(two.images.resolve(other).id).toBe(other);
    const [layer = ''] = two.images.layerPaths(two.images.resolve(id).id);
    expect(readFileSync(join(layer, 'hello'), 'utf8')).toBe('world');
    expect(await bytesOf(await two.images.save(['app:v1']))).toEqual(await bytesOf(await one.images.save(['app:v1'])));
  }
});

test('an image is loaded as the child of the one it was made from, if that can be true', async () => {
  await using one = await openBench();
  const parent = await importTar(one.images, await layerTar(), 'parent');
  const options = { config: {}, repository: 'child', tag: '', comment: '', author: '' };
  const { Id: child } = await one.images.commit({ ...options, parent });
  const archive = await bytesOf(await one.images.save(['parent', 'child']));
  await using two = await openBench();
  await loadBytes(two.images, archive);
  expect((await two.images.inspect(child)).Parent).toBe(parent);
  const { entries } = await dockerArchive();
  const config = entries.find((entry) => entry.name === 'config.json')?.content ?? '';
  const circle = entries.map((entry) =>
    entry.name === 'manifest.json'
      ? { ...entry, content: String(entry.content).replace('"Layers"', `"Parent":"${digestOf(config)}","Layers"`) }
      : entry,
  );
  await using three = await openBench();
  await loadBytes(three.images, await tarOf(circle));
  expect((await three.images.inspect('old:1')).Parent).toBe('');
});

test('saving what is not there fails before a byte is sent', async () => {
  await using bench = await openBench();
  await expect(bench.images.save(['nothing'])).rejects.toMatchObject({ class: 'NotFound' });
});

async function dockerArchive(): Promise<{ entries: Entry[]; config: string }> {
  const layer = await layerTar();
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { cmd: ['x'] },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer), digestOf(layer)] },
  });
  return {
    config,
    entries: [
      // As Docker before 25 wrote it: a repeated layer is a link to the first.
      { name: 'aaaa/layer.tar', content: layer },
      { name: 'bbbb/layer.tar', type: 'symlink', linkname: '../aaaa/layer.tar' },
      { name: 'config.json', content: config },
      {
        name: 'manifest.json',
        content: JSON.stringify([
          { Config: 'config.json', RepoTags: ['old:1'], Layers: ['aaaa/layer.tar', 'bbbb/layer.tar'] },
        ]),
      },
    ],
  };
}

test("older Docker's archives load; a name that was taken moves", async () => {
  await using bench = await openBench();
  const before = await importTar(bench.images, await tarOf([{ name: 'x', content: 'x' }]), 'old', '1');
  const { entries, config } = await dockerArchive();
  const report = await loadBytes(bench.images, await tarOf(entries), false);
  expect(report.filter((line) => line.stream)).toEqual([
    { stream: `The image old:1 already exists, renaming the old one with ID ${before} to empty string\n` },
    { stream: 'Loaded image: old:1\n' },
  ]);
  expect(report.some((line) => line.status === 'Loading layer' && line.progressDetail?.total)).toBe(true);
  expect(bench.images.resolve('old:1').id).toBe(digestOf(config));
  expect(bench.images.resolve('old:1').config.Cmd).toEqual(['x']);
  expect(bench.images.layerPaths(bench.images.resolve('old:1').id)).toHaveLength(2);
});

test('a layer that is not what the configuration says is refused and leaves nothing', async () => {
  await using bench = await openBench();
  const { entries } = await dockerArchive();
  const forged = entries.map((entry) =>
    entry.name === 'aaaa/layer.tar' ? { ...entry, content: Buffer.alloc(1024) } : entry,
  );
  expect((await loadBytes(bench.images, await tarOf(forged))).at(-1)?.error).toContain(
    'but the image configuration says',
  );
  expect(await bench.images.diskUsage()).toEqual({ layersSize: 0, images: [] });
});

test('an OCI layout loads, by the platform of this host', async () => {
  await using bench = await openBench();
  // Once: its entries carry the present second.
  const tar = await layerTar();
  const layer = gzipSync(tar);
  const blob = (text: string | Buffer) => ({ name: `blobs/sha256/${digestOf(text).slice(7)}`, content: text });
  const config = JSON.stringify({ os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { digest: digestOf(config), size: config.length },
    layers: [{ digest: digestOf(layer), size: layer.length }],
  });
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const nested = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      { digest: `sha256:${'0'.repeat(64)}`, size: 1, platform: { os: 'linux', architecture: 's390x' } },
      { digest: digestOf(manifest), size: manifest.length, platform: { os: 'linux', architecture } },
    ],
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      { digest: digestOf(nested), size: 1, annotations: { 'io.containerd.image.name': 'docker.io/library/oci:2' } },
    ],
  });
  const archive = await tarOf([
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: index },
    ...[layer, config, manifest, nested].map(blob),
  ]);
  expect(await loadBytes(bench.images, archive)).toEqual([{ stream: 'Loaded image: oci:2\n' }]);
  expect(bench.images.resolve('oci:2').id).toBe(digestOf(config));
});

test('progress is shown from the first bytes of an archive, while the rest still comes', async () => {
  await using one = await openBench();
  const content = randomBytes(3_000_000);
  await importTar(one.images, await tarOf([{ name: 'large', content }]), 'large', '1');
  const chunks: Buffer[] = [];
  for await (const chunk of await one.images.save(['large:1'])) chunks.push(chunk as Buffer);
  const archive = Buffer.concat(chunks);
  await using two = await openBench();
  const source = new PassThrough();
  source.write(archive.subarray(0, 1_500_000));
  const seen: string[] = [];
  for await (const line of two.images.load(source, { quiet: false, signal: new AbortController().signal })) {
    if (seen.length === 0) source.end(archive.subarray(1_500_000));
    seen.push(line.status ?? line.stream ?? '');
  }
  expect(seen[0]).toBe('Loading layer');
  expect(seen.at(-1)).toBe('Loaded image: large:1\n');
});

/** An archive whose one layer has a small file and then a large one. */
async function largeArchive(): Promise<Buffer> {
  const layer = await tarOf([
    { name: 'first', content: 'first' },
    { name: 'large', content: randomBytes(3_000_000) },
    { name: 'last', content: 'last' },
  ]);
  const config = JSON.stringify({ os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } });
  return await tarOf([
    { name: 'aaaa/layer.tar', content: layer },
    { name: 'config.json', content: config },
    {
      name: 'manifest.json',
      content: JSON.stringify([{ Config: 'config.json', RepoTags: ['large:1'], Layers: ['aaaa/layer.tar'] }]),
    },
  ]);
}

/** Sends the first half of an archive, and waits until a file of its layer is unpacked. */
async function loadHalf(bench: Bench, archive: Buffer) {
  const before = new Set(await readdir(join(bench.root, 'layers')));
  const source = new PassThrough();
  source.write(archive.subarray(0, 1_500_000));
  const done = lines(bench.images.load(source, { quiet: true, signal }));
  await vi.waitFor(async () => {
    const [layer = ''] = (await readdir(join(bench.root, 'layers'))).filter((name) => !before.has(name));
    expect(await readdir(join(bench.root, 'layers', layer))).toContain('first');
  }, 20_000);
  return { source, done };
}

const leftovers = async ({ root }: Bench) => [
  await readdir(join(root, 'layers')),
  await readdir(join(root, 'blobs/tmp')),
  await readdir(join(root, 'blobs/sha256')),
];

test('a layer is unpacked while it comes; one that does not come as a whole leaves nothing', async () => {
  await using bench = await openBench();
  const archive = await largeArchive();
  const cut = await loadHalf(bench, archive);
  cut.source.destroy(new Error('the client is gone'));
  expect((await cut.done).at(-1)?.error).toContain('the client is gone');
  expect(await leftovers(bench)).toEqual([[], [], []]);
  const { source, done } = await loadHalf(bench, archive);
  source.end(archive.subarray(1_500_000));
  expect(await done).toEqual([{ stream: 'Loaded image: large:1\n' }]);
  const [layer = ''] = bench.images.layerPaths(bench.images.resolve('large:1').id);
  expect((await readdir(layer)).sort()).toEqual(['first', 'large', 'last']);
  expect(readFileSync(join(layer, 'last'), 'utf8')).toBe('last');
  // Once more: it is known by then, whatever was begun.
  expect(await loadBytes(bench.images, archive)).toEqual([{ stream: 'Loaded image: large:1\n' }]);
  expect((await leftovers(bench)).map((names) => names.length)).toEqual([1, 0, 1]);
});

test('clients who stop sending hold up nobody else', async () => {
  await using bench = await openBench();
  const halves = [];
  for (let at = 0; at < 2; at++) halves.push(await loadHalf(bench, await largeArchive()));
  expect(await loadBytes(bench.images, await largeArchive())).toEqual([{ stream: 'Loaded image: large:1\n' }]);
  for (const { source, done } of halves) {
    source.end();
    expect((await done).at(-1)?.error).toContain('unexpected EOF');
  }
  expect((await leftovers(bench)).map((names) => names.length)).toEqual([1, 0, 1]);
});

test('a file that only looks like a layer leaves nothing', async () => {
  await using bench = await openBench();
  const { entries } = await dockerArchive();
  const stray = await tarOf([{ name: 'stray', content: 'stray' }]);
  await loadBytes(bench.images, await tarOf([{ name: 'stray.tar', content: stray }, ...entries]));
  expect(await readdir(join(bench.root, 'layers'))).toHaveLength(1);
  await loadBytes(
    bench.images,
    await tarOf([
      { name: 'stray.tar', content: stray },
      { name: 'manifest.json', content: 'x' },
    ]),
  );
  expect(await readdir(join(bench.root, 'layers'))).toHaveLength(1);
  expect(await readdir(join(bench.root, 'blobs/tmp'))).toEqual([]);
});

test('the first format of all loads', async () => {
  await using bench = await openBench();
  const id = 'a'.repeat(64);
  const archive = await tarOf([
    { name: 'repositories', content: JSON.stringify({ ancient: { '0': id } }) },
    { name: `${id}/json`, content: JSON.stringify({ id, os: 'linux', config: { Cmd: ['old'] } }) },
    { name: `${id}/layer.tar`, content: await layerTar() },
  ]);
  expect(await loadBytes(bench.images, archive)).toEqual([{ stream: 'Loaded image: ancient:0\n' }]);
  expect(bench.images.resolve('ancient:0').config.Cmd).toEqual(['old']);
});

test('another file than an archive of images says so', async () => {
  await using bench = await openBench();
  const failure = async (archive: Buffer) => await loadBytes(bench.images, archive);
  const message = 'invalid archive: does not contain a manifest.json';
  expect(await failure(await layerTar())).toEqual([{ error: message, errorDetail: { message } }]);
  expect((await failure(Buffer.from('rubbish'.repeat(1000)))).at(-1)?.error).toContain('invalid tar header');
});

test.each([
  [{ RepoTags: 'x' }, 'cannot unmarshal string into Go struct field manifestItem.RepoTags of type []string'],
  [{ RepoTags: [5] }, 'cannot unmarshal number into Go struct field manifestItem.RepoTags of type string'],
  [{ Layers: 'x' }, 'cannot unmarshal string into Go struct field manifestItem.Layers of type []string'],
  [{ Config: 5 }, 'cannot unmarshal number into Go struct field manifestItem.Config of type string'],
])('a manifest with %j is refused, not read as one without', async (fault, message) => {
  await using bench = await openBench();
  const { entries } = await dockerArchive();
  const sound = { Config: 'config.json', RepoTags: ['old:1'], Layers: ['aaaa/layer.tar', 'bbbb/layer.tar'] };
  const faulty = entries.map((entry) =>
    entry.name === 'manifest.json' ? { ...entry, content: JSON.stringify([{ ...sound, ...fault }]) } : entry,
  );
  expect((await loadBytes(bench.images, await tarOf(faulty))).at(-1)?.error).toContain(message);
  expect((await bench.images.diskUsage()).images).toEqual([]);
});

test.each([5, 'x', [], true])('a configuration whose config is %j is none', (config) => {
  const text = JSON.stringify({ rootfs: { type: 'layers', diff_ids: [] }, config });
  expect(() => parseImageConfig(text)).toThrow('json: cannot unmarshal');
});
