import { closeSync } from 'node:fs';
import { CleatError, notImplemented } from '@cleat/protocol/errors';
import { openUserNamespace } from '../process/user-namespace.js';
import { errnoOf } from '../syscall/errno.js';
import { cloneMount, mapOwners, moveMount } from '../syscall/mount.js';

/** `count` owners from `stored` on, as files have them, are seen as those from `seen` on. */
export interface IdRange {
  stored: number;
  seen: number;
  count: number;
}

export interface OwnerMap {
  users: readonly IdRange[];
  groups: readonly IdRange[];
}

/**
 * Mounts the directory `source` on the directory `target` so that files have other owners there: both ways, what the
 * seen user makes there belongs to the stored one. The rest is beyond reach: files of whom the map does not name are
 * nobody's, and not even root writes to them or, when it is not among the seen, makes new ones. A directory is written
 * to only when its owner is named, too, whatever its mode. `unmount` takes it away.
 *
 * It blocks while the file system of `source` hangs, as every bind mount does.
 * @throws CleatError NotImplemented when the file system cannot do it (NFS, for one); Unavailable; System
 */
export async function mountIdmapped(source: string, target: string, { users, groups }: OwnerMap): Promise<void> {
  const namespace = await openUserNamespace({ users: users.map(asInside), groups: groups.map(asInside) });
  try {
    const mount = cloneMount(source);
    try {
      mapOwners(mount, namespace, source);
      moveMount(mount, target);
    } finally {
      closeSync(mount);
    }
  } catch (cause) {
    throw explained(source, cause);
  } finally {
    closeSync(namespace);
  }
}

/** Files have the owners that they would have inside the namespace. */
const asInside = ({ stored, seen, count }: IdRange) => ({ inside: stored, outside: seen, count });

function explained(source: string, cause: unknown): unknown {
  const refused = cause instanceof CleatError && cause.details?.syscall === 'mount_setattr';
  if (!refused || errnoOf(cause) !== 'EINVAL') return cause;
  return notImplemented(`the file system of ${source} cannot show other owners (idmapped mounts)`, { cause });
}
