import { realpathSync } from 'node:fs';
import { invalidParameter } from '@cleat/protocol/errors';
import type { RequestedMount } from './mount-spec.js';

/**
 * A container that has the engine's data root must not keep what the engine unmounts there in use: it gets to know of
 * it (moby `daemon/volumes_linux.go`, validateBindDaemonRoot). Changes `mount` where the user has not said anything.
 * @throws InvalidParameter for a propagation that would keep it from knowing
 */
export function passOnFromDataRoot(mount: RequestedMount, dataRoot: string): void {
  if (mount.type !== 'bind') return;
  const { source, propagation } = mount;
  const roots = [dataRoot, realpathSync(dataRoot)];
  if (!roots.some((root) => isWithin(root, source) || isWithin(source, root))) return;
  if (!mount.propagationGiven) {
    mount.propagation = 'rslave';
    mount.slaveIfShared = true;
  } else if (propagation !== 'rslave' && propagation !== 'rshared') {
    throw invalidParameter(
      `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "${dataRoot}", bind mount source: "${source}", propagation: "${propagation}"`,
    );
  }
}

/** By whole names: `/a/bc` does not lie within `/a/b`. */
function isWithin(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
