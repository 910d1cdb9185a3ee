import type { VolumeResource } from '@cleat/protocol/api/volume';
import type { Volume } from '@cleat/protocol/kinds/volume';
import type { VolumeName } from '../ids.js';
import { goTime, parseTime, zeroTime } from '../time.js';
import type { VolumeRecord } from './record.js';

/** The API's view: the driver's answer, with the engine's labels and options. */
export function resourceOf(record: VolumeRecord, volume?: Volume): VolumeResource {
  const resource: VolumeResource = {
    CreatedAt: createdAt(volume) ?? record.createdAt,
    Driver: record.driver,
    Labels: record.labels,
    Mountpoint: volume?.Mountpoint || record.mountpoint,
    Name: record.name,
    Options: record.options,
    Scope: record.scope,
  };
  if (volume?.Status) resource.Status = volume.Status;
  return resource;
}

/** A record for what a driver has and nobody made through this engine. */
export function foundRecord(driver: string, scope: string, volume: Volume): VolumeRecord {
  return {
    v: 1,
    name: volume.Name as VolumeName,
    driver,
    labels: null,
    options: null,
    scope,
    createdAt: createdAt(volume) ?? zeroTime,
    mountpoint: volume.Mountpoint ?? '',
  };
}

/** RFC 3339 without fractions, as Docker prints it; undefined when the driver says none. */
export function createdAt(volume: Volume | undefined): string | undefined {
  const nanos = volume?.CreatedAt ? parseTime(volume.CreatedAt) : undefined;
  return nanos === undefined ? undefined : wholeSeconds(nanos);
}

export function wholeSeconds(nanos: bigint): string {
  return goTime(nanos - (nanos % 1_000_000_000n));
}
