import type { ContainerConfig, HostConfig } from '@cleat/protocol/api/container';
import { emptyConfig } from '@cleat/protocol/api/empty-config';

/**
 * Configurations as the API shows them: with a value for every field that Docker always writes (moby
 * `api/types/container`, what has no `omitempty`), whatever the client left out. docker-py, for one, reads
 * `Config.Tty` without asking whether it is there.
 */
const plainConfig = { ...emptyConfig, Labels: {} } satisfies ContainerConfig;

const plainHostConfig = {
  Binds: null,
  ContainerIDFile: '',
  NetworkMode: 'default',
  PortBindings: null,
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: '',
  Dns: null,
  DnsOptions: null,
  DnsSearch: null,
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: '',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  ShmSize: 0,
  Isolation: '',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: null,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: false,
  PidsLimit: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: null,
  ReadonlyPaths: null,
} satisfies HostConfig;

export function completeConfig(config: ContainerConfig): ContainerConfig {
  return { ...plainConfig, ...given(config) };
}

const plainRate = { Path: '', Rate: 0 };

/** An item of each list, as it is with nothing in it. */
const plainItems = {
  BlkioWeightDevice: { Path: '', Weight: 0 },
  BlkioDeviceReadBps: plainRate,
  BlkioDeviceWriteBps: plainRate,
  BlkioDeviceReadIOps: plainRate,
  BlkioDeviceWriteIOps: plainRate,
  Devices: { PathOnHost: '', PathInContainer: '', CgroupPermissions: '' },
  DeviceRequests: { Driver: '', Count: 0, DeviceIDs: null, Capabilities: null, Options: null },
  Ulimits: { Name: '', Hard: 0, Soft: 0 },
} satisfies Partial<Record<keyof HostConfig, object>>;

export function completeHostConfig(host: HostConfig): HostConfig {
  const shown: HostConfig = { ...plainHostConfig, ...given(host) };
  for (const [field, plain] of Object.entries(plainItems)) {
    const items: unknown = shown[field as keyof typeof plainItems];
    if (Array.isArray(items))
      Object.assign(shown, { [field]: items.map((item: object) => ({ ...plain, ...given(item) })) });
  }
  if (shown.PortBindings) {
    const bindings = Object.entries(shown.PortBindings).map(([port, all]) => [
      port,
      all?.map((one) => ({ HostIp: '', HostPort: '', ...given(one ?? {}) })) ?? null,
    ]);
    shown.PortBindings = Object.fromEntries(bindings);
  }
  return shown;
}

/** Keeps the keys that have a value. */
function given<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined && field !== null)) as T;
}
