import type { ImageId } from '../ids.js';
import type { ImageUser } from '../images/service.js';
import type { ContainerLookup } from '../networks/service.js';
import { type ContainerRecord, isVolume, type MountRecord } from './state/record.js';
import type { Registry } from './state/registry.js';

/*
 * Questions of other rooms about the containers on record. The registry is opened before those rooms, and handed to
 * them: they know who uses what is theirs from their first moment on.
 */

/** Which containers use an image: were made from it, or mount it. Those that are just being made are among them. */
export function usersOfImage(registry: Registry, imageId: ImageId): ImageUser[] {
  const mountsIt = (mounts: readonly MountRecord[]): boolean =>
    mounts.some((mount) => mount.type === 'image' && mount.imageId === imageId);
  const made = registry
    .all()
    .filter(({ record }) => record.imageId === imageId || mountsIt(record.mounts))
    .map(({ id, record, running }) => ({ containerId: id, name: record.name, running }));
  const making = [...registry.making].filter(([, mounts]) => mountsIt(mounts));
  return [...made, ...making.map(([id]) => ({ containerId: id, name: '', running: false }))];
}

/** IDs of the containers that a volume belongs to, running or not, and of those that are just being made. */
export function usersOfVolume(registry: Registry, name: string): string[] {
  const made = registry.all().map(({ id, record }) => [id, record.mounts] as const);
  return [...made, ...registry.making]
    .filter(([, mounts]) => mounts.some((mount) => isVolume(mount) && mount.name === name))
    .map(([id]) => id);
}

/** Containers that others refer to (`container:<id>`, links). */
export function lookupIn(registry: Registry): ContainerLookup {
  return {
    find(ref) {
      try {
        const { id, record } = registry.get(ref);
        return { id, name: record.name, pid: record.state.pid };
      } catch {
        // Unknown or ambiguous: the answer is undefined, and the caller says what it wanted it for.
        return undefined;
      }
    },
    promised: ({ id, name }) =>
      [...registry.choosing()].flatMap(({ record }) =>
        Object.entries(record.endpoints).flatMap(([ref, { NetworkID, IPAMConfig }]) => {
          if (NetworkID ? NetworkID !== id : ref !== name && ref !== id) return [];
          return [IPAMConfig?.IPv4Address ?? '', IPAMConfig?.IPv6Address ?? ''].filter(Boolean);
        }),
      ),
  };
}

/** Names of the containers that run and use a volume, are connected to a network, or whose output a log driver gets. */
export function runningUsers(
  registry: Registry,
  used: { volume: string } | { network: string } | { logs: (driver: string) => boolean } | { runtime: string },
): string[] {
  return registry
    .all()
    .filter(({ running, record }) => running && isUsed(record, used))
    .map(({ record }) => record.name);
}

function isUsed(
  { mounts, endpoints, hostConfig, runtime }: ContainerRecord,
  used: { volume: string } | { network: string } | { logs: (driver: string) => boolean } | { runtime: string },
): boolean {
  if ('runtime' in used) return runtime === used.runtime;
  if ('volume' in used) return mounts.some((mount) => isVolume(mount) && mount.name === used.volume);
  if ('network' in used) return Object.hasOwn(endpoints, used.network) || hostConfig.NetworkMode === used.network;
  return used.logs(hostConfig.LogConfig?.Type ?? '');
}
