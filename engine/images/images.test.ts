import { lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { unmount2 } from '@cleat/linux/syscall/mount';
import { expect, test } from 'vitest';
import { busyboxTar, importTar, openBench, tarOf } from './images.fixture.js';

test('import, resolve, list, inspect, remove', async () => {
  await using bench = await openBench();
  const { images } = bench;
  const id = await importTar(images, await busyboxTar(), 'busybox', '', ['CMD ["sh"]', 'ENV A=1', 'LABEL x=y']);
  expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
  const resolved = images.resolve('busybox');
  expect(resolved).toMatchObject({ id, os: 'linux', tag: 'busybox:latest', config: { Cmd: ['sh'], Env: ['A=1'] } });
  expect(images.resolve(id.slice(7, 19)).id).toBe(id);
  const [layer = ''] = images.layerPaths(resolved.id);
  expect((await lstat(join(layer, 'bin/busybox'))).mode & 0o777).toBe(0o755);
  expect(await readlink(join(layer, 'bin/sh'))).toBe('busybox');
  expect(await readFile(join(layer, 'etc/passwd'), 'utf8')).toContain('root');
  expect(await images.list({ all: false, filters: {}, sharedSize: false })).toMatchObject([
    { Id: id, RepoTags: ['busybox:latest'], Labels: { x: 'y' } },
  ]);
  expect((await images.inspect('busybox')).Config.Cmd).toEqual(['sh']);
  await bench.reopen();
  expect(bench.images.resolve('busybox:latest').id).toBe(id);
  const removed = await bench.images.remove('busybox', { force: false, noPrune: false });
  expect(removed[0]).toEqual({ Untagged: 'busybox:latest' });
  expect(removed[1]).toEqual({ Deleted: id });
  expect(await readdir(join(bench.root, 'layers'))).toEqual([]);
  expect(await readdir(join(bench.root, 'blobs/sha256'))).toEqual([]);
  expect(bench.events.map((event) => event.action)).toEqual(['tag', 'import', 'untag', 'delete']);
  expect(() => bench.images.resolve('busybox')).toThrow('No such image: busybox:latest');
});

test('the rest of a crash is gone after the next start, and whole images stay', async () => {
  await using bench = await openBench();
  const id = await importTar(bench.images, await busyboxTar(), 'busybox');
  const before = await readdir(join(bench.root, 'layers'));
  await mkdir(join(bench.root, 'layers/0123456789ab/etc'), { recursive: true });
  await writeFile(join(bench.root, `blobs/sha256/${'0'.repeat(64)}`), 'whole, but of no image');
  await writeFile(join(bench.root, 'blobs/tmp/partial'), 'half');
  await bench.reopen();
  expect(await readdir(join(bench.root, 'layers'))).toEqual(before);
  expect(await readdir(join(bench.root, 'blobs/sha256'))).toHaveLength(1);
  expect(await readdir(join(bench.root, 'blobs/tmp'))).toEqual([]);
  expect(bench.images.layerPaths(bench.images.resolve(id).id)).toHaveLength(1);
});

test("a stack of layers shows what the images' makers meant", async () => {
  await using bench = await openBench();
  let parent = await importTar(
    bench.images,
    await tarOf([
      { name: 'replaced/old', content: 'old' },
      { name: 'emptied/old', content: 'old' },
      { name: 'deleted', content: 'old' },
      { name: 'kept', content: 'old' },
    ]),
  );
  const upper = await tarOf([
    { name: '.wh.deleted', content: '' },
    { name: 'emptied/', type: 'directory' },
    { name: 'emptied/.wh..wh..opq', content: '' },
    { name: 'emptied/new', content: 'new' },
    { name: '.wh.replaced', content: '' },
    { name: 'replaced/new', content: 'new' },
  ]);
  const options = { config: {}, repository: '', tag: '', comment: '', author: '' };
  ({ Id: parent } = await bench.images.commit({ ...options, parent, layer: async () => Readable.from([upper]) }));
  const target = join(bench.root, 'merged');
  await mkdir(target);
  mountOverlay({ lower: bench.images.layerPaths(bench.images.resolve(parent).id), target });
  try {
    expect((await readdir(target)).sort()).toEqual(['emptied', 'kept', 'replaced']);
    expect(await readdir(join(target, 'emptied'))).toEqual(['new']);
    expect(await readdir(join(target, 'replaced'))).toEqual(['new']);
  } finally {
    unmount2(target, 2);
  }
});
