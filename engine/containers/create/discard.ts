import { existsSync } from 'node:fs';
import { hostHierarchy } from '@cleat/linux/cgroup/hierarchy';
import { type CgroupInfo, cgroupInfo } from '@cleat/linux/cgroup/info';
import type { ContainerUpdateRequest } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';

let known: CgroupInfo | undefined;

/**
 * Takes out of `limits` what this kernel cannot hold, and says so in Docker's words (moby `daemon/daemon_unix.go`,
 * verifyPlatformContainerResources). @returns warnings. @throws InvalidParameter
 */
export function discardUnsupported(limits: ContainerUpdateRequest, cgroups?: CgroupInfo): string[] {
  known ??= cgroupInfo();
  const host = cgroups ?? known;
  const warnings: string[] = [];
  const discard = (unsupported: boolean, text: string, ...fields: (keyof ContainerUpdateRequest)[]): void => {
    const given = fields.filter((field) => isGiven(limits[field]));
    if (!unsupported || given.length === 0) return;
    warnings.push(text);
    for (const field of given) delete limits[field];
  };
  const unknown = (what: string) => `Your kernel does not support ${what} or the cgroup is not mounted.`;
  discard(!host.memoryLimit, `${unknown('memory limit capabilities')} Limitation discarded.`, 'Memory', 'MemorySwap');
  if ((limits.MemorySwap ?? 0) > 0 && !host.swapLimit && (limits.Memory ?? 0) > 0) {
    warnings.push(`${unknown('swap limit capabilities')} Memory limited without swap.`);
    limits.MemorySwap = -1;
  }
  if (limits.MemorySwappiness !== -1) {
    discard(
      !host.memorySwappiness,
      `${unknown('memory swappiness capabilities')} Memory swappiness discarded.`,
      'MemorySwappiness',
    );
  }
  discard(
    !host.memoryReservation,
    `${unknown('memory soft limit capabilities')} Limitation discarded.`,
    'MemoryReservation',
  );
  discard(
    !host.oomKillDisable,
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
    'OomKillDisable',
  );
  if ((limits.PidsLimit ?? 0) > 0) {
    discard(!host.pidsLimit, `${unknown('PIDs limit capabilities')} PIDs limit discarded.`, 'PidsLimit');
  }
  // No kernel from 5.16 on, nor any version 2, has them.
  discard(true, `${unknown('kernel memory limit capabilities')} Limitation discarded.`, 'KernelMemory');
  discard(true, `${unknown('kernel memory TCP limit capabilities')} Limitation discarded.`, 'KernelMemoryTCP');
  if ((limits.NanoCpus ?? 0) > 0 && !host.cpuCfsQuota) {
    throw invalidParameter(
      'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
    );
  }
  discard(
    !host.cpuShares,
    'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
    'CpuShares',
  );
  discard(
    !host.cpuCfsQuota,
    'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
    'CpuPeriod',
    'CpuQuota',
  );
  if ((isGiven(limits.CpuRealtimePeriod) || isGiven(limits.CpuRealtimeRuntime)) && !hasRealtime()) {
    throw invalidParameter('Your kernel does not support CPU real-time scheduler');
  }
  discard(true, 'linux does not support CPU percent. Percent discarded.', 'CpuPercent');
  discard(true, 'linux does not support CPU count. Count discarded.', 'CpuCount');
  discard(
    !host.cpuSet,
    'Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.',
    'CpusetCpus',
    'CpusetMems',
  );
  discard(!host.blkioWeight, `${unknown('Block I/O weight')} Weight discarded.`, 'BlkioWeight');
  discard(!host.blkioWeight, `${unknown('Block I/O weight_device')} Weight-device discarded.`, 'BlkioWeightDevice');
  for (const [field, what, short] of [
    ['BlkioDeviceReadBps', 'BPS Block I/O read limit', 'Block I/O BPS read limit'],
    ['BlkioDeviceWriteBps', 'BPS Block I/O write limit', 'Block I/O BPS write limit'],
    ['BlkioDeviceReadIOps', 'IOPS Block read limit', 'Block I/O IOPS read limit'],
    ['BlkioDeviceWriteIOps', 'IOPS Block write limit', 'Block I/O IOPS write limit'],
  ] as const) {
    discard(!host.blkioThrottle, `${unknown(what)} ${short} discarded.`, field);
  }
  return warnings;
}

/** Zero, empty and null say nothing. */
function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function hasRealtime(): boolean {
  const cpu = hostHierarchy().controllers.get('cpu');
  return cpu !== undefined && existsSync(`${cpu}/cpu.rt_period_us`);
}
