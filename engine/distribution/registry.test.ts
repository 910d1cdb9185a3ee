import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { RegistryAuth } from '@cleat/protocol/api/image';
import { expect, test } from 'vitest';
import { digestOf } from '../content/blobs.js';
import { type Bench, importTar, lines, openBench, tarOf } from '../images/images.fixture.js';
import { fakeRegistry, offeredImage, type Seen, servedImage, startRegistry } from './registry.fixture.js';

const { signal } = new AbortController();
const pull = (bench: Bench, image: string, tag = 'latest', auth?: RegistryAuth, platform?: string) =>
  lines(bench.images.pull({ image, tag, auth, platform, signal }));
const push = (bench: Bench, ref: string, tag?: string) => lines(bench.images.push({ ref, tag, signal }));
const statuses = (all: { id?: string; status?: string }[]) =>
  all.map(({ id, status }) => (id === undefined ? status : `${id}: ${status}`));

test('push, and pull elsewhere, with the lines that Docker writes', async () => {
  await using registry = await startRegistry();
  await using one = await openBench();
  const name = `${registry.host}/team/app`;
  const base = await importTar(
    one.images,
    await tarOf([{ name: 'base', content: Buffer.alloc(3_000_000, 'ab') }]),
    name,
    'v1',
  );
  const { Id: top } = await one.images.commit({
    parent: base,
    config: { Cmd: ['run'] },
    repository: name,
    tag: 'v2',
    comment: '',
    author: '',
    layer: async () => Readable.from([await tarOf([{ name: 'top', content: 'x' }])]),
  });
  const pushed = await push(one, name, 'v1');
  expect(pushed[0]).toEqual({ status: `The push refers to repository [${name}]` });
  expect(pushed.filter((line) => line.status === 'Pushed')).toHaveLength(1);
  expect(pushed.at(-2)?.status).toMatch(/^v1: digest: sha256:[0-9a-f]{64} size: \d+$/);
  const again = await push(one, name);
  expect(again.filter((line) => line.status === 'Layer already exists')).toHaveLength(2);
  expect(again.filter((line) => line.status === 'Pushed')).toHaveLength(1);

  await using two = await openBench();
  const pulled = await pull(two, name, 'v1');
  const layer = pulled[1]?.id ?? '';
  const moving = /Downloading|Extracting/;
  expect(statuses(pulled).filter((line) => !moving.test(line ?? ''))).toEqual([
    'v1: Pulling from team/app',
    `${layer}: Pulling fs layer`,
    `${layer}: Verifying Checksum`,
    `${layer}: Download complete`,
    `${layer}: Pull complete`,
    expect.stringMatching(/^Digest: sha256:[0-9a-f]{64}$/),
    `Status: Downloaded newer image for ${name}:v1`,
  ]);
  const digest = pulled.at(-2)?.status?.slice('Digest: '.length) ?? '';
  expect(pulled.some((line) => line.status === 'Downloading' && line.progressDetail?.total)).toBe(true);
  expect((await two.images.inspect(base)).RepoDigests).toEqual([`${name}@${digest}`]);
  expect(two.events.at(-1)).toMatchObject({ action: 'pull', id: `${name}:v1`, attributes: { name } });
  const second = await pull(two, name, 'v2');
  expect(second[1]).toMatchObject({ id: layer, status: 'Already exists' });
  expect(two.images.layerPaths(two.images.resolve(top).id)).toHaveLength(2);
  expect(statuses(await pull(two, name, 'v2')).at(-1)).toBe(`Status: Image is up to date for ${name}:v2`);
  expect(statuses(await pull(two, name, digest)).at(-1)).toBe(`Status: Image is up to date for ${name}@${digest}`);

  await using all = await openBench();
  await pull(all, name, '');
  expect(
    (await all.images.list({ all: false, filters: {}, sharedSize: true })).flatMap((each) => each.RepoTags).sort(),
  ).toEqual([`${name}:v1`, `${name}:v2`]);

  await expect(pull(two, name, 'nope')).rejects.toMatchObject({
    class: 'NotFound',
    message: `manifest for ${name}:nope not found: manifest unknown: manifest unknown`,
  });
  const failed = await push(two, `${registry.host}/not/here`, 'latest');
  expect(failed.at(-1)?.error).toBe(`An image does not exist locally with the tag: ${registry.host}/not/here`);
});

