import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { CleatError, isClass, messageOf, systemError } from '@cleat/protocol/errors';
import { requireRecord } from './lookup.js';
import type { Room } from './room.js';
import type { MountedVolume, VolumeUse } from './service.js';

/** One Mount for one container start. */
export async function mountVolume(room: Room, name: string, use: VolumeUse): Promise<MountedVolume> {
  const record = await requireRecord(room, name);
  const call = { Name: name, ID: mountId(use) };
  const driver = await room.drivers.get(record.driver);
  let path: string;
  let mayBeMounted = false;
  try {
    const answer = await driver.Mount(call).catch((error: unknown) => {
      mayBeMounted = isClass(error, 'DeadlineExceeded') || isClass(error, 'Unavailable');
      throw error;
    });
    mayBeMounted = true;
    path = checkedMountpoint(record.driver, name, answer.Mountpoint ?? '');
  } catch (error) {
    // Done unheard, or done wrongly: taken back. Drivers tolerate an Unmount of what is not mounted.
    if (mayBeMounted) {
      driver.Unmount(call).catch((cause: unknown) => {
        room.log.warn('a Mount of unknown outcome could not be taken back', { volume: name, error: messageOf(cause) });
      });
    }
    const errorClass = error instanceof CleatError ? error.class : 'System';
    const what = record.mountpoint || name;
    throw new CleatError(errorClass, `error while mounting volume '${what}': ${messageOf(error)}`, { cause: error });
  }
  if (record.mountpoint !== path) room.records.put(name, { ...record, mountpoint: path });
  room.events.publish({
    type: 'volume',
    action: 'mount',
    id: name,
    attributes: {
      driver: record.driver,
      container: use.containerId,
      destination: use.destination,
      'read/write': String(!use.readOnly),
      propagation: use.propagation,
    },
  });
  return { path, driver: record.driver };
}

/** The matching Unmount. */
export async function unmountVolume(room: Room, name: string, use: VolumeUse): Promise<void> {
  const record = await requireRecord(room, name);
  const driver = await room.drivers.get(record.driver);
  await driver.Unmount({ Name: name, ID: mountId(use) });
  room.events.publish({
    type: 'volume',
    action: 'unmount',
    id: name,
    attributes: { driver: record.driver, container: use.containerId },
  });
}

/** Drivers know IDs of 64 hexadecimal digits and use them in paths. The same use always has the same one. */
function mountId({ mountId: id }: VolumeUse): string {
  return /^[0-9a-f]{64}$/.test(id) ? id : createHash('sha256').update(id).digest('hex');
}

/** What a driver answers ends up in a bind mount: it must be one plain place, and not the host's whole root. */
function checkedMountpoint(driver: string, name: string, path: string): string {
  const plain = path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..');
  const normal = posix.normalize(path).replace(/(.)\/$/, '$1');
  if (plain && normal !== '/') return normal;
  throw systemError(
    `plugin "${driver}" mounted volume ${name} at ${JSON.stringify(path)}, which is no absolute path of a directory`,
  );
}
