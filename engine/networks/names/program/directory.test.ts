import { expect, test } from 'vitest';
import type { Link, NamedContainer, NamedPlace } from '../messages.js';
import { Directory } from './directory.js';

function sandbox(id: string, ...places: NamedPlace[]): NamedContainer {
  return { containerId: id, path: '', places, servers: [], asksHost: false };
}

function on(network: string, address: string, names: string[], links: Link[] = []): NamedPlace {
  return { networkId: `id-${network}`, networkName: network, addresses: [address], names, links };
}

test('names and aliases, in any case, also with the network; only on networks of the one who asks', () => {
  const names = new Directory();
  names.enter(sandbox('a', on('Net', '10.0.0.1', ['a', 'Web'])));
  names.enter(sandbox('b', on('Net', '10.0.0.2', ['b', 'web']), on('x.y', '10.1.0.2', ['b', 'b.c'])));
  names.enter(sandbox('c', on('x.y', '10.1.0.3', ['c'])));
  expect(names.addressesOf('a', 'B')).toEqual(['10.0.0.2']);
  expect(names.addressesOf('a', 'WEB')).toEqual(['10.0.0.1', '10.0.0.2']);
  expect(names.addressesOf('a', 'b.net')).toEqual(['10.0.0.2']);
  expect(names.addressesOf('a', 'b.x.y')).toBeUndefined();
  expect(names.addressesOf('a', 'c')).toBeUndefined();
  expect(names.addressesOf('b', 'b.x.y')).toEqual(['10.1.0.2']);
  expect(names.addressesOf('c', 'b.c.x.y')).toEqual(['10.1.0.2']);
  expect(names.addressesOf('c', '.x.y')).toBeUndefined();
  expect(names.nameOf('a', '10.0.0.2')).toBe('b.Net');
  expect(names.nameOf('c', '10.1.0.2')).toBe('b.x.y');
  expect(names.nameOf('a', '10.1.0.2')).toBeUndefined();
});

test('a container that goes, or gets other names, is no longer known by the old ones', () => {
  const names = new Directory();
  names.enter(sandbox('a', on('n', '10.0.0.1', ['a'])));
  names.enter(sandbox('b', on('n', '10.0.0.2', ['b', 'web'])));
  names.enter(sandbox('b', on('n', '10.0.0.2', ['b2'])));
  expect(names.addressesOf('a', 'b')).toBeUndefined();
  expect(names.addressesOf('a', 'web')).toBeUndefined();
  expect(names.addressesOf('a', 'b2')).toEqual(['10.0.0.2']);
  names.leave('b');
  expect(names.addressesOf('a', 'b2')).toBeUndefined();
  expect(names.nameOf('a', '10.0.0.2')).toBeUndefined();
  expect(names.addressesOf('b', 'a')).toBeUndefined();
});

test('a link leads to its container, whatever that one or another is called by now', () => {
  const names = new Directory();
  const links = [
    { alias: 'DB', name: 'la', containerId: 'la' },
    { alias: 'later', name: 'late' },
  ];
  names.enter(sandbox('a', on('n', '10.0.0.1', ['a'], links)));
  names.enter(sandbox('la', on('n', '10.0.0.2', ['la2'])));
  names.enter(sandbox('new', on('n', '10.0.0.3', ['la', 'late'])));
  expect(names.addressesOf('a', 'db')).toEqual(['10.0.0.2']);
  expect(names.addressesOf('a', 'db.n')).toEqual(['10.0.0.2']);
  expect(names.addressesOf('a', 'later')).toEqual(['10.0.0.3']);
  expect(names.addressesOf('new', 'db')).toBeUndefined();
  names.leave('la');
  expect(names.addressesOf('a', 'db')).toBeUndefined();
});

test('endpoints of other hosts come after all containers of this one', () => {
  const names = new Directory();
  names.enter(sandbox('a', on('n', '10.0.0.1', ['a']), on('m', '10.1.0.1', ['a'])));
  names.enter(sandbox('b', on('m', '10.1.0.2', ['b'])));
  names.enter(sandbox('c', on('o', '10.2.0.3', ['c'])));
  const far = (address: string, ...known: string[]) => ({ names: known, addresses: [address] });
  names.enterElsewhere('id-n', [
    far('10.0.0.7', 'Far', 'web'),
    far('10.0.0.8', 'far2', 'web', 'b'),
    far('10.0.0.9', 'registry.example.org'),
    far('10.0.0.1', 'thief'),
  ]);
  expect(names.addressesOf('a', 'FAR')).toEqual(['10.0.0.7']);
  expect(names.addressesOf('a', 'far.n')).toEqual(['10.0.0.7']);
  expect(names.addressesOf('a', 'far.m')).toBeUndefined();
  expect(names.addressesOf('a', 'web')).toEqual(['10.0.0.7', '10.0.0.8']);
  // Also where this host has the name on another network.
  expect(names.addressesOf('a', 'b')).toEqual(['10.1.0.2']);
  expect(names.addressesOf('a', 'b.n')).toEqual(['10.0.0.8']);
  // The world's names are not a plugin's to give.
  expect(names.addressesOf('a', 'registry.example.org')).toBeUndefined();
  expect(names.addressesOf('a', 'registry.example.org.n')).toEqual(['10.0.0.9']);
  expect(names.nameOf('a', '10.0.0.7')).toBe('Far.n');
  expect(names.nameOf('a', '10.0.0.1')).toBe('a.n');
  for (const name of ['far', 'far.n']) expect(names.addressesOf('c', name)).toBeUndefined();
  expect(names.nameOf('c', '10.0.0.7')).toBeUndefined();
  names.enterElsewhere('id-n', [far('10.0.0.7', 'other')]);
  expect(names.addressesOf('a', 'far')).toBeUndefined();
  expect(names.addressesOf('a', 'other')).toEqual(['10.0.0.7']);
  names.replaceElsewhere({ 'id-m': [far('10.1.0.7', 'third')] });
  expect(names.addressesOf('a', 'other')).toBeUndefined();
  expect(names.addressesOf('a', 'third')).toEqual(['10.1.0.7']);
});
