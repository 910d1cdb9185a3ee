import { isAlive } from '@cleat/linux/process/identity';
import type { HostConfig } from '@cleat/protocol/api/container';
import { conflict } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import { sharedWith } from '../oci-spec/namespaces.js';

/**
 * The runtime joins another container's namespaces by a process's number. A process that still runs after that was not
 * replaced meanwhile by somebody with the same number, who might be of the host.
 * @throws Conflict, before the container's process runs
 */
export function checkOwners(context: Pick<Context, 'registry'>, { NetworkMode, IpcMode, PidMode }: HostConfig): void {
  for (const mode of [NetworkMode, IpcMode, PidMode]) {
    const ref = sharedWith(mode);
    if (ref === undefined) continue;
    const { id, record } = context.registry.get(ref);
    const init = record.state.run?.init;
    if (!init || !isAlive(init)) {
      throw conflict(`cannot join namespace of a non running container: container ${id} is not running`);
    }
  }
}
