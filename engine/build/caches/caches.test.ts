import { expect, test } from 'vitest';
import { digestOf } from '../../content/blobs.js';
import { cacheConfigType, configOf, manifestOf, readCacheConfig, readCacheManifest } from './artifact.js';
import { cacheSource, cacheTarget } from './spec.js';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

test.each([
  ['app:1', { type: 'registry', ref: 'app:1' }],
  ['type=registry,ref=r.test/app', { type: 'registry', ref: 'r.test/app' }],
  [`type=local,"src=/a,b",digest=${digest('a')},tag=x`, { type: 'local', src: '/a,b', digest: digest('a') }],
])('%s is read', (text, source) => {
  expect(cacheSource(text)).toEqual(source);
});

test.each([
  ['type=inline,mode=max', { type: 'inline' }],
  ['type=registry,ref=app,mode=max,oci-mediatypes=true', { type: 'registry', ref: 'app', compression: 'gzip' }],
  ['type=local,dest=/a,compression=uncompressed,tag=t', { type: 'local', dest: '/a', compression: 'uncompressed' }],
])('%s is written', (text, target) => {
  expect(cacheTarget(text)).toEqual(target);
});

test.each([
  ['type=gha', /type=registry/],
  ['type=local,dest=', /requires dest/],
  ['type=registry', /requires ref/],
  ['type=registry,ref=a,mode=some', /mode: some/],
  ['type=registry,ref=a,compression=zstd', /gzip or uncompressed/],
  ['type=registry,ref=a,image-manifest=false', /leave image-manifest=false out/],
  ['type=registry,ref=a,registry.insecure=true', /--insecure-registry/],
  ['type=registry,ref=a,compression-level=3', /compression-level/],
  ['type=registry,ref=a,ignore-error=perhaps', /ignore-error/],
  ['type=inline,other=1', /option other/],
  ['mode=max', /type required/],
])('%s is refused', (text, message) => {
  expect(() => cacheTarget(text)).toThrow(message);
});

test('a directory of the client is read by a digest', () => {
  expect(() => cacheSource('type=local,src=/a')).toThrow(/digest/);
});

test('a cache that was written can be read', () => {
  const layers = [
    { diffId: digest('1'), digest: digest('a'), size: 5 },
    { diffId: digest('2'), digest: digest('a'), size: 5 },
  ];
  const config = configOf('words', layers);
  const manifest = manifestOf({ digest: digestOf(config), size: config.length }, layers, 'gzip').toString();
  const found = readCacheManifest(manifest);
  expect(found).toMatchObject({
    kind: 'cache',
    config: { digest: digestOf(config) },
    layers: [{ digest: digest('a') }],
  });
  const { text, layers: read } = readCacheConfig(config.toString(), found.kind === 'cache' ? found.layers : []);
  expect(text).toBe('words');
  expect([...read].map(([diffId, blob]) => [diffId, blob.digest])).toEqual([
    [digest('1'), digest('a')],
    [digest('2'), digest('a')],
  ]);
});

const hostile = { mediaType: cacheConfigType, digest: digest('c'), size: 1 };

test.each([
  ['no JSON', '{', /unsupported/],
  ['no object', '[]', /unsupported/],
  ['a digest that is a path', { config: { ...hostile, digest: '../../etc/passwd' } }, /digest/],
  ['a layer of another algorithm', { config: hostile, layers: [{ digest: 'md5:00', size: 1 }] }, /digest/],
  ['a size below zero', { config: { ...hostile, size: -1 } }, /size/],
  ["BuildKit's", { config: { mediaType: 'application/vnd.buildkit.cacheconfig.v0' } }, /BuildKit/],
  ["BuildKit's older", { manifests: [{ mediaType: 'application/vnd.buildkit.cacheconfig.v0' }] }, /BuildKit/],
  ['endless layers', { config: hostile, layers: Array.from({ length: 10_001 }, () => hostile) }, /no more than/],
])('a manifest is refused: %s', (_name, manifest, message) => {
  expect(() => readCacheManifest(typeof manifest === 'string' ? manifest : JSON.stringify(manifest))).toThrow(message);
});

test.each([
  ['no JSON', '{'],
  ['another version', { v: 2, cache: '', layers: [] }],
  ['no words', { v: 1, layers: [] }],
  [
    'a layer that the manifest does not have',
    { v: 1, cache: '', layers: [{ diffId: digest('1'), digest: digest('b') }] },
  ],
  ['content that has no digest', { v: 1, cache: '', layers: [{ diffId: 'x', digest: digest('a') }] }],
])('a configuration is refused: %s', (_name, config) => {
  const raw = typeof config === 'string' ? config : JSON.stringify(config);
  expect(() => readCacheConfig(raw, [{ mediaType: '', digest: digest('a'), size: 1 }])).toThrow(/the cache/);
});