test('a registry that is not there is an error that names it', async () => {
  await using bench = await openBench();
  await expect(pull(bench, '127.0.0.1:1/x')).rejects.toMatchObject({
    message: expect.stringContaining('http://127.0.0.1:1/v2/'),
  });
});

test('tokens are fetched with the credentials, which go no further than their registry', async () => {
  const image = await offeredImage();
  await using storage = await fakeRegistry((seen) => servedImage(image, seen));
  await using registry = await fakeRegistry((seen, host) => {
    if (seen.url.startsWith('/token')) return { body: JSON.stringify({ token: 'T1' }) };
    if (seen.authorization !== 'Bearer T1') {
      return {
        status: 401,
        headers: { 'www-authenticate': `Bearer realm="http://${host}/token",service="reg, istry"` },
      };
    }
    if (seen.url.includes('/blobs/'))
      return { status: 307, headers: { location: `http://${storage.host}${seen.url}` } };
    return servedImage(image, seen);
  });
  await using bench = await openBench();
  await pull(bench, `${registry.host}/private`, 'latest', { username: 'u', password: 'p:w' });
  expect(bench.images.count()).toBe(1);
  const tokens = registry.seen.filter(({ url }) => url.startsWith('/token'));
  expect(new Set(tokens.map(({ authorization }) => authorization))).toEqual(
    new Set([`Basic ${Buffer.from('u:p:w').toString('base64')}`]),
  );
  expect(tokens[0]?.url).toContain('scope=repository%3Aprivate%3Apull');
  expect(tokens[0]?.url).toContain('service=reg%2C+istry');
  expect(storage.seen.length).toBeGreaterThan(0);
  expect(storage.seen.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
});

test('basic credentials answer a basic challenge, and wrong ones are told apart', async () => {
  const image = await offeredImage();
  await using registry = await fakeRegistry((seen) =>
    seen.authorization === `Basic ${Buffer.from('u:p').toString('base64')}`
      ? servedImage(image, seen)
      : {
          status: 401,
          headers: { 'www-authenticate': 'Basic realm="x"' },
          body: '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
        },
  );
  await using bench = await openBench();
  const wrong = pull(bench, `${registry.host}/x`, 'latest', { username: 'u', password: 'wrong' });
  await expect(wrong).rejects.toMatchObject({
    class: 'Unauthorized',
    message: 'unauthorized: authentication required',
  });
  await pull(bench, `${registry.host}/x`, 'latest', { auth: Buffer.from('u:p').toString('base64') });
  expect(bench.images.count()).toBe(1);
});

test('the manifest for the platform is taken from a list', async () => {
  const image = await offeredImage();
  const list = (architecture: string) =>
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          ...image.descriptor(image.manifest, 'application/vnd.oci.image.manifest.v1+json'),
          platform: { os: 'linux', architecture },
        },
      ],
    });
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  await using registry = await fakeRegistry((seen) => {
    const type = { 'content-type': 'application/vnd.oci.image.index.v1+json' };
    if (seen.url.endsWith('/manifests/latest')) return { headers: type, body: list(architecture) };
    if (seen.url.endsWith('/manifests/other')) return { headers: type, body: list('s390x') };
    return servedImage(image, seen);
  });
  await using bench = await openBench();
  await pull(bench, `${registry.host}/x`);
  expect((await bench.images.inspect(`${registry.host}/x`)).RepoDigests[0]).toContain(digestOf(list(architecture)));
  const all = await pull(bench, `${registry.host}/x`, 'other');
  expect(all.at(-1)?.error).toBe(`no matching manifest for linux/${architecture} in the manifest list entries`);
});

