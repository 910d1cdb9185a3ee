import { existsSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../syscall/errno.js';
import { type CgroupHierarchy, hostHierarchy } from './hierarchy.js';

/** A limit on one device: bytes or operations a second, or a weight. */
export interface DeviceLimit {
  readonly major: number;
  readonly minor: number;
  readonly value: number;
}

const kinds = ['readBps', 'writeBps', 'readIops', 'writeIops', 'weight'] as const;

/** Lists of limits; a missing one stays as it is. */
export type DeviceLimits = { readonly [K in (typeof kinds)[number]]?: readonly DeviceLimit[] };

/** Files of version 1, and members of `io.max` in version 2. */
const throttles = {
  readBps: ['blkio.throttle.read_bps_device', 'rbps'],
  writeBps: ['blkio.throttle.write_bps_device', 'wbps'],
  readIops: ['blkio.throttle.read_iops_device', 'riops'],
  writeIops: ['blkio.throttle.write_iops_device', 'wiops'],
} as const;

/**
 * Puts limits on devices in place of others, in a cgroup that processes are in: runtimes only set them at a start.
 * @param cgroup its path below the mount points
 * @throws what the kernel says, for a number that is no block device for example
 */
export function replaceDeviceLimits(
  cgroup: string,
  before: DeviceLimits,
  after: DeviceLimits,
  hierarchy: CgroupHierarchy = hostHierarchy(),
): void {
  const one = hierarchy.version === 1;
  const directory = `${(one ? hierarchy.controllers.get('blkio') : hierarchy.unified) ?? ''}${cgroup}`;
  const write = (file: string, text: string) => writeFileSync(`${directory}/${file}`, text, { flag: 'r+' });
  const set = (kind: (typeof kinds)[number], { major, minor, value }: DeviceLimit): void => {
    const number = `${major}:${minor}`;
    if (kind === 'weight') write(weightFile(directory, one), `${number} ${value || (one ? 0 : 'default')}`);
    else if (one) write(throttles[kind][0], `${number} ${value}`);
    else write('io.max', `${number} ${throttles[kind][1]}=${value || 'max'}`);
  };
  // First what the kernel may refuse, so that nothing is lifted then.
  for (const kind of kinds) for (const device of after[kind] ?? []) set(kind, device);
  for (const kind of kinds) {
    const wanted = after[kind];
    if (!wanted) continue;
    for (const old of before[kind] ?? [])
      if (!wanted.some((device) => isSame(old, device))) lift(() => set(kind, { ...old, value: 0 }));
  }
}

/** A device that is gone, or never was one, has no limit. */
function lift(set: () => void): void {
  try {
    set();
  } catch (error) {
    if (errnoOf(error) !== 'ENODEV') throw error;
  }
}

const isSame = (a: DeviceLimit, b: DeviceLimit): boolean => a.major === b.major && a.minor === b.minor;

/** Which one there is depends on the scheduler. */
function weightFile(directory: string, one: boolean): string {
  const names = one ? ['blkio.bfq.weight_device', 'blkio.weight_device'] : ['io.bfq.weight', 'io.weight'];
  return names.find((name) => existsSync(`${directory}/${name}`)) ?? names[1] ?? '';
}
