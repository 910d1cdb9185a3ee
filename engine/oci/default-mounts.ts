import { existsSync } from 'node:fs';
import type { OciMount } from './types.js';

export interface DefaultMounts {
  writableSys: boolean;
  cgroups: { writable: boolean; ownNamespace: boolean };
  /** It sees the host's queues. */
  hostIpc: boolean;
  /** It has a user namespace of its own, whose root may not mount what belongs to the host. */
  isRemapped?: boolean;
  /** Behind /dev/shm: a directory of the host's, or a tmpfs of this many bytes (half of the memory without); undefined: nothing. */
  shm: string | { size: number | undefined } | undefined;
}

/** The mounts of everything that a runtime runs (moby `daemon/pkg/oci/defaults.go`). */
export function defaultMounts({ writableSys, cgroups, hostIpc, isRemapped, shm }: DefaultMounts): OciMount[] {
  const mount = (destination: string, type: string, source: string, options: string[]): OciMount => ({
    destination,
    type,
    source,
    options,
  });
  const inert = ['nosuid', 'noexec', 'nodev'];
  return [
    mount('/proc', 'proc', 'proc', inert),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    mount('/sys', 'sysfs', 'sysfs', [...inert, writableSys ? 'rw' : 'ro']),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [
      ...inert,
      cgroups.writable ? 'rw' : 'ro',
      ...(cgroups.ownNamespace ? ['relatime'] : []),
    ]),
    // Where the host has mounted none, an own mount shows the host's queues just as well.
    ...(hostIpc && existsSync('/dev/mqueue')
      ? [mount('/dev/mqueue', 'bind', '/dev/mqueue', ['rbind', 'nosuid', 'noexec', 'nodev'])]
      : hostIpc && isRemapped
        ? []
        : [mount('/dev/mqueue', 'mqueue', 'mqueue', inert)]),
    ...(shm === undefined ? [] : [sharedMemory(shm)]),
  ];
}

function sharedMemory(shm: NonNullable<DefaultMounts['shm']>): OciMount {
  const destination = '/dev/shm';
  if (typeof shm === 'string') return { destination, type: 'bind', source: shm, options: ['rbind', 'rprivate'] };
  const size = shm.size === undefined ? [] : [`size=${shm.size}`];
  return { destination, type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', ...size] };
}
