import { posix } from 'node:path';
import { HeldPath } from '@cleat/linux/helper/held-path';
import type { HostConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { defaultMounts } from '../../oci/default-mounts.js';
import type { OciMount } from '../../oci/types.js';
import type { BindMount, ImageMount, MountRecord, VolumeMount } from '../state/record.js';

/**
 * The source of a bind mount: a path that was looked at and is held since, or one that a user who may name the host's
 * paths has named. Text alone is neither, so that no path is looked at and then handed on.
 */
export type BindSource = HeldPath | { named: string };

/** Where things of this start lie on the host. */
export interface MountSources {
  /** By destination: bind sources and mounted volumes. */
  paths: ReadonlyMap<string, BindSource>;
  /** Made by the networks room; undefined where the container shares another's. */
  hosts: string;
  hostname: string;
  resolvConf: string;
  /** A directory of the host for /dev/shm (shared ipc modes); undefined: a tmpfs of its own. */
  shm: string | undefined;
  init: string | undefined;
  /** Where this container's secrets lie; undefined when it has none. */
  secrets: string | undefined;
  /** The runtime and the kernel can make what is mounted below a read-only source read-only too. */
  recursiveReadOnly: boolean;
}

export interface MountContext {
  hostConfig: HostConfig;
  mounts: readonly MountRecord[];
  sources: MountSources;
  privateCgroupNamespace: boolean;
  writableCgroups: boolean;
  isRemapped: boolean;
}

function defaults({
  hostConfig,
  sources,
  privateCgroupNamespace,
  writableCgroups,
  isRemapped,
}: MountContext): OciMount[] {
  const writable = hostConfig.Privileged === true;
  return defaultMounts({
    writableSys: writable,
    cgroups: { writable: writable || writableCgroups, ownNamespace: privateCgroupNamespace },
    hostIpc: hostConfig.IpcMode === 'host',
    isRemapped,
    shm: hostConfig.IpcMode === 'none' ? undefined : (sources.shm ?? { size: hostConfig.ShmSize ?? 67_108_864 }),
  });
}

/** All mounts, ordered so that none hides another. */
export function mountsFor(context: MountContext): OciMount[] {
  const { hostConfig, sources } = context;
  const chosen = userMounts(context);
  const taken = new Set(chosen.map((mount) => mount.destination));
  const basic = defaults(context).filter(
    (mount) => !taken.has(mount.destination) && !(taken.has('/dev') && mount.destination.startsWith('/dev/')),
  );
  if (hostConfig.ReadonlyRootfs && !hostConfig.Privileged) {
    const needWriting = new Set(['/proc', '/dev/pts', '/dev/shm', '/dev/mqueue', '/dev']);
    for (const mount of basic) {
      if (!needWriting.has(mount.destination) && !mount.options.includes('ro')) mount.options.push('ro');
    }
  }
  const readOnly = hostConfig.ReadonlyRootfs ? ['ro'] : [];
  const files: [string, string][] = [
    ['/etc/resolv.conf', sources.resolvConf],
    ['/etc/hostname', sources.hostname],
    ['/etc/hosts', sources.hosts],
  ];
  const bound = files
    .filter(([destination, source]) => source !== '' && !taken.has(destination))
    .map(
      ([destination, source]): OciMount => ({
        destination,
        type: 'bind',
        source,
        options: ['rbind', 'rprivate', ...readOnly],
      }),
    );
  if (sources.init !== undefined) {
    bound.push({ destination: initPath, type: 'bind', source: sources.init, options: ['bind', 'ro'] });
  }
  if (sources.secrets !== undefined) {
    const options = ['bind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec'];
    bound.push({ destination: secretsDirectory, type: 'bind', source: sources.secrets, options });
  }
  // Defaults first, in their own order; then from the outside in.
  return [...basic, ...[...bound, ...chosen].sort((a, b) => depth(a.destination) - depth(b.destination))];
}

/** Where a container finds its secrets: a file each. */
export const secretsDirectory = '/run/secrets';

export const initPath = '/sbin/docker-init';

function depth(path: string): number {
  return posix.normalize(path).split('/').length;
}

function userMounts(context: MountContext): OciMount[] {
  const { hostConfig, mounts, sources } = context;
  const list = mounts.map((mount): OciMount => {
    if (mount.type === 'tmpfs') {
      return {
        destination: mount.destination,
        type: 'tmpfs',
        source: 'tmpfs',
        options: tmpfsOptions([...mount.options, ...(mount.rw ? [] : ['ro'])]),
      };
    }
    const propagation = mount.propagation || 'rprivate';
    return {
      destination: mount.destination,
      type: 'bind',
      source: pathOf(sources.paths.get(mount.destination), mount),
      options: [
        mount.type === 'bind' && mount.nonRecursive ? 'bind' : 'rbind',
        propagation,
        ...access(mount, sources.recursiveReadOnly),
      ],
    };
  });
  for (const [destination, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    list.push({
      destination: posix.normalize(destination),
      type: 'tmpfs',
      source: 'tmpfs',
      options: tmpfsOptions(options === '' ? [] : options.split(',')),
    });
  }
  return list;
}

/** The path for the runtime and helpers. */
export function pathOf(source: BindSource | undefined, { destination }: MountRecord): string {
  if (source === undefined) throw new TypeError(`nothing is ready to be mounted on ${destination}`);
  return source instanceof HeldPath ? source.path : source.named;
}

/** As Docker since 25: read-only means all of it, where that can be had. */
function access(mount: BindMount | VolumeMount | ImageMount, recursive: boolean): string[] {
  if (mount.rw) return ['rw'];
  if (mount.type !== 'bind') return recursive ? ['ro', 'rro'] : ['ro'];
  if (mount.readOnlyForceRecursive && !recursive) {
    throw invalidParameter(
      `failed to make the mount at ${mount.destination} recursively read-only: the runtime or the kernel cannot`,
    );
  }
  return recursive && !mount.nonRecursive && !mount.readOnlyNonRecursive ? ['ro', 'rro'] : ['ro'];
}

/** mount(8)'s flags, and what tmpfs itself takes (moby/sys `mount.MergeTmpfsOptions`). */
const mountFlags =
  /^(defaults|ro|rw|(no)?(suid|dev|exec|atime|diratime|relatime|strictatime)|sync|async|dirsync|remount|mand|nomand|r?(bind|unbindable|private|shared|slave))$/;
const tmpfsData = /^(size|mode|uid|gid|nr_inodes|nr_blocks|mpol)$/;

/** Docker's defaults, each of which an option may undo. @throws InvalidParameter for what tmpfs does not know */
function tmpfsOptions(requested: string[]): string[] {
  // The last mistake is named, as there.
  for (const option of [...requested].reverse()) {
    const [name = '', value] = option.split('=');
    if (name === '') continue;
    if (value === undefined ? !mountFlags.test(name) : !tmpfsData.test(name)) {
      throw invalidParameter(`invalid tmpfs option "${name}"`);
    }
  }
  const opposite: Record<string, string> = { exec: 'noexec', suid: 'nosuid', dev: 'nodev' };
  const undone = new Set(requested.map((option) => opposite[option]).filter((option) => option !== undefined));
  return [
    ...['noexec', 'nosuid', 'nodev'].filter((option) => !undone.has(option) && !requested.includes(option)),
    ...requested,
  ];
}

/** The root's propagation, so that the mounts' own can have effect. */
export function rootPropagation(mounts: readonly MountRecord[]): string | undefined {
  const modes = mounts.map((mount) => mount.propagation);
  if (modes.some((mode) => mode === 'shared' || mode === 'rshared')) return 'shared';
  return modes.some((mode) => mode === 'slave' || mode === 'rslave') ? 'rslave' : undefined;
}
