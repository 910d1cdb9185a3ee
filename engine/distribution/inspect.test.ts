import { expect, test } from 'vitest';
import { digestOf } from '../content/blobs.js';
import { openBench } from '../images/images.fixture.js';
import { fakeRegistry, offeredImage, servedImage } from './registry.fixture.js';

const { signal } = new AbortController();

test('a registry tells of an image without its coming here', async () => {
  const image = await offeredImage();
  const child = image.descriptor(image.manifest, 'application/vnd.oci.image.manifest.v1+json');
  const platform = (architecture: string, variant?: string) => ({ os: 'linux', architecture, variant });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      { ...child, platform: platform('amd64') },
      { ...child, platform: platform('arm', 'v7') },
    ],
  });
  await using registry = await fakeRegistry((seen) => {
    if (seen.authorization !== `Basic ${Buffer.from('u:p').toString('base64')}`)
      return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    if (seen.url.endsWith('/manifests/list')) return { body: index };
    if (seen.url.endsWith('/manifests/gone')) {
      const errors = [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }];
      return { status: 404, body: JSON.stringify({ errors }) };
    }
    return servedImage(image, seen);
  });
  await using bench = await openBench();
  const auth = { username: 'u', password: 'p' };
  const inspect = (name: string) => bench.images.inspectRemote(name, auth, signal);
  expect(await inspect(`${registry.host}/x`)).toEqual({
    Descriptor: child,
    Platforms: [{ os: 'linux', architecture: 'amd64' }],
  });
  expect(await inspect(`${registry.host}/x@${child.digest}`)).toMatchObject({ Descriptor: child });
  expect(await inspect(`${registry.host}/x:list`)).toEqual({
    Descriptor: {
      mediaType: 'application/vnd.oci.image.index.v1+json',
      digest: digestOf(index),
      size: Buffer.byteLength(index),
    },
    Platforms: [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ],
  });
  expect(bench.images.count()).toBe(0);
  await expect(inspect(`${registry.host}/x:gone`)).rejects.toMatchObject({ class: 'NotFound' });
  await expect(inspect('a'.repeat(64))).rejects.toThrow('no manifest found for full image ID');
  await expect(inspect('UPPER/x:y:z')).rejects.toMatchObject({ class: 'InvalidParameter' });
});
