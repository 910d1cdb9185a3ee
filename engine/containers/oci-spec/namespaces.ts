import type { HostConfig } from '@cleat/protocol/api/container';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import type { Sandbox } from '../../networks/service.js';

/** How this room finds the container whose namespace is to be shared. */
export type PidOf = (ref: string) => { id: string; pid: number; running: boolean; restarting: boolean };

/** `container:X` → X. */
export function sharedWith(mode: string | undefined): string | undefined {
  return mode?.startsWith('container:') ? mode.slice('container:'.length) : undefined;
}

/** The namespaces of a container. @throws as Docker when the container to share with does not run */
export function namespacesFor(host: HostConfig, network: Sandbox['namespace'], pidOf: PidOf) {
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
  return list;
}
