/** Facts about this host, for `/info` and `cleat doctor`. All come from /proc, /sys and /etc. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { arch, cpus, hostname, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { errnoOf } from './syscall/errno.js';

export interface HostFacts {
  /** `Debian GNU/Linux 12 (bookworm)` */
  operatingSystem: string;
  /** VERSION_ID of os-release, or empty. */
  osVersion: string;
  kernelVersion: string;
  /** As `uname -m`: `x86_64`, `aarch64`. */
  architecture: string;
  /** As Go and OCI images say: `amd64`, `arm64`. */
  goArchitecture: string;
  cpus: number;
  /** Bytes. */
  memory: number;
  hostname: string;
  security: { seccomp: boolean; apparmor: boolean; selinux: boolean };
}

const unameNames: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i686', arm: 'armv7l' };
const goNames: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** The content of a small file; undefined when there is none. */
function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EACCES') return undefined;
    throw error;
  }
}

/** The fields of os-release(5). */
export function parseOsRelease(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^([A-Z0-9_]+)=(.*)$/.exec(line.trim());
    if (match?.[1]) fields[match[1]] = (match[2] ?? '').replace(/^(["'])(.*)\1$/, '$2').replace(/\\(.)/g, '$1');
  }
  return fields;
}

export function hostFacts(): HostFacts {
  const os = parseOsRelease(readIfPresent('/etc/os-release') ?? readIfPresent('/usr/lib/os-release') ?? '');
  return {
    operatingSystem: os.PRETTY_NAME ?? os.NAME ?? 'Linux',
    osVersion: os.VERSION_ID ?? '',
    kernelVersion: release(),
    architecture: unameNames[arch()] ?? arch(),
    goArchitecture: goNames[arch()] ?? arch(),
    cpus: cpus().length,
    memory: totalmem(),
    hostname: hostname(),
    security: {
      seccomp: existsSync('/proc/sys/kernel/seccomp/actions_avail'),
      apparmor: (readIfPresent('/sys/module/apparmor/parameters/enabled') ?? '').startsWith('Y'),
      selinux: existsSync('/sys/fs/selinux/enforce'),
    },
  };
}

/** Kinds of namespaces (as in /proc/PID/ns) with whether this kernel has them. */
export function namespaceSupport(): Record<'mnt' | 'pid' | 'net' | 'ipc' | 'uts' | 'user' | 'cgroup', boolean> {
  const has = (name: string) => existsSync(`/proc/self/ns/${name}`);
  return {
    mnt: has('mnt'),
    pid: has('pid'),
    net: has('net'),
    ipc: has('ipc'),
    uts: has('uts'),
    user: has('user'),
    cgroup: has('cgroup'),
  };
}

const capabilityBits = {
  CAP_NET_ADMIN: 12,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_PTRACE: 19,
  CAP_MKNOD: 27,
  CAP_SYS_RESOURCE: 24,
} as const;

export type NeededCapability = keyof typeof capabilityBits;

/**
 * Which of the capabilities that an engine needs this process lacks; none for an unrestricted root. Without
 * CAP_SYS_RESOURCE containers run, but no limit (`--ulimit`) can be raised above the engine's own.
 */
export function missingCapabilities(): NeededCapability[] {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const bits = BigInt(`0x${effective}`);
  return (Object.keys(capabilityBits) as NeededCapability[]).filter(
    (name) => (bits & (1n << BigInt(capabilityBits[name]))) === 0n,
  );
}

/** Whether the kernel knows a file system type now (a module may still bring it). */
export function hasFileSystem(type: string): boolean {
  return (readIfPresent('/proc/filesystems') ?? '').split('\n').some((line) => line.split('\t')[1] === type);
}

/** A kernel setting, for example `net.ipv4.ip_forward`; undefined when the kernel has none of that name. */
export function sysctl(name: string): string | undefined {
  return readIfPresent(`/proc/sys/${name.replaceAll('.', '/')}`)?.trim();
}

/** The path of a command; undefined when it is not installed. A name with a slash is looked at as it is. */
export function findCommand(name: string): string | undefined {
  const searched = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  const candidates = name.includes('/') ? [name] : searched.split(delimiter).map((directory) => join(directory, name));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      // Not here: the next directory.
      return false;
    }
  });
}

const paths = new Map<string, string>();
let searchedIn: string | undefined;

/**
 * The same for a command that is often started: looked for again only when it is no longer where it was found, or PATH
 * is another.
 */
export function commandPath(name: string): string | undefined {
  if (process.env.PATH !== searchedIn) paths.clear();
  searchedIn = process.env.PATH;
  const known = paths.get(name);
  const path = (known && findCommand(known)) ?? findCommand(name);
  if (path !== undefined) paths.set(name, path);
  return path;
}
