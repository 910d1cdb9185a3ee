import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { busyboxTar, importTar, openBench } from './images.fixture.js';

test('import, resolve, list, inspect, remove', async () => {
  await using bench = await openBench();
  const { images } = bench;
  const id = await importTar(images, await busyboxTar(), 'busybox', '', ['CMD ["sh"]', 'ENV A=1', 'LABEL x=y']);
  expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
  const resolved = images.resolve('busybox');
  expect(resolved).toMatchObject({ id, os: 'linux', tag: 'busybox:latest', config: { Cmd: ['sh'], Env: ['A=1'] } });
  expect(images.resolve(id.slice(7, 19)).id).toBe(id);
  const [layer = ''] = images.layerPaths(id);
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
