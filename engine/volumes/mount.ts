import { createHash } from 'node:crypto';
import { HeldPath } from '@cleat/linux/helper/held-path';
import { CleatError, messageOf } from '@cleat/protocol/errors';
import { outcomeUnknown } from '@cleat/protocol/kinds/kind';
import type { VolumeName } from '../ids.js';
import type { Context } from './context.js';
import type { HeldMount } from './held.js';
import { requireRecord } from './lookup.js';
import { holdMountpoint } from './mountpoint.js';
import type { HeldVolume, MountedVolume, VolumeUse } from './service.js';

/** One Mount for one container start. */
export async function mountVolume(
  context: Context,
  name: string,
  use: VolumeUse,
  signal?: AbortSignal,
): Promise<HeldVolume> {
  const record = await requireRecord(context, name);
  const { driver: driverName } = record;
  const driver = await context.drivers.get(driverName);
  const wantsContext = await context.drivers.wantsContext(driverName, driver);
  const held = heldMount(driverName, record.name, use);
  context.held.put(held.id, held);
  let mounted: Pick<HeldVolume, 'path' | 'source'> & { told: string };
  let answered = false;
  try {
    const answer = await driver.Mount({
      Name: name,
      ID: held.id,
      ...(wantsContext ? { Context: { ...use.context(), Destination: use.destination, ReadOnly: use.readOnly } } : {}),
    });
    answered = true;
    mounted = await holdMountpoint(context, driverName, name, answer.Mountpoint ?? '', use, signal);
  } catch (error) {
    // Done unheard, or done wrongly: taken back. Drivers tolerate an Unmount of what is not mounted.
    if (answered) takeBack(context, held);
    else if (outcomeUnknown(error))
      context.unmounts.postpone(held, `the outcome of its Mount is unknown: ${messageOf(error)}`);
    else context.held.delete(held.id);
    const errorClass = error instanceof CleatError ? error.class : 'System';
    // The stock engine says where it lies; of most drivers that tells which one it is, too.
    const what = record.mountpoint.includes(name) ? record.mountpoint : name;
    throw new CleatError(errorClass, `error while mounting volume '${what}': ${messageOf(error)}`, { cause: error });
  }
  const { path, told } = mounted;
  const source = use.subpath === undefined ? mounted.source : await holdSubpath(context, mounted, held, use, signal);
  context.events.together(() => {
    context.events.publish({
      type: 'volume',
      action: 'mount',
      id: name,
      attributes: {
        driver: driverName,
        container: use.containerId,
        destination: use.destination,
        'read/write': String(!use.readOnly),
        propagation: use.propagation,
      },
    });
    context.held.put(held.id, { ...held, mounted: true });
  });
  if (record.mountpoint !== told) context.records.put(name, { ...record, mountpoint: told });
  return { path, driver: driverName, source };
}

/** In its place what is meant inside the volume, resolved from what is held. @throws in moby's words */
async function holdSubpath(
  context: Pick<Context, 'helper' | 'log' | 'unmounts'>,
  { path, source }: Pick<HeldVolume, 'path' | 'source'>,
  held: HeldMount,
  { holdAt, subpath }: VolumeUse,
  signal: AbortSignal | undefined,
): Promise<HeldPath> {
  const request = { path: source.path, within: subpath, at: `${holdAt}-subpath`, shown: path };
  try {
    return await HeldPath.hold(context.helper, request, () => {}, { signal });
  } catch (error) {
    takeBack(context, held);
    throw error;
  } finally {
    source[Symbol.dispose]();
  }
}

/** In the background: the caller that wanted to mount has the reason for the failure already. */
function takeBack(context: Pick<Context, 'log' | 'unmounts'>, held: HeldMount): void {
  context.unmounts.unmount(held).catch((error: unknown) => {
    const { volume, driver } = held;
    context.log.warn('a Mount could not be taken back', { volume, driver, error: messageOf(error) });
  });
}

/** The matching Unmount; nothing to do when it is done already. */
export async function unmountVolume(context: Pick<Context, 'held' | 'unmounts'>, use: VolumeUse): Promise<void> {
  const held = context.held.get(mountId(use));
  if (held) await context.unmounts.unmount(held);
}

/** A mount of a container that runs, as the engine that was here before left it. */
export function adoptMount(
  context: Pick<Context, 'unmounts'>,
  name: string,
  use: VolumeUse,
  { driver }: MountedVolume,
): void {
  context.unmounts.claim({ ...heldMount(driver, name as VolumeName, use), mounted: true });
}

function heldMount(driver: string, volume: VolumeName, use: VolumeUse): HeldMount {
  return { v: 1, id: mountId(use), volume, driver, containerId: use.containerId, mounted: false };
}

/** Drivers know IDs of 64 hexadecimal digits and use them in paths. The same use always has the same one. */
function mountId({ mountId: id }: VolumeUse): string {
  return /^[0-9a-f]{64}$/.test(id) ? id : createHash('sha256').update(id).digest('hex');
}
