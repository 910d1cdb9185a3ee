import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { emptyRegistry, FakeSource } from './fakes.fixture.js';
import type { Extensions, Registration } from './service.js';

let extensions: Extensions;
let closed: string[];
beforeEach(() => {
  extensions = emptyRegistry();
  closed = [];
});
afterEach(() => extensions.close());

function registration(name: string, more: Partial<Registration> = {}, source = new FakeSource()): Registration {
  const close = source.close.bind(source);
  source.close = async () => {
    await close();
    closed.push(name);
  };
  return { name: `${name}:latest`, aliases: [name], kinds: ['VolumeDriver'], origin: 'a test', source, ...more };
}
const status = (name: string) => extensions.list().find((one) => one.name === `${name}:latest`);

describe('needs', () => {
  test('an extension that is not there yet: it is waited for, which is shown, until it comes', async () => {
    const registered = extensions.register(registration('a', { needs: ['b'] }));
    await expect(registered.activated()).rejects.toThrow("it needs the extension 'b', which is not there");
    expect(status('a')).toMatchObject({ state: 'unreachable', needs: ['b'] });
    extensions.register(registration('b'));
    await expect.poll(() => status('a')?.state).toBe('active');
    expect(status('a')?.needs).toEqual(['b:latest']);
    expect(extensions.dependents('b')).toEqual(['a:latest']);
    expect(extensions.dependents('a')).toEqual([]);
  });

  test('an extension that does not answer: why is told', async () => {
    const b = new FakeSource();
    b.absent = true;
    extensions.register(registration('b', {}, b));
    const a = extensions.register(registration('a', { needs: ['b:latest'] }));
    await expect(a.activated()).rejects.toThrow("it needs the extension 'b:latest': plugin");
  });

  test('a kind: it means all others of it, and nobody depends on one of several', async () => {
    const c = extensions.register(registration('c', { needs: ['VolumeDriver'] }));
    extensions.register(registration('a'));
    expect(extensions.dependents('a')).toEqual(['c:latest']);
    extensions.register(registration('b'));
    expect(c.status.needs).toEqual(['a:latest', 'b:latest']);
    await expect.poll(() => c.status.state).toBe('active');
    expect(extensions.dependents('a')).toEqual([]);
  });

  test('an entry of a manifest', async () => {
    const directory = mkdtempSync('/tmp/cleat-dep-');
    const manifest = `${directory}/manifest.yaml`;
    writeFileSync(manifest, 'extensions: { volume-local: { driver: local, module: /none.js, kinds: [VolumeDriver] } }');
    const more = emptyRegistry({ manifestPaths: [manifest] });
    const registered = more.register(registration('a', { needs: ['volume-local'] }));
    await expect(registered.activated()).rejects.toThrow("it needs the extension 'volume-local': ");
    await more.close();
    rmSync(directory, { recursive: true });
  });
});

test('one comes after another that fails as after one that answers', async () => {
  const b = new FakeSource();
  b.absent = true;
  extensions.register(registration('b', {}, b));
  await extensions.register(registration('a', { after: ['b', 'nobody'] })).activated();
  expect(status('a')?.after).toEqual(['b:latest', 'nobody']);
});

test('a circle is refused with the names, when it closes, and then nothing has changed', async () => {
  extensions.register(registration('a', { needs: ['b'] }));
  const b = extensions.register(registration('b', { after: ['c'] }));
  expect(() => extensions.register(registration('c', { needs: ['a'] }))).toThrow(
    expect.objectContaining({
      class: 'InvalidParameter',
      message: expect.stringContaining("'a:latest' waits for 'b:latest' waits for 'c:latest' waits for 'a:latest'"),
    }),
  );
  expect(() => extensions.register(registration('d', { needs: ['d'] }))).toThrow("'d:latest' waits for 'd:latest'");
  await expect(b.replace(registration('b', { needs: ['a'] }))).rejects.toThrow("'a:latest' waits for 'b:latest'");
  expect(extensions.names(volumeKind)).toEqual(['a:latest', 'b:latest']);
  expect(status('b')).toMatchObject({ after: ['c'], needs: [] });
  await b.activated();
});

test('each is stopped before what it needs', async () => {
  extensions.register(registration('base'));
  extensions.register(registration('top', { needs: ['middle'] }));
  extensions.register(registration('middle', { after: ['base'] }));
  await expect.poll(() => status('top')?.state).toBe('active');
  await extensions.close();
  expect(closed).toEqual(['top', 'middle', 'base']);
  expect(() => extensions.register(registration('late'))).toThrow('the engine shuts down');
});
