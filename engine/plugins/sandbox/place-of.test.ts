import { readManifest } from '@cleat/protocol/plugins/manifest';
import { applySettings, defaultSettings } from '@cleat/protocol/plugins/settings';
import { expect, test } from 'vitest';
import { placeOf } from './place-of.js';

const places = { propagated: '/data/p/propagated-mount', rootfs: '/exec/p/rootfs' };

function place(path: string, more: object = {}, set: readonly string[] = []) {
  const manifest = readManifest(JSON.stringify({ PropagatedMount: '/mnt/v', ...more }), 'lenient');
  const settings = applySettings(manifest, defaultSettings(manifest), set);
  return placeOf(places, { manifest, settings }, path);
}

test.each([
  ['/mnt/v/one', places.propagated, 'one'],
  ['/mnt/v//one/./two/', places.propagated, 'one/two'],
  ['/mnt/v', places.propagated, '.'],
  // A sibling whose name begins alike is none of it.
  ['/mnt/v2/one', places.rootfs, 'mnt/v2/one'],
  ['/mnt/volumes', places.rootfs, 'mnt/volumes'],
  ['/', places.rootfs, '.'],
  // Nor is what it reaches by going up.
  ['/mnt/v/../../../etc', places.rootfs, 'etc'],
  ['/mnt/v/..', places.rootfs, 'mnt'],
  ['../../mnt/v/x', places.propagated, 'x'],
  ['', places.rootfs, '.'],
])('%s lies in %s', (path, root, within) => {
  expect(place(path)).toEqual({ root, within });
});

test('in a directory of the host that it was given it is that; the deepest counts', () => {
  const mount = (Name: string, Source: string, Destination: string) => ({
    Name,
    Source,
    Destination,
    Type: 'bind',
    Options: ['rbind'],
    Settable: ['source'],
  });
  const Mounts = [mount('state', '/srv', '/mnt/v/state'), mount('all', '/', '/host')];
  expect(place('/mnt/v/state/x', { Mounts })).toEqual({ root: '/srv', within: 'x' });
  expect(place('/mnt/v/state/x', { Mounts }, ['state=/other'])).toEqual({ root: '/other', within: 'x' });
  expect(place('/host/etc', { Mounts })).toEqual({ root: '/', within: 'etc' });
  expect(place('/mnt/v/x', { Mounts })).toEqual({ root: places.propagated, within: 'x' });
});
