import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { isForPlatform, type Platform, parsePlatform } from '../content/platform.js';
import { type Bench, importTar, lines, openBench, tarOf } from './images.fixture.js';
import { layoutOf } from './platforms.fixture.js';

const { signal } = new AbortController();
const amd64 = { os: 'linux', architecture: 'amd64' };
const s390x = { os: 'linux', architecture: 's390x' };

async function importFor(bench: Bench, platform: string, name: string): Promise<string> {
  const source = Readable.from([await tarOf([{ name: 'f', content: platform }])]);
  const options = { source, repository: name, tag: 'latest', message: '', changes: [], platform, signal };
  return (await lines(bench.images.import(options))).at(-1)?.status ?? '';
}

test('a selector lets an image pass that is for the platform, and nothing is done for another', async () => {
  await using bench = await openBench();
  const { images } = bench;
  const id = await importFor(bench, 'linux/amd64', 'app');
  const refusal = {
    class: 'NotFound',
    message:
      'image with reference app was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)',
  };
  await expect(images.inspect('app', s390x)).rejects.toMatchObject(refusal);
  await expect(images.history('app', s390x)).rejects.toMatchObject(refusal);
  expect(() => images.resolve('docker.io/library/app:latest', 'linux/s390x')).toThrow(
    'image with reference app:latest was found',
  );
  await expect(images.save(['app'], [s390x])).rejects.toMatchObject({
    class: 'NotFound',
    message: 'no suitable export target found for platform linux/s390x',
  });
  await expect(lines(images.push({ ref: 'app', tag: 'latest', platform: s390x, signal }))).rejects.toThrow(
    'does not match the specified platform (linux/s390x)',
  );
  const options = { force: true, noPrune: false };
  await expect(images.remove('app', { ...options, platforms: [s390x] })).rejects.toMatchObject(refusal);
  await expect(images.remove(id, { ...options, platforms: [s390x] })).rejects.toMatchObject({ class: 'NotFound' });
  await expect(images.remove('app', { ...options, platforms: [amd64, s390x] })).rejects.toMatchObject(refusal);
  await expect(images.save(['app'], [amd64, s390x])).rejects.toMatchObject({ class: 'NotFound' });

  expect((await images.inspect('app', amd64)).Id).toBe(id);
  expect((await images.history(id, amd64))[0]?.Id).toBe(id);
  expect(images.resolve('app', 'linux/amd64').id).toBe(id);
  (await images.save(['app'], [amd64])).destroy();
  expect(await images.remove('app', { ...options, platforms: [amd64] })).toContainEqual({ Deleted: id });
});

test('the platform that is asked for is loaded from an archive for several', async () => {
  const { archive, ids } = await layoutOf('both:1', ['amd64', 's390x']);
  const load = async (bench: Bench, platform: Platform) =>
    await lines(bench.images.load(Readable.from([archive]), { quiet: true, platforms: [platform], signal }));
  await using one = await openBench();
  expect(await load(one, s390x)).toEqual([{ stream: 'Loaded image: both:1\n' }]);
  expect((await one.images.inspect('both:1')).Id).toBe(ids.s390x);
  await using two = await openBench();
  expect(await load(two, { os: 'linux', architecture: 'riscv64' })).toMatchObject([
    { error: expect.stringContaining('platform') },
  ]);
  expect(two.images.count()).toBe(0);
});

test('an image that is made for no platform that is asked for is not loaded from a Docker archive either', async () => {
  await using bench = await openBench();
  await importTar(bench.images, await tarOf([{ name: 'f', content: 'x' }]), 'app');
  const archive = await bench.images.save(['app']);
  await using other = await openBench();
  const report = await lines(other.images.load(archive, { quiet: true, platforms: [s390x], signal }));
  expect(report.at(-1)?.error).toBe('no images providing the requested platform(s) found: [linux/s390x]');
  expect(other.images.count()).toBe(0);
});

test.each([
  ['linux/arm/v6', 'linux/arm/v6', true],
  ['linux/arm/v6', 'linux/arm/v7', false],
  ['linux/arm/v7', 'linux/arm/v6', true],
  ['linux/amd64/v3', 'linux/amd64', true],
  ['LINUX/AMD64', 'linux/amd64', true],
  ['linux/arm64', 'linux/amd64', false],
])('asked for %s, an image for %s: %s', (wanted, offered, fits) => {
  expect(isForPlatform(parsePlatform(wanted), parsePlatform(offered))).toBe(fits);
});

test('an image whose configuration names no variant is for each of them', () => {
  expect(isForPlatform(parsePlatform('linux/arm/v6'), { os: 'linux', architecture: 'arm' })).toBe(true);
});

test.each([
  ['foobar', '"foobar": unknown operating system or architecture: invalid argument'],
  ['linux/*', '"linux/*": wildcards not yet supported: invalid argument'],
  ['a/b/c/d', '"a/b/c/d": cannot parse platform specifier: invalid argument'],
  ['linux/a b', /^"a b" is an invalid component of "linux\/a b": platform specifier component must match "\^\[A-Za-z/],
  [
    'lin ux',
    /^"lin ux" is an invalid OS component of "lin ux": OSAndVersion specifier component must match ".*": invalid/,
  ],
])('the platform %s is refused before anything is done', async (platform, message) => {
  expect(() => parsePlatform(platform)).toThrow(expect.objectContaining({ class: 'InvalidParameter' }));
  expect(() => parsePlatform(platform)).toThrow(message);
  await using bench = await openBench();
  // Port 1: a question to the network would end with an error.
  const pulled = lines(bench.images.pull({ image: '127.0.0.1:1/x', tag: 'latest', platform, signal }));
  await expect(pulled).rejects.toThrow(message);
  expect(() => bench.images.resolve('nosuch', platform)).toThrow(message);
});
