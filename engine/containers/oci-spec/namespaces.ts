import type { HostConfig } from '@cleat/protocol/api/container';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import type { Sandbox } from '../../networks/service.js';

/** How this room finds the container whose namespace is to be shared. */
export type PidOf = (ref: string) => {
  id: string;
  pid: number;
  running: boolean;
  restarting: boolean;
  /** It has a user namespace of its own. */
  isRemapped: boolean;
};

/** `container:X` → X. */
export function sharedWith(mode: string | undefined): string | undefined {
  return mode?.startsWith('container:') ? mode.slice('container:'.length) : undefined;
}

/**
 * The user namespace of the container that a remapped one shares others with: they belong to it.
 * @returns undefined when it shares none, or the other does not run, which is reported elsewhere
 * @throws Conflict
 */
export function joinedUserNamespace(host: HostConfig, pidOf: PidOf): string | undefined {
  for (const mode of [host.NetworkMode, host.IpcMode, host.PidMode]) {
    const other = sharedWith(mode);
    if (other === undefined) continue;
    const { id, pid, running, isRemapped } = pidOf(other);
    if (!running) return undefined;
    if (!isRemapped) {
      throw conflict(
        `cannot share a namespace of container ${id}, which has the host's users: run this one with --userns=host, too`,
      );
    }
    return `/proc/${pid}/ns/user`;
  }
  return undefined;
}

/**
 * The namespaces of a container.
 * @param sandbox what the networks room has made
 * @throws as Docker when the container to share with does not run
 */
export function namespacesFor(
  host: HostConfig,
  { namespace: network, userNamespace }: Pick<Sandbox, 'namespace' | 'userNamespace'>,
  pidOf: PidOf,
  isRemapped: boolean,
) {
  const list: { type: string; path?: string }[] = [{ type: 'mount' }];
  const share = (type: string, file: string, mode: string | undefined, isHost: boolean) => {
    const other = sharedWith(mode);
    if (other !== undefined) {
      const { id, pid, running, restarting } = pidOf(other);
      if (!running) throw conflict(`failed to join ${type.toUpperCase()} namespace: container ${id} is not running`);
      if (restarting) throw conflict(`Container ${id} is restarting, wait until the container is running`);
      list.push({ type, path: `/proc/${pid}/ns/${file}` });
    } else if (!isHost) list.push({ type });
  };
  share('pid', 'pid', host.PidMode, host.PidMode === 'host');
  share('ipc', 'ipc', host.IpcMode, host.IpcMode === 'host');
  if (host.UTSMode !== 'host') list.push({ type: 'uts' });
  if (host.CgroupnsMode === 'private') list.push({ type: 'cgroup' });
  if (network.kind === 'path') list.push({ type: 'network', path: network.path });
  else if (network.kind === 'own') list.push({ type: 'network' });
  if (host.UsernsMode && host.UsernsMode !== 'host') {
    throw invalidParameter(`invalid user namespace mode: ${host.UsernsMode}`);
  }
  if (isRemapped) {
    const path = joinedUserNamespace(host, pidOf) ?? userNamespace;
    list.push(path === undefined ? { type: 'user' } : { type: 'user', path });
  }
  return list;
}
