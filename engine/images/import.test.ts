import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { fakeRegistry } from '../distribution/registry.fixture.js';
import { type Bench, lines, openBench, tarOf } from './images.fixture.js';
import type { ImportOptions } from './service.js';

const { signal } = new AbortController();
const tar = () => tarOf([{ name: 'f', content: 'content' }]);

const importing = (bench: Bench, options: Partial<ImportOptions> & Pick<ImportOptions, 'source'>) =>
  lines(bench.images.import({ repository: 'app', tag: '1', message: '', changes: [], signal, ...options }));

async function fileOf(bench: Bench, ref: string): Promise<string> {
  const [layer = ''] = bench.images.layerPaths(bench.images.resolve(ref).id);
  return await readFile(join(layer, 'f'), 'utf8');
}

test.each<[string, (data: Buffer) => Buffer]>([
  ['not at all', (data) => data],
  ['by gzip', gzipSync],
  ...['zstd', 'xz', 'bzip2'].map((command): [string, (data: Buffer) => Buffer] => [
    `by ${command}`,
    (data) => execFileSync(command, ['-c'], { input: data }),
  ]),
])('a tar that is compressed %s is imported', async (_how, packed) => {
  await using bench = await openBench();
  await importing(bench, { source: Readable.from([packed(await tar())]) });
  expect(await fileOf(bench, 'app:1')).toBe('content');
});

test('changes and a platform make the configuration', async () => {
  await using bench = await openBench();
  const changes = ['ENV A=b', 'CMD ["x"]', 'EXPOSE 80', 'LABEL l=1'];
  await importing(bench, { source: Readable.from([await tar()]), changes, platform: 'linux/arm/v6', message: 'm' });
  const { Config, Architecture, Variant, Comment } = await bench.images.inspect('app:1');
  expect(Config).toMatchObject({ Env: ['A=b'], Cmd: ['x'], ExposedPorts: { '80/tcp': {} }, Labels: { l: '1' } });
  expect([Architecture, Variant, Comment]).toEqual(['arm', 'v6', 'm']);
  const refused = importing(bench, { source: Readable.from([await tar()]), changes: ['FROM x'] });
  await expect(refused).rejects.toMatchObject({ class: 'InvalidParameter' });
});

test('a file of a web server is imported, and its credentials are told to nobody', async () => {
  const archive = gzipSync(await tar());
  await using server = await fakeRegistry(({ url, authorization }) => {
    if (url !== '/root.tgz') return undefined;
    if (authorization !== `Basic ${Buffer.from('me:secret').toString('base64')}`) return { status: 401 };
    return { headers: { 'content-length': String(archive.length) }, body: archive };
  });
  await using bench = await openBench();
  const said = await importing(bench, { source: `http://me:secret@${server.host}/root.tgz` });
  expect(said[0]).toEqual({ status: `Downloading from http://xxxxx:xxxxx@${server.host}/root.tgz` });
  expect(said.some(({ status }) => status === 'Importing')).toBe(true);
  expect(await fileOf(bench, 'app:1')).toBe('content');
  expect(JSON.stringify([said, await bench.images.history('app:1')])).not.toContain('secret');
  await expect(importing(bench, { source: `http://${server.host}/none` })).rejects.toMatchObject({
    class: 'NotFound',
    message: `failed to GET http://${server.host}/none with status 404 Not Found`,
  });
  await expect(importing(bench, { source: `http://${server.host}/root.tgz` })).rejects.toMatchObject({
    class: 'Unauthorized',
  });
  expect(bench.images.count()).toBe(1);
});
