import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { digestOf } from '../../content/blobs.js';
import { startRegistry } from '../../distribution/registry.fixture.js';
import { type Bench, importTar, lines, openBench, tarOf } from '../images.fixture.js';

const { signal } = new AbortController();

/** The files of an archive, by name. */
async function filesOf(archive: Readable): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const entry of archive.pipe(extract())) files.set(entry.header.name, await buffer(entry));
  return files;
}

const blobs = (bench: Bench) => readdirSync(join(bench.root, 'blobs/sha256')).map((name) => `sha256:${name}`);
const saved = async (bench: Bench, name: string) => await filesOf(await bench.images.save([name]));
const pathOf = (digest: string) => `blobs/sha256/${digest.slice(7)}`;

/** A tree with all that makes a tar odd, as GNU tar packs it in one of its formats. */
function oddTar(format: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-outline-'));
  const script = [
    'mkdir -p "d/$(printf %0120d 0)/$(printf %0120d 1)"',
    'head -c 3000000 /dev/urandom > large; ln large hard; ln -s d link',
    'echo deep > "d/$(printf %0120d 0)/$(printf %0120d 1)/file"',
    'echo name > "$(printf \'\\377\\ntext\')"; : > empty; head -c 512 /dev/urandom > block; touch .wh.gone',
    'truncate -s 9M sparse; echo middle | dd of=sparse bs=1 seek=4000000 conv=notrunc status=none',
    `tar --format=${format} --sparse --xattrs -cf ../odd.tar .`,
  ];
  try {
    mkdirSync(join(directory, 'tree'));
    execFileSync('sh', ['-ec', script.join('\n')], { cwd: join(directory, 'tree') });
    return readFileSync(join(directory, 'odd.tar'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.each(['gnu', 'pax', 'oldgnu'])('an odd archive of format %s is kept once, and written again', async (format) => {
  const tar = oddTar(format);
  await using bench = await openBench();
  await importTar(bench.images, gzipSync(tar), 'odd');
  const [outline = '', ...others] = blobs(bench);
  expect(others).toEqual([]);
  expect(readFileSync(join(bench.root, pathOf(outline))).length).toBeLessThan(10_000);
  await bench.reopen();
  expect((await saved(bench, 'odd')).get(pathOf(digestOf(tar)))?.equals(tar)).toBe(true);
  await bench.images.remove('odd', { force: false, noPrune: false });
  expect(blobs(bench)).toEqual([]);
});

test('an archive that the files cannot give again is kept', async () => {
  const twice = await tarOf([
    { name: 'f', content: 'first'.repeat(1000) },
    { name: 'f', content: 'second' },
  ]);
  await using bench = await openBench();
  await importTar(bench.images, twice, 'twice');
  expect(blobs(bench)).toEqual([digestOf(twice)]);
  expect((await saved(bench, 'twice')).get(pathOf(digestOf(twice)))?.equals(twice)).toBe(true);
});

test('the operator may have archives kept', async () => {
  const tar = gzipSync(await tarOf([{ name: 'f', content: 'x'.repeat(10_000) }]));
  await using bench = await openBench({ keepLayerArchives: true });
  await importTar(bench.images, tar, 'kept');
  expect(blobs(bench)).toEqual([digestOf(tar)]);
});

test.each([
  ['changed', (path: string) => writeFileSync(path, 'y'.repeat(10_000))],
  ['cut', (path: string) => truncateSync(path, 100)],
  ['removed', (path: string) => rmSync(path)],
])('a file of a layer that was %s on the disk is noticed', async (_what, harm) => {
  await using bench = await openBench();
  const id = await importTar(bench.images, await tarOf([{ name: 'f', content: 'x'.repeat(10_000) }]), 'harmed');
  const [layer = ''] = bench.images.layerPaths(bench.images.resolve(id).id);
  harm(join(layer, 'f'));
  await expect(buffer(await bench.images.save(['harmed']))).rejects.toThrow('is no longer what came');
  await using registry = await startRegistry();
  await bench.images.tag('harmed', `${registry.host}/x`, 'latest');
  const said = await lines(bench.images.push({ ref: `${registry.host}/x`, tag: 'latest', signal }));
  expect(said.at(-1)?.error).toContain('is no longer what came');
});

test('a pulled image is pushed to another registry with the same content', async () => {
  await using one = await startRegistry();
  await using two = await startRegistry();
  await using bench = await openBench();
  const tar = await tarOf([{ name: 'f', content: Buffer.alloc(2_000_000, 'abc') }]);
  const id = await importTar(bench.images, tar, `${one.host}/x`, 'latest');
  await lines(bench.images.push({ ref: `${one.host}/x`, tag: 'latest', signal }));
  await bench.images.remove(`${one.host}/x`, { force: true, noPrune: false });
  await lines(bench.images.pull({ image: `${one.host}/x`, tag: 'latest', signal }));
  await bench.images.tag(`${one.host}/x`, `${two.host}/y`, 'latest');
  expect(
    (await lines(bench.images.push({ ref: `${two.host}/y`, tag: 'latest', signal }))).at(-1)?.error,
  ).toBeUndefined();
  await using other = await openBench();
  await lines(other.images.pull({ image: `${two.host}/y`, tag: 'latest', signal }));
  expect(other.images.resolve(`${two.host}/y`).id).toBe(id);
});
