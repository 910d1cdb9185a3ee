import { expect, test } from 'vitest';
import type { Collection, Store } from '../store/service.js';
import type { ContainerRecord } from './state/record.js';
import { Registry } from './state/registry.js';
import { lookupIn } from './usage.js';

/** A store in memory. */
function world() {
  const disk = new Map<string, ContainerRecord>();
  const collection: Pick<Collection<ContainerRecord>, 'entries' | 'get' | 'put' | 'delete'> = {
    entries: () => structuredClone([...disk]) as never,
    get: (key) => disk.get(key),
    put: (key, value) => void disk.set(key, structuredClone(value)),
    delete: (key) => void disk.delete(key),
  };
  const store = { collection: () => collection } as unknown as Store;
  return () => new Registry(store);
}

const record = (id: string, endpoints: ContainerRecord['endpoints']) =>
  ({ id, name: id, created: id, endpoints, state: { status: 'created' } }) as ContainerRecord;
const chosen = (IPv4Address: string, NetworkID = '') => ({ NetworkID, IPAMConfig: { IPv4Address } });
const net = { id: 'n1', name: 'net' } as Parameters<ReturnType<typeof lookupIn>['promised']>[0];

test('addresses that users chose are known as long as the container asks for them, also to the next engine', () => {
  const open = world();
  const registry = open();
  const promised = (from = registry) => lookupIn(from).promised(net).sort();
  registry.add(record('plain', { net: {} }));
  registry.add(record('elsewhere', { other: chosen('10.0.0.9') }));
  const first = registry.add(record('first', { net: chosen('10.0.0.2') }));
  expect(promised()).toEqual(['10.0.0.2']);

  const later = registry.add(record('later', {}));
  later.record.endpoints = {
    renamed: { NetworkID: 'n1', IPAMConfig: { IPv4Address: '10.0.0.3', IPv6Address: 'fd::3' } },
  };
  later.save();
  expect(promised()).toEqual(['10.0.0.2', '10.0.0.3', 'fd::3']);
  expect(promised(open())).toEqual(promised());

  delete first.record.endpoints.net;
  first.save();
  expect(promised()).toEqual(['10.0.0.3', 'fd::3']);
  registry.remove(later);
  // A record that is written later brings nothing back.
  later.save();
  expect(promised()).toEqual([]);
});
