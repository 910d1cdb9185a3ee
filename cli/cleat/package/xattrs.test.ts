import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getXattr, listXattrs, setXattr } from '@cleat/linux/syscall/files';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addLayer } from './layer.js';
import { Layout } from './layout.js';
import { addDirectory, Tree } from './tree.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-xattrs-');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** `cap_net_raw+ep`, as linux/capability.h lays it out, of the revision before user namespaces. */
const netRaw = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/** @param names in the order in which they are set */
function root(name: string, ...names: string[]): string {
  const place = join(directory, name);
  mkdirSync(join(place, 'sub'), { recursive: true });
  writeFileSync(join(place, 'program'), '#!');
  for (const each of names) setXattr(join(place, 'program'), each, Buffer.from([0, 0xff, ...Buffer.from(each)]));
  setXattr(join(place, 'program'), 'security.capability', netRaw);
  setXattr(join(place, 'program'), 'trusted.here', Buffer.from('of this host'));
  setXattr(join(place, 'sub'), 'user.note', Buffer.from('of a directory'));
  linkSync(join(place, 'program'), join(place, 'same'));
  return place;
}

async function layerOf(place: string, layout: Layout, plainModes = false) {
  const tree = new Tree();
  addDirectory(tree, place, '', { plainModes });
  return await addLayer(layout, tree, 0, { cache: undefined, signal: new AbortController().signal });
}

test('capabilities of files and attributes of users are kept, in whichever order they lie', async () => {
  await using layout = await Layout.open();
  const made = await layerOf(root('one', 'user.a', 'user.b'), layout);
  expect(await layerOf(root('two', 'user.b', 'user.a'), layout)).toEqual(made);
  const out = join(directory, 'out');
  mkdirSync(out);
  execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-xzf', layout.path(made.digest), '-C', out]);
  for (const name of ['program', 'same']) {
    const path = join(out, name);
    expect(listXattrs(path).sort()).toEqual(['security.capability', 'user.a', 'user.b']);
    expect(getXattr(path, 'security.capability')).toEqual(netRaw);
    expect(getXattr(path, 'user.a')).toEqual(Buffer.from([0, 0xff, ...Buffer.from('user.a')]));
  }
  expect(getXattr(join(out, 'sub'), 'user.note').toString()).toBe('of a directory');
});

test('a project is not what its host noted on its files', async () => {
  await using layout = await Layout.open();
  const noted = await layerOf(root('one', 'user.a'), layout, true);
  expect(await layerOf(root('two'), layout, true)).toEqual(noted);
});
