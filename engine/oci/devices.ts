import { type BigIntStats, readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { splitDevice } from '@cleat/linux/syscall/files';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { OciDevice, OciDeviceRule } from './types.js';

/** Nothing, then what every container may use (moby `daemon/pkg/oci/defaults.go`); runtimes add their own defaults. */
export const defaultDeviceRules: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  ...(
    [
      [1, 5],
      [1, 3],
      [1, 9],
      [1, 8],
      [5, 0],
      [5, 1],
    ] as const
  ).map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
];

/** All devices of the host. */
export const everyDevice: OciDeviceRule = { allow: true, access: 'rwm' };

/** One device, or all in a directory. @throws InvalidParameter for what is no device, or not there */
export function devicesAt(source: string, target: string): OciDevice[] {
  let stats: BigIntStats;
  try {
    // Elsewhere a path may belong to a file system that hangs; devices are in /dev.
    if (!posix.normalize(source).startsWith('/dev/')) throw new Error('only devices below /dev can be given');
    stats = statSync(source, { bigint: true });
  } catch (cause) {
    throw invalidParameter(`error gathering device information while adding custom device "${source}": ${why(cause)}`, {
      cause,
    });
  }
  if (stats.isDirectory()) {
    return readdirSync(source).flatMap((name) => {
      const child = statSync(join(source, name), { bigint: true, throwIfNoEntry: false });
      return child?.isDirectory() || (child && typeOf(child)) ? devicesAt(join(source, name), join(target, name)) : [];
    });
  }
  const device = describe(stats, target);
  if (device) return [device];
  throw invalidParameter(
    `error gathering device information while adding custom device "${source}": not a device node`,
  );
}

function why(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    ? 'no such file or directory'
    : messageOf(cause);
}

/** Everything below /dev except what the container gets itself. */
export function hostDevices(directory: string): OciDevice[] {
  const own = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console']);
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (own.has(entry.name)) return [];
    if (entry.isDirectory()) return hostDevices(path);
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    const device = stats && describe(stats, path);
    return device ? [device] : [];
  });
}

function typeOf(stats: BigIntStats): 'c' | 'b' | undefined {
  if (stats.isCharacterDevice()) return 'c';
  return stats.isBlockDevice() ? 'b' : undefined;
}

function describe(stats: BigIntStats, path: string): OciDevice | undefined {
  const type = typeOf(stats);
  if (!type) return undefined;
  const fileMode = Number(stats.mode) & 0o7777;
  return { path, type, ...splitDevice(stats.rdev), fileMode, uid: Number(stats.uid), gid: Number(stats.gid) };
}
