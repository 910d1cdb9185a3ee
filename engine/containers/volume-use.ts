import { join } from 'node:path';
import { newId } from '../ids.js';
import { resolveUser } from '../oci/user.js';
import type { VolumeUse } from '../volumes/service.js';
import type { Context } from './context.js';
import type { Container } from './state/container.js';
import { type ContainerRecord, isVolume, type VolumeMount } from './state/record.js';

/** Identifies a use of a volume, and says how it is mounted. */
type Use = Pick<VolumeMount, 'destination' | 'propagation'> & {
  readOnly: boolean;
  subpath?: string;
  holdAt?: string;
  /** Where its root file system is mounted, if not where it is while it runs. */
  rootfs?: string;
};

/**
 * How a container uses a volume, as the volumes' room and, where it asks, the driver are told.
 * @param mountId one per start, or per time that its files are looked into
 */
export function volumeUse(
  context: Pick<Context, 'paths'>,
  { id, record }: Pick<Container, 'id' | 'record'>,
  mountId: string,
  use: Use,
): VolumeUse {
  return {
    containerId: id,
    mountId: `${mountId}${use.destination}`,
    destination: use.destination,
    readOnly: use.readOnly,
    propagation: use.propagation,
    subpath: use.subpath,
    holdAt: use.holdAt ?? join(context.paths.archives(), newId()),
    context: () => ({
      Container: {
        ID: id,
        Name: record.name,
        Labels: record.config.Labels ?? {},
        User: record.config.User ?? '',
        ...numericUser(use.rootfs ?? context.paths.rootfs(id), record),
      },
      Options: optionsAt(record, use.destination),
    }),
  };
}

function optionsAt({ mounts }: ContainerRecord, destination: string): Record<string, string> {
  return mounts.filter(isVolume).find((mount) => mount.destination === destination)?.driverOptions ?? {};
}

/** Nothing when its files are not there, or do not have the user: a start then fails for that reason. */
function numericUser(rootfs: string, { config, hostConfig }: ContainerRecord): { UID?: number; GID?: number } {
  try {
    const { uid, gid } = resolveUser(rootfs, config.User ?? '', hostConfig.GroupAdd ?? []);
    return { UID: uid, GID: gid };
  } catch {
    // It is for the start to complain.
    return {};
  }
}
