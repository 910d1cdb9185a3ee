import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ImageId } from '../ids.js';
import { type Bench, importTar, openBench, tarOf } from './images.fixture.js';

const image = async (bench: Bench, content: string, repository = '', tag = '', changes: string[] = []) =>
  await importTar(bench.images, await tarOf([{ name: 'file', content }]), repository, tag, changes);
const remove = (bench: Bench, ref: string, force = false) => bench.images.remove(ref, { force, noPrune: false });
const user = (running: boolean) => () => [{ containerId: 'c'.repeat(64), name: 'c', running }];

test('a name goes first, the image with its last name', async () => {
  await using bench = await openBench();
  const id = await image(bench, 'x', 'a', '1');
  await bench.images.tag(id, 'b', '2');
  const short = id.slice(7, 19);
  await expect(remove(bench, short)).rejects.toThrow(
    `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  );
  expect(await remove(bench, 'a:1')).toEqual([{ Untagged: 'a:1' }]);
  const removed = await remove(bench, short);
  expect(removed.slice(0, 2)).toEqual([{ Untagged: 'b:2' }, { Deleted: id }]);
  expect(removed).toHaveLength(3);
  await expect(remove(bench, short)).rejects.toThrow(`No such image: ${short}:latest`);
});

test('by force an ID takes all its names along', async () => {
  await using bench = await openBench();
  const id = await image(bench, 'x', 'a', '1');
  await bench.images.tag(id, 'b', '2');
  expect((await remove(bench, id, true)).slice(0, 3)).toEqual([
    { Untagged: 'a:1' },
    { Untagged: 'b:2' },
    { Deleted: id },
  ]);
});

test('containers protect their image, running ones even from force', async () => {
  await using bench = await openBench();
  const id = await image(bench, 'x', 'a', '1');
  const short = id.slice(7, 19);
  bench.usage = user(true);
  await expect(remove(bench, 'a:1')).rejects.toThrow(
    `conflict: unable to remove repository reference "a:1" (must force) - container cccccccccccc is using its referenced image ${short}`,
  );
  await expect(remove(bench, id, true)).rejects.toThrow(
    `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container cccccccccccc`,
  );
  bench.usage = user(false);
  await expect(remove(bench, id)).rejects.toThrow(
    `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
  );
});

test('a stopped container keeps the layers of an image that was removed by force', async () => {
  await using bench = await openBench();
  const id = await image(bench, 'x', 'a', '1');
  bench.usage = user(false);
  await remove(bench, 'a:1', true);
  expect(bench.images.count()).toBe(0);
  await bench.reopen();
  bench.usage = user(false);
  const [layer = ''] = bench.images.layerPaths(id as ImageId);
  expect(existsSync(join(layer, 'file'))).toBe(true);
  bench.usage = () => [];
  await image(bench, 'y', 'other', '1');
  await remove(bench, 'other:1');
  expect(readdirSync(join(bench.root, 'layers'))).toEqual([]);
});

test('children protect their parent; a nameless parent goes with its last child', async () => {
  await using bench = await openBench();
  const parent = await image(bench, 'x');
  const { Id: child } = await bench.images.commit({
    parent,
    config: {},
    repository: 'child',
    tag: '',
    comment: '',
    author: '',
    createdBy: 'touch it',
  });
  await expect(remove(bench, parent, true)).rejects.toThrow('(cannot be forced) - image has dependent child images');
  expect((await bench.images.history('child')).map(({ Id, CreatedBy }) => [Id, CreatedBy])).toEqual([
    [child, 'touch it'],
    [parent, ''],
  ]);
  const removed = await remove(bench, 'child');
  expect(removed).toContainEqual({ Deleted: child });
  expect(removed).toContainEqual({ Deleted: parent });
  expect(readdirSync(join(bench.root, 'layers'))).toEqual([]);
});

test('prune takes what has no tag, or all that nobody uses, and refuses filters that it does not know', async () => {
  await using bench = await openBench();
  const dangling = await image(bench, 'x', '', '', ['LABEL keep=1']);
  await image(bench, 'y', 'named', '1');
  await expect(bench.images.prune({ nonsense: ['1'] })).rejects.toThrow("invalid filter 'nonsense'");
  expect((await bench.images.prune({ 'label!': ['keep'] })).ImagesDeleted).toEqual([]);
  const first = await bench.images.prune({});
  expect(first.ImagesDeleted).toContainEqual({ Deleted: dangling });
  expect(first.SpaceReclaimed).toBe(1);
  expect(bench.images.count()).toBe(1);
  bench.usage = user(false);
  expect((await bench.images.prune({ dangling: ['false'] })).ImagesDeleted).toEqual([]);
  bench.usage = () => [];
  expect((await bench.images.prune({ dangling: ['false'] })).ImagesDeleted).toContainEqual({ Untagged: 'named:1' });
});

test('list filters', async () => {
  await using bench = await openBench();
  await image(bench, 'x', 'app', 'v1', ['LABEL a=b']);
  const ids = async (filters: Record<string, string[]>, all = false) =>
    (await bench.images.list({ all, filters, sharedSize: false })).map(({ RepoTags }) => RepoTags.join());
  await image(bench, 'z');
  await bench.images.tag('app:v1', 'example.com/team/app', 'v2');
  expect(await ids({ reference: ['app'] })).toEqual(['app:v1']);
  expect(await ids({ reference: ['docker.io/library/a*:v1'] })).toEqual(['app:v1']);
  expect(await ids({ reference: ['example.*/*/app:v?'] })).toEqual(['example.com/team/app:v2']);
  expect(await ids({ reference: ['*/app'] })).toEqual([]);
  expect(await ids({ label: ['a=b'] })).toEqual(['app:v1,example.com/team/app:v2']);
  expect(await ids({ label: ['a=c'] })).toEqual([]);
  expect(await ids({ dangling: ['true'] })).toEqual(['']);
  expect(await ids({ dangling: ['false'] })).toEqual(['app:v1,example.com/team/app:v2']);
  expect(await ids({ since: ['app:v1'] })).toEqual(['']);
  expect(await ids({ before: ['app:v1'] })).toEqual([]);
  expect(await ids({ until: ['1h'] })).toEqual([]);
  await expect(ids({ nonsense: ['x'] })).rejects.toThrow("invalid filter 'nonsense'");
  await expect(ids({ before: ['gone'] })).rejects.toThrow('No such image: gone:latest');
});
