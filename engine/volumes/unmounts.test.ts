import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { HeldMount } from './held.js';
import {
  cleanups,
  directory,
  openRoom,
  outbox,
  plugin,
  published,
  roomForTests,
  store,
  use,
  volumes,
} from './volumes.fixture.js';

/** An Unmount that cannot be asked for. */
roomForTests();

const away = () => rmSync(join(directory, 'plugins', 'p.sock'));
const answers = { Get: new Error('not found'), Mount: { Mountpoint: '/m' } };
const unmounts = (calls: string[]) => calls.filter((call) => call.startsWith('Unmount'));

async function mounted(): Promise<string[]> {
  const calls = await plugin('p', answers);
  await volumes.create({ Name: 'v', Driver: 'p' });
  await volumes.mount('v', use('run1/data'));
  return calls;
}

test('is pending, shown, and done when the driver is back, with the same ID', async () => {
  const before = await mounted();
  const mount = before.find((call) => call.startsWith('Mount')) ?? '';
  away();
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await volumes.unmount(use('run1/data'));
  expect((await volumes.list({})).Warnings).toContainEqual(
    expect.stringMatching(/^volume v: its unmount by plugin "p" is pending since /),
  );
  const after = await plugin('p', answers);
  await expect.poll(() => unmounts(after)).toEqual([mount.replace('Mount', 'Unmount')]);
  // It has heard it; the engine hears its answer.
  await expect.poll(() => published.map(({ action }) => action)).toEqual(['create', 'mount', 'unmount']);
  expect((await volumes.list({})).Warnings).toBeNull();
});

test('outlives the engine; what runs keeps its mount', async () => {
  const calls = await mounted();
  await volumes.mount('v', use('run2/data'));
  outbox.close();
  openRoom();
  volumes.adopt('v', use('run2/data'), { path: '/m', driver: 'p' });
  volumes.reconcile();
  const first = calls.find((call) => call.startsWith('Mount'))?.slice('Mount '.length);
  await expect.poll(() => unmounts(calls)).toEqual([`Unmount ${first}`]);
  await volumes.unmount(use('run2/data'));
  expect(unmounts(calls)).toHaveLength(2);
});

test('a driver that refuses is not asked again', async () => {
  const calls = await plugin('p', { ...answers, Unmount: new Error('busy') });
  await volumes.create({ Name: 'v', Driver: 'p' });
  await volumes.mount('v', use('run1/data'));
  await expect(volumes.unmount(use('run1/data'))).rejects.toThrow('VolumeDriver.Unmount: busy');
  expect((await volumes.list({})).Warnings).toBeNull();
  expect(unmounts(calls)).toHaveLength(1);
});

test('a version before the outbox kept it with the mount: it is read on', async () => {
  const calls = await mounted();
  outbox.close();
  const held = store.collection<HeldMount>('volume-mounts');
  const key = held.entries()[0]?.[0] ?? '';
  const mount = held.get(key);
  if (!mount) throw new Error('no mount is held');
  held.put(key, { ...mount, owed: { since: '2025-01-02T03:04:05Z', reason: 'it was away' } });
  openRoom();
  expect((await volumes.list({})).Warnings).toEqual([
    'volume v: its unmount by plugin "p" is pending since 2025-01-02T03:04:05Z: it was away',
  ]);
  const { volume: Name, id: ID } = mount;
  await expect.poll(() => held.entries()).toEqual([]);
  expect(unmounts(calls)).toEqual([`Unmount ${JSON.stringify({ Name, ID })}`]);
  expect((await volumes.list({})).Warnings).toBeNull();
});

test('is forgotten with the volume', async () => {
  await mounted();
  away();
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await volumes.unmount(use('run1/data'));
  await volumes.remove('v', { force: true });
  expect((await volumes.list({})).Warnings?.join()).not.toContain('pending');
});
