import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { expectNothingLeft } from '../distribution/hostile.fixture.js';
import { fakeRegistry, startRegistry } from '../distribution/registry.fixture.js';
import { type Bench, importTar, lines, openBench, tarOf } from './images.fixture.js';
import { type Layout, layoutOf } from './platforms.fixture.js';
import type { Images } from './service.js';

const { signal } = new AbortController();
const host = process.arch === 'x64' ? 'amd64' : process.arch;
const linux = (architecture: string) => ({ os: 'linux', architecture });
const s390x = linux('s390x');
const riscv64 = linux('riscv64');
const everything = { all: true, filters: {}, sharedSize: false, manifests: true };

async function load(images: Images, archive: Buffer | Readable, platforms: (typeof s390x)[] = []) {
  const source = Buffer.isBuffer(archive) ? Readable.from([archive]) : archive;
  return await lines(images.load(source, { quiet: true, platforms, signal }));
}

/** One name with the images of three platforms, this host's among them but not first. */
async function loaded(how?: Parameters<typeof layoutOf>[2]): Promise<Layout & { bench: Bench } & AsyncDisposable> {
  const layout = await layoutOf('both:1', ['s390x', host, 'riscv64'], how);
  const bench = await openBench();
  expect(await load(bench.images, layout.archive)).toEqual([{ stream: 'Loaded image: both:1\n' }]);
  return { ...layout, bench, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
}

const remove = (images: Images, ref: string, options: Partial<Parameters<Images['remove']>[1]> = {}) =>
  images.remove(ref, { force: false, noPrune: false, ...options });

test('a name stands for the image of this host, and has the others beside it', async () => {
  await using it = await loaded();
  const { images } = it.bench;
  expect((await images.inspect('both:1')).Id).toBe(it.ids[host]);
  expect(images.resolve('both:1').id).toBe(it.ids[host]);
  for (const architecture of ['s390x', host, 'riscv64']) {
    const { Id, Architecture, RepoTags } = await images.inspect('both:1', linux(architecture));
    expect([Id, Architecture, RepoTags]).toEqual([it.ids[architecture], architecture, ['both:1']]);
    expect(images.resolve('both:1', `linux/${architecture}`).id).toBe(it.ids[architecture]);
    expect((await images.inspect(it.ids[architecture] ?? '')).Id).toBe(it.ids[architecture]);
  }
  await expect(images.inspect('both:1', linux('ppc64le'))).rejects.toMatchObject({
    class: 'NotFound',
    message: 'image with reference both:1 was found but does not provide the specified platform (linux/ppc64le)',
  });
  expect(() => images.resolve('both:1', 'linux/ppc64le')).toThrow('does not provide the specified platform');

  // One row, as large as all, of which it tells.
  const rows = await images.list(everything);
  expect(rows).toMatchObject([
    {
      Id: it.ids[host],
      RepoTags: ['both:1'],
      Descriptor: { mediaType: 'application/vnd.oci.image.index.v1+json', digest: it.index },
    },
  ]);
  expect(rows[0]?.Size).toBe('for all'.length + `s390x${host}riscv64`.length);
  expect(images.count()).toBe(1);
  expect(rows[0]?.Manifests).toMatchObject([
    ...['s390x', host, 'riscv64'].map((architecture) => ({
      ID: it.manifests[architecture],
      Available: true,
      Kind: 'image',
      ImageData: { Platform: linux(architecture), Size: { Unpacked: 'for all'.length + architecture.length } },
    })),
    { Available: false, Kind: 'attestation', AttestationData: { For: it.manifests.s390x } },
  ]);
  expect((await images.inspect('both:1', undefined, { manifests: true })).Manifests).toEqual(rows[0]?.Manifests);
});

test('an image that was made here is its own only manifest', async () => {
  await using bench = await openBench();
  const { images } = bench;
  const id = await importTar(images, await tarOf([{ name: 'f', content: 'x' }]), 'app', '1');
  bench.usage = (image) => (image === id ? [{ containerId: 'c1', name: 'c', running: false }] : []);
  const { Descriptor, Manifests } = await images.inspect('app:1', undefined, { manifests: true });
  expect(Descriptor).toMatchObject({ mediaType: 'application/vnd.oci.image.manifest.v1+json' });
  expect(Manifests).toMatchObject([
    { ID: Descriptor?.digest, Available: true, Kind: 'image', ImageData: { Containers: ['c1'] } },
  ]);
  // It is what it is saved as.
  await using other = await openBench();
  await load(other.images, await images.save(['app:1']));
  expect((await other.images.inspect('app:1')).Descriptor).toEqual(Descriptor);
});

test('an image that an archive lists without holding it is not here', async () => {
  await using it = await loaded({ missing: ['s390x'] });
  const { images } = it.bench;
  const [row] = await images.list(everything);
  expect(row?.Manifests?.map(({ Available }) => Available)).toEqual([false, true, true, false]);
  await expect(images.inspect('both:1', s390x)).rejects.toMatchObject({ class: 'NotFound' });
});

test('manifests of one name that the archive lists without an index are its platforms', async () => {
  await using it = await loaded({ flat: true });
  const { images } = it.bench;
  expect(images.count()).toBe(1);
  expect((await images.inspect('both:1')).Id).toBe(it.ids[host]);
  expect((await images.inspect('both:1', s390x)).Id).toBe(it.ids.s390x);
});

test('only what is asked for is loaded, and all of it must be there', async () => {
  const { archive, ids } = await layoutOf('both:1', ['s390x', host, 'riscv64']);
  await using bench = await openBench();
  const { images } = bench;
  expect(await load(images, archive, [s390x, linux('ppc64le')])).toMatchObject([
    { error: 'no images providing the requested platform(s) found: [linux/ppc64le]' },
  ]);
  expect(images.count()).toBe(0);
  await load(images, archive, [s390x]);
  expect((await images.inspect('both:1')).Id).toBe(ids.s390x);
  // Another platform of the same index comes beside it.
  await load(images, archive, [riscv64, linux(host)]);
  expect((await images.inspect('both:1')).Id).toBe(ids[host]);
  expect((await images.inspect('both:1', s390x)).Id).toBe(ids.s390x);
  expect(images.count()).toBe(1);
});

test('an image of which one platform is damaged is not loaded, nor is a part of it', async () => {
  const { archive } = await layoutOf('both:1', [host, 's390x'], { wrong: 's390x' });
  await using bench = await openBench();
  expect(await load(bench.images, archive)).toMatchObject([
    { error: expect.stringContaining('image configuration says') },
  ]);
  await expectNothingLeft(bench);
});

test('all platforms are saved, or those that are asked for', async () => {
  await using it = await loaded();
  const { images } = it.bench;
  await using all = await openBench();
  await load(all.images, await images.save(['both:1']));
  for (const architecture of ['s390x', host, 'riscv64']) {
    expect((await all.images.inspect('both:1', linux(architecture))).Id).toBe(it.ids[architecture]);
  }
  await using two = await openBench();
  await load(two.images, await images.save(['both:1'], [s390x, riscv64]));
  expect((await two.images.list(everything))[0]?.Manifests).toHaveLength(2);
  await expect(two.images.inspect('both:1', linux(host))).rejects.toMatchObject({ class: 'NotFound' });
  await using one = await openBench();
  await load(one.images, await images.save(['both:1'], [s390x]));
  expect((await one.images.inspect('both:1')).Id).toBe(it.ids.s390x);
  await expect(images.save(['both:1'], [s390x, linux('ppc64le')])).rejects.toMatchObject({
    class: 'NotFound',
    message: 'no suitable export target found for platform linux/ppc64le',
  });
});

test('one platform is removed, and the others stay', async () => {
  await using it = await loaded();
  const { images } = it.bench;
  const user = { containerId: 'c'.repeat(64), name: 'c', running: true };
  it.bench.usage = (id) => (id === it.ids.riscv64 ? [user] : []);
  await expect(remove(images, 'both:1', { platforms: [linux('ppc64le')] })).rejects.toMatchObject({
    class: 'NotFound',
  });
  await expect(remove(images, 'both:1', { platforms: [riscv64], force: true })).rejects.toThrow(
    'image is being used by running container cccccccccccc',
  );
  // Nothing of several is removed when one of them cannot be.
  await expect(remove(images, 'both:1', { platforms: [s390x, riscv64] })).rejects.toMatchObject({ class: 'Conflict' });
  expect(await remove(images, 'both:1', { platforms: [s390x] })).toEqual([
    { Deleted: it.manifests.s390x },
    { Deleted: it.ids.s390x },
    expect.objectContaining({ Deleted: expect.any(String) }),
  ]);
  await expect(images.inspect('both:1', s390x)).rejects.toMatchObject({ class: 'NotFound' });
  expect((await images.inspect('both:1')).Id).toBe(it.ids[host]);

  // Without this host's, the name stands for another one.
  await remove(images, 'both:1', { platforms: [linux(host)] });
  expect((await images.inspect('both:1')).Id).toBe(it.ids.riscv64);
  await it.bench.reopen();
  expect((await it.bench.images.inspect('both:1')).Id).toBe(it.ids.riscv64);
  it.bench.usage = () => [];
  // The last one goes with its name.
  expect(await remove(it.bench.images, 'both:1', { platforms: [riscv64] })).toContainEqual({ Untagged: 'both:1' });
  expect(await it.bench.images.list(everything)).toEqual([]);
});

test('a platform of an image that has several names is removed by force', async () => {
  await using it = await loaded();
  const { images } = it.bench;
  await images.tag('both:1', 'again', '2');
  expect((await images.inspect('again:2', s390x)).Id).toBe(it.ids.s390x);
  await expect(remove(images, 'both:1', { platforms: [s390x] })).rejects.toMatchObject({
    class: 'InvalidParameter',
    message: expect.stringContaining('Content will be removed from all images referencing this variant.'),
  });
  await remove(images, 'both:1', { platforms: [s390x], force: true });
  await expect(images.inspect('again:2', s390x)).rejects.toMatchObject({ class: 'NotFound' });
});

test('all platforms go with the last name, unless a container needs one', async () => {
  await using it = await loaded();
  const { images } = it.bench;
  await images.tag('both:1', 'again', '2');
  expect(await remove(images, 'both:1')).toEqual([{ Untagged: 'both:1' }]);
  const user = { containerId: 'c'.repeat(64), name: 'c', running: false };
  it.bench.usage = (id) => (id === it.ids.s390x ? [user] : []);
  await expect(remove(images, 'again:2')).rejects.toThrow('container cccccccccccc is using its referenced image');
  it.bench.usage = () => [];
  const removed = await remove(images, 'again:2');
  for (const id of Object.values(it.ids)) expect(removed).toContainEqual({ Deleted: id });
  expect(await images.list(everything)).toEqual([]);
  expect(await images.diskUsage()).toMatchObject({ layersSize: 0 });
});

test('an image is pruned with all its platforms once nothing uses it', async () => {
  await using it = await loaded();
  const { images } = it.bench;
  expect((await images.prune({})).ImagesDeleted).toEqual([]);
  expect((await images.inspect('both:1', s390x)).Id).toBe(it.ids.s390x);
  // The name moves on: what it stood for is an image without a name, and goes.
  await importTar(images, await tarOf([{ name: 'f', content: 'x' }]), 'both', '1');
  expect((await images.list(everything)).map(({ RepoTags }) => RepoTags.length).sort()).toEqual([0, 0, 0, 1]);
  await images.prune({});
  expect(images.count()).toBe(1);
});

/** Answers as a registry that has this layout's index as `both:1`. */
const served = (layout: Layout) =>
  fakeRegistry(({ url }) => {
    if (url === '/v2/') return {};
    const name = url.split('/').at(-1) ?? '';
    const body = layout.blobs.get(name === '1' ? layout.index : name);
    if (body === undefined) return undefined;
    const { mediaType = 'application/octet-stream' } = url.includes('/manifests/') ? JSON.parse(String(body)) : {};
    return { headers: { 'content-type': mediaType }, body };
  });

test('a second platform is pulled next to the first', async () => {
  const layout = await layoutOf('both:1', ['s390x', host, 'riscv64']);
  await using registry = await served(layout);
  await using bench = await openBench();
  const name = `${registry.host}/both`;
  const pull = async (platform?: string) =>
    (await lines(bench.images.pull({ image: name, tag: '1', ...(platform && { platform }), signal }))).at(-1)?.status;
  expect(await pull()).toBe(`Status: Downloaded newer image for ${name}:1`);
  expect(await pull('linux/s390x')).toBe(`Status: Downloaded newer image for ${name}:1`);
  expect(await pull('linux/s390x')).toBe(`Status: Image is up to date for ${name}:1`);
  const [row, ...others] = await bench.images.list(everything);
  expect(others).toEqual([]);
  expect(row).toMatchObject({ Id: layout.ids[host], RepoDigests: [`${name}@${layout.index}`] });
  expect(row?.Manifests?.map(({ Available }) => Available)).toEqual([true, true, false, false]);
  const { Id, Identity } = await bench.images.inspect(`${name}@${layout.index}`, s390x);
  expect([Id, Identity]).toEqual([layout.ids.s390x, { Pull: [{ Repository: name }] }]);
  // The digest that only the registry's name is left of goes with its last tag.
  await remove(bench.images, `${name}:1`);
  expect(bench.images.count()).toBe(0);
});

test('an index is pushed whole, one platform of it alone, and never a part of it by surprise', async () => {
  await using it = await loaded();
  const { images } = it.bench;
  await using registry = await startRegistry();
  const name = `${registry.host}/both`;
  const push = async (platform?: typeof s390x) =>
    await lines(images.push({ ref: name, tag: '1', ...(platform && { platform }), signal }));
  const platformsThere = async () => (await images.inspectRemote(`${name}:1`, undefined, signal)).Platforms;
  await images.tag('both:1', name, '1');
  await expect(push(linux('ppc64le'))).rejects.toMatchObject({ class: 'NotFound' });
  expect((await push()).at(-1)).toMatchObject({ aux: { Tag: '1' } });
  expect(await platformsThere()).toEqual([s390x, linux(host), riscv64]);
  await using other = await openBench();
  await lines(other.images.pull({ image: name, tag: '1', platform: 'linux/riscv64', signal }));
  expect((await other.images.inspect(`${name}:1`)).Id).toBe(it.ids.riscv64);

  await push(s390x);
  expect(await platformsThere()).toEqual([s390x]);
  expect(images.count()).toBe(1);

  await remove(images, 'both:1', { platforms: [riscv64], force: true });
  expect(await push()).toContainEqual({
    aux: {
      manifestPushedInsteadOfIndex: true,
      originalIndex: expect.objectContaining({ digest: it.index }),
      selectedManifest: expect.objectContaining({ platform: linux(host) }),
    },
  });
  expect(await platformsThere()).toEqual([linux(host)]);
  await remove(images, 'both:1', { platforms: [linux(host)], force: true });
  expect((await push()).at(-1)).toMatchObject({ aux: { Tag: '1' } });
  expect(await platformsThere()).toEqual([s390x]);
});
