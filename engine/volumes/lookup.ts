import type { VolumeResource } from '@cleat/protocol/api/volume';
import { messageOf } from '@cleat/protocol/errors';
import type { Volume } from '@cleat/protocol/kinds/volume';
import type { Context } from './context.js';
import { isOutOfReach, noSuchVolume, opError, shortMs } from './drivers.js';
import type { VolumeRecord } from './record.js';
import { foundRecord, resourceOf } from './resource.js';

/** Takes a volume off the record: who follows the events learns of it, however it went. */
export function forgetVolume(
  context: Pick<Context, 'records' | 'unmounts' | 'events'>,
  { name, driver }: Pick<VolumeRecord, 'name' | 'driver'>,
): void {
  context.events.together(() => {
    context.events.publish({ type: 'volume', action: 'destroy', id: name, attributes: { driver } });
    context.records.delete(name);
  });
  context.unmounts.forget(name);
}

/** How long a driver may hold up the making of a volume that may not be its own, in ms. */
const probeMs = 1_000;

/**
 * Asks every driver that is in use, all at once, for a volume that the engine has not seen yet, and remembers it.
 * @returns undefined when nobody has it; one that does not answer in time is taken not to have it
 */
export async function findUnrecorded(context: Context, name: string): Promise<VolumeRecord | undefined> {
  const names = new Set([context.defaultDriver, ...context.drivers.names]);
  const answers = await Promise.all([...names].map((driver) => probe(context, driver, name)));
  const record = answers.find((answer) => answer !== undefined);
  if (record) context.records.put(name, record);
  return record;
}

async function probe(
  context: Pick<Context, 'drivers' | 'log'>,
  driverName: string,
  name: string,
): Promise<VolumeRecord | undefined> {
  try {
    const driver = await context.drivers.get(driverName, probeMs);
    const volume = await context.drivers.lookUp(driver, name, probeMs);
    if (!volume) return undefined;
    const scope = await context.drivers.scope(driverName, driver);
    return foundRecord(driverName, scope, { ...volume, Name: name });
  } catch (error) {
    context.log.debug('a driver could not be asked for a volume', { driver: driverName, error: messageOf(error) });
    return undefined;
  }
}

/** The record of a volume, asked from the drivers when the engine has none. @throws NotFound */
export async function requireRecord(context: Context, name: string): Promise<VolumeRecord> {
  const record = context.records.get(name) ?? (await findUnrecorded(context, name));
  if (!record) throw noSuchVolume(name);
  return record;
}

/**
 * A volume with what its driver says of it. When the driver cannot be reached, what the engine knows is shown.
 * @throws NotFound `get X: no such volume`, also when the driver has lost it
 */
export async function inspectVolume(context: Context, name: string): Promise<VolumeResource> {
  const record = await requireRecord(context, name);
  let volume: Volume | undefined;
  try {
    const driver = await context.drivers.get(record.driver, shortMs);
    volume = await context.drivers.lookUp(driver, name, shortMs);
  } catch (error) {
    if (isOutOfReach(error)) return withPending(context, record, resourceOf(record));
    throw opError('get', name, error);
  }
  if (volume) return withPending(context, record, resourceOf(record, volume));
  if (context.references(name).length === 0) forgetVolume(context, record);
  throw noSuchVolume(name);
}

/** The calls that the driver has not heard yet, beside its own status: there clients show everything. */
function withPending(
  context: Pick<Context, 'unmounts'>,
  { name }: VolumeRecord,
  resource: VolumeResource,
): VolumeResource {
  const pending = context.unmounts.list(name);
  if (pending.length === 0) return resource;
  const PendingUnmounts = pending.map(({ held: { id, containerId }, since, reason }) => ({
    ID: id,
    Container: containerId,
    since,
    reason,
  }));
  return { ...resource, Status: { ...resource.Status, PendingUnmounts } };
}
