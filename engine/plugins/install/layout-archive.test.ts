import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../content/blobs.js';
import { mediaType } from '../../distribution/manifest.js';
import { tarOf } from '../../images/images.fixture.js';
import { type Bench, manifest, openBench } from '../plugins.fixture.js';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(async () => await bench?.[Symbol.asyncDispose]());

const { signal } = new AbortController();

async function expectNothing(): Promise<void> {
  expect(bench.plugins.list({})).toEqual([]);
  expect(await bench.left()).toEqual({ blobs: [], layers: [] });
}

describe('an archive of an OCI layout', () => {
  interface Layout {
    files: Record<string, Buffer | string>;
    index: { manifests: object[]; [more: string]: unknown };
  }
  const described = (content: Buffer | string, type: string) => ({
    mediaType: type,
    digest: digestOf(content),
    size: Buffer.byteLength(content),
  });
  const pathOf = (content: Buffer | string) => `blobs/sha256/${digestOf(content).slice(7)}`;
  const layerOf = async () => gzipSync(await tarOf([{ name: 'plugin', content: 'run' }]));

  async function layoutOf(change: (layout: Layout, parts: { layer: Buffer; artifact: string }) => void) {
    const layer = await layerOf();
    const config = JSON.stringify({ ...manifest, Strange: 'of others' });
    const own = {
      config: described(config, mediaType.dockerPlugin),
      layers: [described(layer, mediaType.dockerLayer)],
    };
    const artifact = JSON.stringify({ schemaVersion: 2, mediaType: mediaType.dockerManifest, ...own });
    const layout: Layout = {
      files: { [pathOf(layer)]: layer, [pathOf(config)]: config, [pathOf(artifact)]: artifact },
      index: { schemaVersion: 2, manifests: [described(artifact, mediaType.dockerManifest)] },
    };
    change(layout, { layer, artifact });
    const all = { 'oci-layout': '{}', ...layout.files, 'index.json': JSON.stringify(layout.index) };
    return await tarOf(Object.entries(all).map(([name, content]) => ({ name, content })));
  }

  test('is a plugin with the digest that it has, and gives the same archive again', async () => {
    const archive = await layoutOf(({ index }, { artifact }) => {
      const other = described(artifact, mediaType.dockerManifest);
      index.manifests.push({
        ...other,
        digest: `sha256:${'0'.repeat(64)}`,
        platform: { os: 'plan9', architecture: 'x' },
      });
    });
    await bench.plugins.create('x', Readable.from([gzipSync(archive)]), signal);
    const saved = await buffer(await bench.plugins.save('x', 'oci'));
    await bench.plugins.remove('x', { force: false });
    await expectNothing();
    await bench.plugins.create('y', Readable.from([saved]), signal);
    const again = await buffer(await bench.plugins.save('y', 'oci'));
    expect(again.toString('latin1').replaceAll('y:latest', 'x:latest')).toBe(saved.toString('latin1'));
    await bench.plugins.remove('y', { force: false });
    await expectNothing();
  });

  const layouts: [what: string, change: Parameters<typeof layoutOf>[0], why: string][] = [
    ['without its layer', ({ files }, { layer }) => delete files[pathOf(layer)], 'is missing'],
    [
      'with another layer under its digest',
      ({ files }, { layer }) => {
        files[pathOf(layer)] = Buffer.from(layer).fill(0, 20, 24);
      },
      'does not have that digest',
    ],
    [
      'with a tampered manifest',
      ({ files }, { artifact }) => {
        files[pathOf(artifact)] = artifact.replace('"schemaVersion":2', '"schemaVersion":3');
      },
      'does not have that digest',
    ],
    [
      'with sizes that are wrong',
      ({ index }, { artifact }) => {
        index.manifests = [{ ...described(artifact, mediaType.dockerManifest), size: 1 }];
      },
      'not 1',
    ],
    ['of nothing', ({ index }) => void index.manifests.pop(), 'holds no plugin for linux/'],
    [
      'of an image',
      ({ index, files }) => {
        const image = JSON.stringify({
          schemaVersion: 2,
          config: described('{}', mediaType.ociConfig),
          layers: [],
        });
        files[pathOf(image)] = image;
        index.manifests = [described(image, mediaType.ociManifest)];
      },
      'it is an image',
    ],
    [
      'of several',
      ({ index, files }, { artifact }) => {
        const other = ` ${artifact}`;
        files[pathOf(other)] = other;
        index.manifests.push(described(other, mediaType.dockerManifest));
      },
      'holds several plugins',
    ],
    [
      'that is a plugin of the other form, too',
      ({ files }) => void Object.assign(files, { 'rootfs/x': '' }),
      'it can be only one',
    ],
  ];
  test.each(layouts)('%s', async (_what, change, why) => {
    const archive = await layoutOf(change);
    await expect(bench.plugins.create('x', Readable.from([archive]), signal)).rejects.toThrow(why);
    await expectNothing();
  });

  test('and one of the usual form with a layout in it', async () => {
    const archive = await tarOf([
      { name: 'config.json', content: JSON.stringify(manifest) },
      { name: 'rootfs/', type: 'directory' },
      { name: 'oci-layout', content: '{}' },
    ]);
    await expect(bench.plugins.create('x', Readable.from([archive]), signal)).rejects.toThrow('it can be only one');
    await expectNothing();
  });
});
