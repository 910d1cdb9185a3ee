import { generateKeyPairSync } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digestOf } from '../content/blobs.js';
import { hostPlatform } from '../content/platform.js';
import { mediaType } from '../distribution/manifest.js';
import { fakeRegistry } from '../distribution/registry.fixture.js';
import { type Entry, tarOf } from '../images/images.fixture.js';
import { type Bench, granted, manifest, openBench } from './plugins.fixture.js';

/** Archives and registries that lie. Each is refused with a reason, and leaves nothing. */
let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(async () => await bench?.[Symbol.asyncDispose]());

const { signal } = new AbortController();
const config = { name: 'config.json', content: JSON.stringify(manifest) };
const root = { name: 'rootfs/plugin', content: 'run' };

async function expectNothing(): Promise<void> {
  expect(bench.plugins.list({})).toEqual([]);
  expect(await bench.left()).toEqual({ blobs: [], layers: [] });
}

const archives: [what: string, entries: readonly Entry[], why: string | RegExp][] = [
  ['without a manifest', [root], 'config not found'],
  ['without a root file system', [config], 'no rootfs found'],
  ['with two manifests', [config, root, config], 'two files config.json'],
  [
    'whose manifest is a link',
    [{ name: 'config.json', type: 'symlink', linkname: '/etc/passwd' }, root],
    'is not a file',
  ],
  ['whose manifest is no JSON', [{ ...config, content: '{' }, root], 'invalid plugin manifest'],
  ['with a member that nobody knows', [{ ...config, content: '{"Entrypoint":["/p"],"Netwrk":{}}' }, root], /Netwrk/],
  [
    'with a wrong type',
    [{ ...config, content: '{"Linux":{"Devices":[{"Path":7}]}}' }, root],
    /Linux\.Devices\[0\]\.Path/,
  ],
  ['with a large manifest', [{ ...config, content: `"${'x'.repeat(1_100_000)}"` }, root], 'larger than'],
  ['with a name that leads out', [config, root, { name: 'rootfs/../../etc/passwd', content: '' }], 'leads out of it'],
  ['with a name above it', [config, root, { name: '../x', content: '' }], 'leads out of it'],
  [
    'with a link out of it',
    [config, root, { name: 'rootfs/l', type: 'link', linkname: 'config.json' }],
    'outside of rootfs',
  ],
  ['with a root that is a file', [config, { name: 'rootfs', content: '' }], 'rootfs is not a directory'],
];

test.each(archives)('an archive %s', async (_what, entries, why) => {
  const archive = Readable.from([await tarOf(entries)]);
  await expect(bench.plugins.create('x', archive, signal)).rejects.toMatchObject({
    class: 'InvalidParameter',
    message: expect.stringMatching(why),
  });
  await expectNothing();
});

test('an archive that is no tar, or that is cut', async () => {
  await expect(bench.plugins.create('x', Readable.from([Buffer.alloc(4096, 'x')]), signal)).rejects.toThrow();
  const whole = await tarOf([config, { ...root, content: 'x'.repeat(4096) }]);
  await expect(bench.plugins.create('x', Readable.from([whole.subarray(0, -3000)]), signal)).rejects.toThrow(
    'unexpected EOF',
  );
  await expectNothing();
});

test('a symlink in the archive leads to a place inside of it', async () => {
  const archive = await tarOf([
    config,
    root,
    { name: 'rootfs/etc/', type: 'directory' },
    { name: 'rootfs/out', type: 'symlink', linkname: '/etc' },
    { name: 'rootfs/out/escaped', content: 'here' },
  ]);
  await bench.plugins.create('x', Readable.from([gzipSync(archive)]), signal);
  await bench.plugins.remove('x', { force: false });
  await expectNothing();
});

/** A registry that offers a plugin; each test changes something of it. */
async function offer(change: {
  config?: string;
  configType?: string;
  layer?: (layer: Buffer) => Buffer;
  layerType?: string;
  manifest?: (manifest: object) => object;
}) {
  const layer = gzipSync(await tarOf([{ name: 'plugin', content: 'run' }]));
  const text = change.config ?? JSON.stringify(manifest);
  const whole = {
    schemaVersion: 2,
    mediaType: mediaType.dockerManifest,
    config: {
      mediaType: change.configType ?? mediaType.dockerPlugin,
      digest: digestOf(text),
      size: Buffer.byteLength(text),
    },
    layers: [{ mediaType: change.layerType ?? mediaType.dockerLayer, digest: digestOf(layer), size: layer.length }],
  };
  const artifact = JSON.stringify(change.manifest?.(whole) ?? whole);
  const asked: string[] = [];
  const registry = await fakeRegistry(({ url }) => {
    asked.push(url);
    if (url === '/v2/') return {};
    if (/manifests\/(latest|sha256:)/.test(url)) {
      return url.includes('.sig')
        ? undefined
        : { headers: { 'content-type': mediaType.dockerManifest }, body: artifact };
    }
    if (url.endsWith(digestOf(text))) return { body: text };
    if (url.endsWith(digestOf(layer))) return { body: change.layer?.(layer) ?? layer };
    return undefined;
  });
  return Object.assign(registry, { asked, layerDigest: digestOf(layer) });
}

