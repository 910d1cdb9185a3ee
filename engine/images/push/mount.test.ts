import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeRegistry, startRegistry } from '../../distribution/registry.fixture.js';
import { type Bench, importTar, lines, openBench, tarOf } from '../images.fixture.js';

const { signal } = new AbortController();
let registry: Awaited<ReturnType<typeof startRegistry>>;
let bench: Bench;

beforeAll(async () => {
  registry = await startRegistry();
  bench = await openBench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const push = async (on: Bench, ref: string) => {
  const said = await lines(on.images.push({ ref, tag: 'latest', signal }));
  expect(said.at(-1)?.error).toBeUndefined();
  return said.map(({ status }) => status);
};

test('a layer that another repository of the registry has is shared, not sent', async () => {
  await importTar(bench.images, await tarOf([{ name: 'f', content: 'shared' }]), `${registry.host}/team/one`, 'latest');
  expect(await push(bench, `${registry.host}/team/one`)).toContain('Pushed');
  await bench.images.tag(`${registry.host}/team/one`, `${registry.host}/other`, 'latest');
  const second = await push(bench, `${registry.host}/other`);
  expect(second).toContain('Mounted from team/one');
  expect(second).not.toContain('Pushed');
  expect(await push(bench, `${registry.host}/other`)).toContain('Layer already exists');

  // Where it was pulled is remembered, too, also after a restart.
  await using other = await openBench();
  await lines(other.images.pull({ image: `${registry.host}/other`, tag: 'latest', signal }));
  await other.reopen();
  await other.images.tag(`${registry.host}/other`, `${registry.host}/third`, 'latest');
  expect(await push(other, `${registry.host}/third`)).toContain('Mounted from other');
});

test('a registry that shares nothing gets the layer', async () => {
  const stored = new Set<string>();
  await using strict = await fakeRegistry(({ method, url, authorization }, host) => {
    const { pathname, searchParams } = new URL(url, `http://${host}`);
    if (pathname === '/token') {
      const scopes = searchParams.getAll('scope');
      // Nobody gets to read the first repository.
      if (scopes.includes('repository:first:pull')) return { status: 403 };
      return { body: JSON.stringify({ token: 'T' }) };
    }
    if (authorization !== 'Bearer T')
      return { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${host}/token",service="s"` } };
    if (method === 'HEAD') return stored.has(pathname) ? {} : { status: 404 };
    if (method === 'POST') return { status: 202, headers: { location: `${pathname}1` } };
    if (method !== 'PUT') return {};
    if (pathname.includes('/uploads/')) stored.add(pathname.replace(/uploads\/.*/, searchParams.get('digest') ?? ''));
    return { status: 201 };
  });
  await importTar(bench.images, await tarOf([{ name: 'f', content: 'kept' }]), `${strict.host}/first`, 'latest');
  await push(bench, `${strict.host}/first`);
  await bench.images.tag(`${strict.host}/first`, `${strict.host}/second`, 'latest');
  expect(await push(bench, `${strict.host}/second`)).toContain('Pushed');
  expect([...stored].filter((path) => path.startsWith('/v2/second/blobs/sha256:'))).toHaveLength(2);
});

test('the layer of an image from elsewhere is not looked for in this registry', async () => {
  await using away = await startRegistry();
  await importTar(bench.images, await tarOf([{ name: 'f', content: 'far' }]), `${away.host}/x`, 'latest');
  await push(bench, `${away.host}/x`);
  await bench.images.tag(`${away.host}/x`, `${registry.host}/y`, 'latest');
  const said = await push(bench, `${registry.host}/y`);
  expect(said.filter((status) => status?.startsWith('Mounted'))).toEqual([]);
  expect(said).toContain('Pushed');
});
