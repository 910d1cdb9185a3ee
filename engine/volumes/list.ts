import type { VolumeList, VolumeResource } from '@cleat/protocol/api/volume';
import { isClass, messageOf } from '@cleat/protocol/errors';
import type { Filters } from '../events/service.js';
import { booleanFilter, checkFilters, matchExact, matchLabels, matchName } from '../filters.js';
import type { Context } from './context.js';
import { shortMs } from './drivers.js';
import type { PendingUnmount } from './outbox.js';
import { foundRecord, resourceOf } from './resource.js';

/** Which volumes are listed; throws for what it does not understand, before any driver is asked. */
export function volumeFilter(
  context: Pick<Context, 'references'>,
  filters: Filters,
): (volume: VolumeResource) => boolean {
  checkFilters(filters, ['dangling', 'driver', 'label', 'name']);
  const dangling = booleanFilter(filters, 'dangling');
  return (volume) =>
    matchExact(filters, 'driver', volume.Driver) &&
    matchName(filters, 'name', volume.Name) &&
    matchLabels(filters, volume.Labels) &&
    (dangling === undefined || dangling === (context.references(volume.Name).length === 0));
}

/** All drivers are asked at once; for one that does not answer in time, what the engine knows is shown, and a warning. */
export async function listVolumes(context: Context, filters: Filters): Promise<VolumeList> {
  const wanted = volumeFilter(context, filters);
  const recorded = context.records.entries().map(([, record]) => record);
  const owners = new Set(recorded.map((record) => record.driver));
  const names = new Set([context.defaultDriver, ...context.drivers.candidates, ...owners]);
  const warnings = context.unmounts.list().map(pendingText);
  const lists = await Promise.all(
    [...names].map(async (name): Promise<VolumeResource[]> => {
      try {
        return await ask(context, name);
      } catch (error) {
        // A leftover socket, or a plugin of another kind, that no volume ever came from is nobody's concern here.
        const concerns = owners.has(name) || context.drivers.names.includes(name);
        if (concerns && !isClass(error, 'InvalidParameter')) warnings.push(`list ${name}: ${messageOf(error)}`);
        return recorded.filter((record) => record.driver === name).map((record) => resourceOf(record));
      }
    }),
  );
  const volumes = lists.flat().filter((volume) => isOwn(context, volume) && wanted(volume));
  volumes.sort((a, b) => (a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0));
  return { Volumes: volumes, Warnings: warnings.length > 0 ? warnings : null };
}

/** A name means one volume: whatever else another driver has of that name is out of reach, and not shown. */
function isOwn(context: Pick<Context, 'records'>, { Name, Driver }: VolumeResource): boolean {
  const owner = context.records.get(Name)?.driver;
  return owner === undefined || owner === Driver;
}

function pendingText({ held: { volume, driver }, since, reason }: PendingUnmount): string {
  return `volume ${volume}: its unmount by plugin "${driver}" is pending since ${since}: ${reason}`;
}

async function ask(context: Pick<Context, 'drivers' | 'records'>, name: string): Promise<VolumeResource[]> {
  const driver = await context.drivers.get(name, shortMs);
  const [answer, scope] = await Promise.all([
    driver.List({}, { deadlineMs: shortMs, impatient: true }),
    context.drivers.scope(name, driver),
  ]);
  return (answer.Volumes ?? []).map((volume) => {
    const record = context.records.get(volume.Name);
    // `Status` is for inspect, as in Docker.
    const { Status: _, ...facts } = volume;
    return resourceOf(record?.driver === name ? record : foundRecord(name, scope, volume), facts);
  });
}