const offers: [what: string, change: Parameters<typeof offer>[0], why: string | RegExp][] = [
  ['an image', { configType: mediaType.dockerConfig }, /did not find plugin config .*: it is an image/],
  ['something else', { configType: 'application/vnd.cncf.helm.config.v1+json' }, /vnd\.cncf\.helm/],
  ['a plugin with a strange layer', { layerType: 'application/x-diary' }, 'unsupported media type application/x-diary'],
  ['a plugin without layers', { manifest: (one) => ({ ...one, layers: [] }) }, 'has no layers'],
  [
    'a plugin with too many',
    { manifest: (one) => ({ ...one, layers: Array.from({ length: 126 }, () => Reflect.get(one, 'layers')[0]) }) },
    'more than 125',
  ],
  ['a manifest with a wrong type', { config: '{"Entrypoint":7}' }, /Entrypoint/],
  ['a manifest that mounts over its own', { config: '{"Interface":{"Socket":"../x"}}' }, /Socket/],
  [
    'a needed path that is not there',
    {
      config: JSON.stringify({
        ...manifest,
        Mounts: [{ Source: '/nonexistent/dir', Destination: '/d', Type: 'bind', Options: ['rbind'] }],
      }),
    },
    'bind source path does not exist: /nonexistent/dir',
  ],
  [
    'a device that is not there',
    { config: JSON.stringify({ ...manifest, Linux: { ...manifest.Linux, Devices: [{ Path: '/dev/nonexistent' }] } }) },
    '/dev/nonexistent',
  ],
];

test.each(offers)('a registry that offers %s', async (_what, change, why) => {
  await using registry = await offer(change);
  const privileges = [
    ...granted,
    ...(change.config?.includes('/nonexistent/dir')
      ? [{ Name: 'mount', Description: '', Value: ['/nonexistent/dir'] }]
      : []),
    ...(change.config?.includes('/dev/nonexistent')
      ? [{ Name: 'device', Description: '', Value: ['/dev/nonexistent'] }]
      : []),
  ];
  await expect(bench.pull(`${registry.host}/p`, { privileges })).rejects.toThrow(why);
  expect(registry.asked.filter((url) => url.includes(registry.layerDigest))).toEqual([]);
  await expectNothing();
});

test.each([
  ['other bytes', (layer: Buffer) => Buffer.from(layer).fill(0, 20, 24), /verification failed/],
  ['fewer bytes', (layer: Buffer) => layer.subarray(0, -5), /offers \d+ bytes|unexpected EOF/],
])('a layer of %s', async (_what, layer, why) => {
  await using registry = await offer({ layer });
  const told = await bench.pull(`${registry.host}/p`);
  expect(told.at(-1)?.error).toMatch(why);
  await expectNothing();
});

test('a plugin that nobody has signed is refused where a signature is asked for, before its layers and its manifest come', async () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  bench.trust = [{ name: '*', keys: [{ path: 'publisher.pub', pem }], unsigned: false }];
  try {
    await using registry = await offer({});
    const refusal = { class: 'Forbidden', message: expect.stringContaining('is not trusted: it has no signature') };
    await expect(bench.pull(`${registry.host}/p`)).rejects.toMatchObject(refusal);
    await expect(bench.plugins.privileges(`${registry.host}/p`, { signal })).rejects.toMatchObject(refusal);
    expect(registry.asked.filter((url) => url.includes('/blobs/'))).toEqual([]);
  } finally {
    bench.trust = [];
  }
  await expectNothing();
});

test('an index for several platforms gives the plugin of this one; an index without it is refused', async () => {
  const layer = gzipSync(await tarOf([{ name: 'plugin', content: 'run' }]));
  const blobs = new Map<string, Buffer | string>([[digestOf(layer), layer]]);
  const described = (content: Buffer | string, type: string) => {
    blobs.set(digestOf(content), content);
    return { mediaType: type, digest: digestOf(content), size: Buffer.byteLength(content) };
  };
  const artifact = (architecture: string) => {
    const config = JSON.stringify({ ...manifest, Description: architecture });
    const layers = [described(layer, mediaType.dockerLayer)];
    const own = { config: described(config, mediaType.dockerPlugin), layers };
    return JSON.stringify({ schemaVersion: 2, mediaType: mediaType.dockerManifest, ...own });
  };
  const { architecture: here } = hostPlatform();
  const indexOf = (...architectures: string[]) =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.ociIndex,
      manifests: architectures.map((architecture) => ({
        ...described(artifact(architecture), mediaType.dockerManifest),
        platform: { os: 'linux', architecture },
      })),
    });
  const tags: Record<string, string> = { several: indexOf('s390x', here), others: indexOf('s390x') };
  let authorized = 0;
  await using registry = await fakeRegistry(({ url, authorization }, host) => {
    if (url.startsWith('/token')) {
      authorized++;
      // Registries give another permission for plugins.
      expect(decodeURIComponent(url)).toContain('scope=repository(plugin):p:pull');
      return { body: '{"token":"t"}' };
    }
    if (authorization !== 'Bearer t') {
      return { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${host}/token",service="test"` } };
    }
    const name = url.split('/').at(-1) ?? '';
    const index = tags[name];
    if (index !== undefined) return { headers: { 'content-type': mediaType.ociIndex }, body: index };
    const blob = blobs.get(name);
    const type = url.includes('/manifests/') ? mediaType.dockerManifest : 'application/octet-stream';
    if (url === '/v2/') return {};
    return blob === undefined ? undefined : { headers: { 'content-type': type }, body: blob };
  });
  await expect(bench.pull(`${registry.host}/p:others`)).rejects.toThrow(`no matching manifest for linux/${here}`);
  await bench.pull(`${registry.host}/p:several`, { name: 'here' });
  expect(authorized).toBeGreaterThan(0);
  expect(bench.plugins.inspect('here').Config.Description).toBe(here);
  await bench.plugins.remove('here', { force: false });
  await expectNothing();
});
