import type { VolumeCreateRequest, VolumeResource } from '@cleat/protocol/api/volume';
import { conflict, invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { Volume } from '@cleat/protocol/kinds/volume';
import { newId, type VolumeName } from '../ids.js';
import { refuseLargeRecord } from '../store/record-size.js';
import { nowNanos } from '../time.js';
import type { Context } from './context.js';
import { type Driver, isOutOfReach, opError } from './drivers.js';
import { findUnrecorded, forgetVolume } from './lookup.js';
import type { VolumeRecord } from './record.js';
import { createdAt, resourceOf, wholeSeconds } from './resource.js';

/** Marks volumes that nobody named. */
export const anonymousLabel = 'com.docker.volume.anonymous';
const maxNameBytes = 1024;

/** Makes a volume, or answers with the one of that name (moby `daemon/volume/service`). */
export async function createVolume(context: Context, request: VolumeCreateRequest): Promise<VolumeResource> {
  const anonymous = !request.Name;
  const name = request.Name || newId();
  if (Buffer.byteLength(name) > maxNameBytes || name.includes('\0')) {
    throw invalidParameter(`volume name is longer than ${maxNameBytes} bytes, or has a NUL byte in it`);
  }
  refuseLargeRecord('the volume', request);
  const driver = context.drivers.nameOf(request.Driver ?? '');
  return await context.turns.run(name, async () => {
    try {
      const known = context.records.get(name);
      const present = known && (await checkKnown(context, known, driver));
      if (present) return present;
      const labels = anonymous ? { ...request.Labels, [anonymousLabel]: '' } : (request.Labels ?? null);
      if (!driver && !anonymous) {
        const found = await findUnrecorded(context, name);
        if (found) return resourceOf(found);
      }
      return await make(
        context,
        name,
        driver || context.drivers.nameOf(context.defaultDriver),
        labels,
        request.DriverOpts ?? null,
      );
    } catch (error) {
      throw opError('create', name, error);
    }
  });
}

/**
 * @returns what is there already; undefined when the driver has lost it, and then it is forgotten
 * @throws Conflict
 */
async function checkKnown(
  context: Pick<Context, 'drivers' | 'records' | 'references' | 'unmounts' | 'events'>,
  record: VolumeRecord,
  wanted: string,
): Promise<VolumeResource | undefined> {
  const { name, driver: owner } = record;
  let volume: Volume | undefined;
  try {
    volume = await context.drivers.lookUp(await context.drivers.get(owner), name);
  } catch (cause) {
    throw conflict(
      `found reference to volume '${name}' in driver '${owner}', but got an error while checking the driver: ${messageOf(cause)}: volume name must be unique`,
      { cause },
    );
  }
  if (volume) {
    if (wanted && wanted !== owner) {
      // The error for an unknown driver says that it is unknown.
      await context.drivers.get(wanted);
      throw conflict(`driver '${owner}' already has volume '${name}': volume name must be unique`);
    }
    return resourceOf(record, volume);
  }
  if (context.references(name).length > 0) {
    throw conflict(
      `found references to volume '${name}' in driver '${owner}' but the volume was not found in the driver -- you may need to remove containers referencing this volume or force remove the volume to re-create it: volume name must be unique`,
    );
  }
  forgetVolume(context, record);
  return undefined;
}

async function make(
  context: Context,
  name: string,
  driverName: string,
  labels: Record<string, string> | null,
  options: Record<string, string> | null,
): Promise<VolumeResource> {
  const driver = await context.drivers.get(driverName);
  const [volume, scope] = await Promise.all([
    findOrMake(context, driverName, driver, name, options),
    context.drivers.scope(driverName, driver),
  ]);
  const record: VolumeRecord = {
    v: 1,
    name: name as VolumeName,
    driver: driverName,
    labels,
    options,
    scope,
    createdAt: createdAt(volume) ?? wholeSeconds(nowNanos()),
    mountpoint: volume?.Mountpoint ?? '',
  };
  context.events.together(() => {
    context.events.publish({ type: 'volume', action: 'create', id: name, attributes: { driver: driverName } });
    context.records.put(name, record);
  });
  return resourceOf(record, volume);
}

/** A volume that the driver has already is taken over as it is. @returns what the driver says of it, if anything */
async function findOrMake(
  context: Pick<Context, 'drivers' | 'log'>,
  driverName: string,
  driver: Driver,
  name: string,
  options: Record<string, string> | null,
): Promise<Volume | undefined> {
  const present = context.drivers.createsAlone(driverName) ? undefined : await lookUpLeniently(context, driver, name);
  return present ?? (await driver.Create({ Name: name, Opts: options })).Volume ?? undefined;
}

/** Some drivers answer Get of what they do not have with any error: that is no reason not to create it. */
async function lookUpLeniently(
  context: Pick<Context, 'drivers' | 'log'>,
  driver: Driver,
  name: string,
): Promise<Volume | undefined> {
  try {
    return await context.drivers.lookUp(driver, name);
  } catch (error) {
    if (isOutOfReach(error)) throw error;
    context.log.debug('a driver could not say whether it has a volume', { volume: name, error: messageOf(error) });
    return undefined;
  }
}