test('a blob that does not match its digest is refused and leaves nothing', async () => {
  const image = await offeredImage();
  const forged = { ...image, layer: gzipSync(await tarOf([{ name: 'f', content: 'evil' }])) };
  const liar = await offeredImage({ config: { rootfs: { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}`] } } });
  for (const [answer, complaint] of [
    [
      (seen: Seen) => (seen.url.endsWith(digestOf(image.layer)) ? { body: forged.layer } : servedImage(image, seen)),
      'filesystem layer verification failed|bytes',
    ],
    [
      (seen: Seen) => (seen.url.endsWith(digestOf(image.config)) ? { body: '{}' } : servedImage(image, seen)),
      'image config verification failed',
    ],
    [(seen: Seen) => servedImage(liar, seen), 'the image configuration says'],
    [
      (seen: Seen) =>
        seen.url.includes('/manifests/')
          ? {
              headers: { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' },
              body: '{"schemaVersion":1}',
            }
          : {},
      'schema 1 support has been removed',
    ],
  ] as const) {
    await using registry = await fakeRegistry(answer);
    await using bench = await openBench();
    const error = await pull(bench, `${registry.host}/x`).then(
      (all) => all.at(-1)?.error,
      (thrown: Error) => thrown.message,
    );
    expect(error).toMatch(new RegExp(complaint));
    expect(bench.images.count()).toBe(0);
    expect(await readdir(join(bench.root, 'layers'))).toEqual([]);
    expect(await readdir(join(bench.root, 'blobs/sha256'))).toEqual([]);
    expect(await readdir(join(bench.root, 'blobs/tmp'))).toEqual([]);
  }
});

test('a manifest that does not match the digest that was asked for is refused and leaves nothing', async () => {
  const image = await offeredImage();
  await using registry = await fakeRegistry((seen) => servedImage(image, seen));
  await using bench = await openBench();
  const digest = `sha256:${'1'.repeat(64)}`;
  const error = await pull(bench, `${registry.host}/x`, digest).then(
    (all) => all.at(-1)?.error,
    (thrown: Error) => thrown.message,
  );
  expect(error).toMatch(/manifest verification failed for digest sha256:1/);
  expect(bench.images.count()).toBe(0);
  expect(await readdir(join(bench.root, 'blobs/sha256'))).toEqual([]);
});

test('a pull whose client leaves stops and leaves nothing', async () => {
  const image = await offeredImage();
  await using registry = await fakeRegistry((seen) =>
    seen.url.endsWith(digestOf(image.layer))
      ? { headers: { 'content-length': String(image.layer.length) }, body: image.layer.subarray(0, 10) }
      : servedImage(image, seen),
  );
  await using bench = await openBench();
  for await (const line of bench.images.pull({ image: `${registry.host}/x`, tag: 'latest', signal })) {
    if (line.status === 'Pulling fs layer') break;
  }
  expect(await readdir(join(bench.root, 'blobs/tmp'))).toEqual([]);
  expect(bench.images.count()).toBe(0);
});

test('a denied repository reads as in Docker, and a mirror that fails is passed over', async () => {
  await using registry = await fakeRegistry(({ url }) =>
    url === '/v2/'
      ? {}
      : { status: 403, body: '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}' },
  );
  await using bench = await openBench();
  await expect(pull(bench, `${registry.host}/x`)).rejects.toMatchObject({
    class: 'NotFound',
    message: `pull access denied for ${registry.host}/x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  });
  const image = await offeredImage();
  await using mirror = await fakeRegistry((seen) => servedImage(image, seen));
  await using mirrored = await openBench({ registryMirrors: [`http://${registry.host}`, `http://${mirror.host}`] });
  const all = await pull(mirrored, 'busybox', 'latest', { username: 'u', password: 'p' });
  expect(statuses(all)[0]).toBe('latest: Pulling from library/busybox');
  expect(statuses(all).at(-1)).toBe('Status: Downloaded newer image for busybox:latest');
  expect([...mirror.seen, ...registry.seen].filter(({ authorization }) => authorization)).toEqual([]);
  expect(
    await readFile(
      join(mirrored.images.layerPaths(mirrored.images.resolve(digestOf(image.config)).id)[0] ?? '', 'f'),
      'utf8',
    ),
  ).toBe('f');
});
