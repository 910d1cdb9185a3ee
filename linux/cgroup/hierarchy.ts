import { readdirSync, readFileSync } from 'node:fs';
import { parseMountInfo } from '../mount/mountinfo.js';
import { errnoOf } from '../syscall/errno.js';

/** Where the kernel's control groups are mounted on this host. */
export interface CgroupHierarchy {
  /** 1 also for a hybrid host, whose controllers are all on version 1. */
  version: 1 | 2;
  /** Version 1 with an (empty) version 2 tree beside it. */
  hybrid: boolean;
  /** Version 1: controller → mount point. Empty for version 2. */
  controllers: ReadonlyMap<string, string>;
  /** The mount point of the version 2 tree, if there is one. */
  unified: string | undefined;
  /** Mount points of version 1 hierarchies without a controller (`name=systemd`): runtimes make cgroups there, too. */
  named?: readonly string[];
}

const v1Controllers = new Set([
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'net_cls',
  'net_prio',
  'perf_event',
  'hugetlb',
  'rdma',
  'misc',
]);

/** Finds the hierarchies in mountinfo text (default: this process's). */
export function cgroupHierarchy(mountInfo = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupHierarchy {
  const controllers = new Map<string, string>();
  const named = new Set<string>();
  let unified: string | undefined;
  for (const mount of parseMountInfo(mountInfo)) {
    if (mount.type === 'cgroup2') unified ??= mount.target;
    if (mount.type !== 'cgroup') continue;
    for (const option of mount.superOptions) {
      if (option.startsWith('name=')) named.add(mount.target);
      if (v1Controllers.has(option) && !controllers.has(option)) controllers.set(option, mount.target);
    }
  }
  const version = controllers.size > 0 || unified === undefined ? 1 : 2;
  return { version, hybrid: version === 1 && unified !== undefined, controllers, unified, named: [...named] };
}

let known: CgroupHierarchy | undefined;

/** The host's hierarchies, looked up once. */
export function hostHierarchy(): CgroupHierarchy {
  known ??= cgroupHierarchy();
  return known;
}

/** The cgroup of a container as `linux.cgroupsPath` of the OCI specification takes it: absolute, `/parent/id`. */
export function cgroupPath(parent: string, id: string): string {
  return `/${[...parent.split('/'), id].filter((part) => part !== '' && part !== '.' && part !== '..').join('/')}`;
}

/** The directories of one cgroup: one, or with version 1 one per mounted hierarchy. */
export function cgroupDirectories(path: string, hierarchy: CgroupHierarchy = hostHierarchy()): string[] {
  const mounts = new Set([...hierarchy.controllers.values(), ...(hierarchy.named ?? [])]);
  if (hierarchy.unified) mounts.add(hierarchy.unified);
  return [...mounts].map((mount) => `${mount}${path}`);
}

/** The text of a cgroup file, trimmed; undefined when the kernel has no such file here or the cgroup is gone. */
export function readCgroupFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENODEV' || errno === 'ENOTSUP') return undefined;
    throw error;
  }
}

/** The cgroups below a directory, deepest first, itself last. */
export function cgroupTree(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  return [...names.flatMap((name) => cgroupTree(`${directory}/${name}`)), directory];
}
