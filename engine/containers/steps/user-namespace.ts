import type { SandboxRequest } from '../../networks/service.js';
import { remapOf, rootOwner } from '../../oci/remap.js';
import type { Context } from '../context.js';
import { joinedUserNamespace, type PidOf } from '../oci-spec/namespaces.js';
import type { Container } from '../state/container.js';

/** Finds the container whose namespaces are to be shared. */
export const pidOf =
  (context: Pick<Context, 'config' | 'registry'>): PidOf =>
  (ref) => {
    const { id, running, record } = context.registry.get(ref);
    return {
      id,
      pid: record.state.pid,
      running,
      restarting: record.state.status === 'restarting',
      isRemapped: remapOf(context.config, record.hostConfig) !== undefined,
    };
  };

/** The user namespace that a container is to have: that of the one whose namespaces it shares, or a new one. @throws Conflict */
export function userNamespaceFor(
  context: Pick<Context, 'config' | 'registry'>,
  { record }: Container,
): SandboxRequest['owner'] {
  const maps = remapOf(context.config, record.hostConfig);
  if (!maps) return undefined;
  const path = joinedUserNamespace(record.hostConfig, pidOf(context));
  return { userNamespace: path === undefined ? { maps } : { path }, root: rootOwner(maps) };
}
