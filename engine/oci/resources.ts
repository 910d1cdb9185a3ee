import { statSync } from 'node:fs';
import type { DeviceLimit, DeviceLimits } from '@cleat/linux/cgroup/block-devices';
import { splitDevice } from '@cleat/linux/syscall/files';
import type { ContainerUpdateRequest, HostConfig } from '@cleat/protocol/api/container';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { OciResources } from './types.js';

/** `linux.resources` without devices: limits as cgroups take them, for a start and for `docker update`. */
export function limits(host: HostConfig | ContainerUpdateRequest, options: { update?: boolean } = {}): OciResources {
  const memory = {
    limit: positive(host.Memory),
    // An update lifts it by -1.
    reservation: options.update ? host.MemoryReservation || undefined : positive(host.MemoryReservation),
    swap: host.MemorySwap || undefined,
    swappiness: host.MemorySwappiness === -1 ? undefined : (host.MemorySwappiness ?? undefined),
    disableOOMKiller: host.OomKillDisable || undefined,
  };
  const nano = host.NanoCpus ? { period: 100_000, quota: Math.round(host.NanoCpus / 10_000) } : undefined;
  const quota = nano?.quota ?? (host.CpuQuota || undefined);
  const cpu = {
    shares: host.CpuShares || undefined,
    period: nano?.period ?? (host.CpuPeriod || undefined),
    // Some runtimes cannot write the values that a new cgroup has anyway.
    quota: options.update ? quota : positive(quota),
    realtimePeriod: host.CpuRealtimePeriod || undefined,
    realtimeRuntime: host.CpuRealtimeRuntime || undefined,
    cpus: host.CpusetCpus || undefined,
    mems: host.CpusetMems || undefined,
  };
  const resources: OciResources = {};
  if (hasValue(memory)) resources.memory = memory;
  if (hasValue(cpu)) resources.cpu = cpu;
  const pids = host.PidsLimit ?? undefined;
  if (pids !== undefined && (pids > 0 || options.update)) resources.pids = { limit: pids > 0 ? pids : -1 };
  // In a cgroup with processes the engine itself replaces the limits of single devices.
  const blockIO = options.update ? { weight: host.BlkioWeight || undefined } : blockLimits(host);
  if (hasValue(blockIO)) resources.blockIO = blockIO;
  return resources;
}

function positive(value: number | undefined): number | undefined {
  return value && value > 0 ? value : undefined;
}

function hasValue(object: object): boolean {
  return Object.values(object).some((value) => value !== undefined);
}

function blockLimits(host: HostConfig | ContainerUpdateRequest) {
  const { weight, readBps, writeBps, readIops, writeIops } = deviceLimits(host);
  const rates = (list: readonly DeviceLimit[] | undefined) =>
    list?.length ? list.map(({ value, ...device }) => ({ ...device, rate: value })) : undefined;
  return {
    weight: host.BlkioWeight || undefined,
    weightDevice: weight?.length ? weight.map(({ value, ...device }) => ({ ...device, weight: value })) : undefined,
    throttleReadBpsDevice: rates(readBps),
    throttleWriteBpsDevice: rates(writeBps),
    throttleReadIOPSDevice: rates(readIops),
    throttleWriteIOPSDevice: rates(writeIops),
  };
}

/** Members with limits of single devices. In an update a list replaces the one before, and an empty one lifts all. */
export const perDevice = [
  'BlkioWeightDevice',
  'BlkioDeviceReadBps',
  'BlkioDeviceWriteBps',
  'BlkioDeviceReadIOps',
  'BlkioDeviceWriteIOps',
] as const satisfies (keyof ContainerUpdateRequest)[];

/** @throws InvalidParameter for a path that is no device */
export function deviceLimits(host: HostConfig | ContainerUpdateRequest): DeviceLimits {
  const rates = (list: HostConfig['BlkioDeviceReadBps']) =>
    list?.map(({ Path, Rate }) => ({ ...device(Path), value: Rate }));
  return {
    weight: host.BlkioWeightDevice?.map(({ Path, Weight }) => ({ ...device(Path), value: Weight })),
    readBps: rates(host.BlkioDeviceReadBps),
    writeBps: rates(host.BlkioDeviceWriteBps),
    readIops: rates(host.BlkioDeviceReadIOps),
    writeIops: rates(host.BlkioDeviceWriteIOps),
  };
}

function device(path: string): { major: number; minor: number } {
  // Elsewhere a path may belong to a file system that hangs; devices are in /dev.
  if (!path.startsWith('/dev/')) throw invalidParameter(`${path} is no device below /dev`);
  try {
    return splitDevice(statSync(path, { bigint: true }).rdev);
  } catch (cause) {
    throw invalidParameter(messageOf(cause), { cause });
  }
}
