import type { VolumeResource } from '@cleat/protocol/api/volume';
import { conflict, invalidParameter, isClass, messageOf } from '@cleat/protocol/errors';
import { goBool, goBoolError } from '@cleat/protocol/go-bool';
import type { Filters } from '../events/service.js';
import { checkFilters, excludesLabels, filterValues, matchLabels } from '../filters.js';
import type { Context } from './context.js';
import { anonymousLabel } from './create.js';
import { isOutOfReach, noSuchVolume, opError } from './drivers.js';
import { listVolumes } from './list.js';
import { forgetVolume, requireRecord } from './lookup.js';
import type { VolumeRecord } from './record.js';

/** Removes a volume; with `force`, one that is gone already, or whose driver is, is forgotten. */
export async function removeVolume(context: Context, name: string, force: boolean): Promise<void> {
  await context.turns.run(name, async () => {
    let record: VolumeRecord;
    try {
      record = await requireRecord(context, name);
    } catch (error) {
      if (force && isClass(error, 'NotFound')) return;
      throw error;
    }
    const users = context.references(name);
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`);
    await context.unmounts.settle(record.driver, record.name);
    await removeFromDriver(context, record, force);
    forgetVolume(context, record);
  });
}

async function removeFromDriver(context: Context, record: VolumeRecord, force: boolean): Promise<void> {
  const { name, driver: driverName } = record;
  let isThere: boolean;
  try {
    const driver = await context.drivers.get(driverName);
    isThere = (await context.drivers.lookUp(driver, name)) !== undefined;
    if (isThere) await driver.Remove({ Name: name });
  } catch (error) {
    if (!force) throw opError('remove', name, error);
    // As in Docker, the engine forgets it in any case; what the driver said is an error only if it was there to say it.
    if (!isOutOfReach(error)) {
      forgetVolume(context, record);
      throw opError('remove', name, error);
    }
    context.log.warn('a volume is forgotten, its driver could not be asked to remove it', {
      volume: name,
      driver: driverName,
      error: messageOf(error),
    });
    return;
  }
  if (isThere || force) return;
  forgetVolume(context, record);
  throw noSuchVolume(name);
}

/**
 * Removes what no container refers to: of the default driver, without options (those are rarely local data), and
 * unless `all` is asked for, only volumes that nobody named.
 */
export async function pruneVolumes(context: Context, filters: Filters) {
  checkFilters(filters, ['label', 'label!', 'all']);
  const all = truth(filters);
  const { Volumes } = await listVolumes(context, { dangling: ['true'], driver: [context.defaultDriver] });
  const doomed = Volumes.filter(
    ({ Labels, Options }) =>
      Object.keys(Options ?? {}).length === 0 &&
      (all || Object.hasOwn(Labels ?? {}, anonymousLabel)) &&
      matchLabels(filters, Labels) &&
      excludesLabels(filters, Labels),
  );
  const report = { VolumesDeleted: [] as string[], SpaceReclaimed: 0 };
  for (const volume of doomed) {
    const bytes = await sizeOf(context, volume);
    try {
      await removeVolume(context, volume.Name, false);
    } catch (error) {
      // Taken into use meanwhile, or refused by its driver: the others go all the same.
      context.log.warn('a volume could not be pruned', { volume: volume.Name, error: messageOf(error) });
      continue;
    }
    report.VolumesDeleted.push(volume.Name);
    report.SpaceReclaimed += Math.max(bytes, 0);
  }
  context.events.publish({
    type: 'volume',
    action: 'prune',
    id: '',
    attributes: { reclaimed: String(report.SpaceReclaimed) },
  });
  return report;
}

/** Bytes of a volume's data; -1 when they cannot be counted. */
export async function sizeOf(context: Pick<Context, 'helper' | 'log'>, volume: VolumeResource): Promise<number> {
  if (!volume.Mountpoint) return -1;
  try {
    return (await context.helper.call('diskUsage', { path: volume.Mountpoint })).bytes;
  } catch (error) {
    context.log.warn("a volume's size could not be determined", { volume: volume.Name, error: messageOf(error) });
    return -1;
  }
}

/** The `all` filter, as Go reads a truth value. */
function truth(filters: Filters): boolean {
  const values = filterValues(filters, 'all');
  if (!values) return false;
  const [value = ''] = values;
  if (values.length > 1) {
    throw invalidParameter(`invalid filter 'all=[${values.join(' ')}]': only one value is expected`);
  }
  const isTrue = goBool(value);
  if (isTrue === undefined) throw invalidParameter(`invalid filter 'all': ${goBoolError(value)}`);
  return isTrue;
}
