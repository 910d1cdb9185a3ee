import Type, { type Static, type TSchema } from '../schema.js';
import { EndpointSettings } from './network.js';

/**
 * The Engine API's container objects. Requests are schemas, because they are decoded leniently as Go's JSON does
 * (`protocol/json.ts`); answers are types, because we write them ourselves.
 */
const nullable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
const StringMap = Type.Record(Type.String(), Type.String());
const Strings = Type.Array(Type.String());
/** A set in Go's notation: `{"80/tcp": {}}`. */
const KeySet = Type.Record(Type.String(), Type.Object({}));

export const HealthConfig = Type.Object({
  Test: nullable(Strings),
  /** All durations in nanoseconds. */
  Interval: Type.Optional(Type.Integer()),
  Timeout: Type.Optional(Type.Integer()),
  StartPeriod: Type.Optional(Type.Integer()),
  StartInterval: Type.Optional(Type.Integer()),
  Retries: Type.Optional(Type.Integer()),
});

export const ContainerConfig = Type.Object({
  Hostname: Type.Optional(Type.String()),
  Domainname: Type.Optional(Type.String()),
  User: Type.Optional(Type.String()),
  AttachStdin: Type.Optional(Type.Boolean()),
  AttachStdout: Type.Optional(Type.Boolean()),
  AttachStderr: Type.Optional(Type.Boolean()),
  ExposedPorts: nullable(KeySet),
  Tty: Type.Optional(Type.Boolean()),
  OpenStdin: Type.Optional(Type.Boolean()),
  StdinOnce: Type.Optional(Type.Boolean()),
  Env: nullable(Strings),
  /** Go's strslice: a string stands for a list of one. */
  Cmd: nullable(Type.Union([Strings, Type.String()])),
  Entrypoint: nullable(Type.Union([Strings, Type.String()])),
  Healthcheck: nullable(HealthConfig),
  ArgsEscaped: Type.Optional(Type.Boolean()),
  Image: Type.Optional(Type.String()),
  Volumes: nullable(KeySet),
  WorkingDir: Type.Optional(Type.String()),
  NetworkDisabled: Type.Optional(Type.Boolean()),
  MacAddress: Type.Optional(Type.String()),
  OnBuild: nullable(Strings),
  Labels: nullable(StringMap),
  StopSignal: Type.Optional(Type.String()),
  /** Seconds. */
  StopTimeout: nullable(Type.Integer()),
  Shell: nullable(Strings),
});
export type ContainerConfig = Static<typeof ContainerConfig>;

export const RestartPolicy = Type.Object({
  /** '', 'no', 'always', 'unless-stopped', 'on-failure' */
  Name: Type.Optional(Type.String()),
  MaximumRetryCount: Type.Optional(Type.Integer()),
});

export const LogConfig = Type.Object({ Type: Type.Optional(Type.String()), Config: nullable(StringMap) });

export const Mount = Type.Object({
  /** bind, volume, tmpfs, … */
  Type: Type.Optional(Type.String()),
  Source: Type.Optional(Type.String()),
  Target: Type.Optional(Type.String()),
  ReadOnly: Type.Optional(Type.Boolean()),
  Consistency: Type.Optional(Type.String()),
  BindOptions: nullable(
    Type.Object({
      Propagation: Type.Optional(Type.String()),
      NonRecursive: Type.Optional(Type.Boolean()),
      CreateMountpoint: Type.Optional(Type.Boolean()),
      ReadOnlyNonRecursive: Type.Optional(Type.Boolean()),
      ReadOnlyForceRecursive: Type.Optional(Type.Boolean()),
    }),
  ),
  VolumeOptions: nullable(
    Type.Object({
      NoCopy: Type.Optional(Type.Boolean()),
      Labels: nullable(StringMap),
      Subpath: Type.Optional(Type.String()),
      DriverConfig: nullable(Type.Object({ Name: Type.Optional(Type.String()), Options: nullable(StringMap) })),
    }),
  ),
  /** Of mounts of type image and cluster, which are refused. */
  ImageOptions: nullable(Type.Object({})),
  ClusterOptions: nullable(Type.Object({})),
  TmpfsOptions: nullable(
    Type.Object({
      SizeBytes: Type.Optional(Type.Integer()),
      Mode: Type.Optional(Type.Integer()),
      Options: nullable(Type.Array(Strings)),
    }),
  ),
});
export type Mount = Static<typeof Mount>;

export const PortMap = Type.Record(
  Type.String(),
  Type.Union([
    Type.Array(Type.Object({ HostIp: Type.Optional(Type.String()), HostPort: Type.Optional(Type.String()) })),
    Type.Null(),
  ]),
);
export type PortMap = Static<typeof PortMap>;

const Weights = nullable(Type.Array(Type.Object({ Path: Type.String(), Weight: Type.Integer() })));
const Rates = nullable(Type.Array(Type.Object({ Path: Type.String(), Rate: Type.Integer() })));

/** What `POST /containers/{id}/update` may change too. */
const resources = {
  CpuShares: Type.Optional(Type.Integer()),
  /** Bytes. */
  Memory: Type.Optional(Type.Integer()),
  CgroupParent: Type.Optional(Type.String()),
  BlkioWeight: Type.Optional(Type.Integer()),
  BlkioWeightDevice: Weights,
  BlkioDeviceReadBps: Rates,
  BlkioDeviceWriteBps: Rates,
  BlkioDeviceReadIOps: Rates,
  BlkioDeviceWriteIOps: Rates,
  /** Microseconds. */
  CpuPeriod: Type.Optional(Type.Integer()),
  CpuQuota: Type.Optional(Type.Integer()),
  CpuRealtimePeriod: Type.Optional(Type.Integer()),
  CpuRealtimeRuntime: Type.Optional(Type.Integer()),
  CpusetCpus: Type.Optional(Type.String()),
  CpusetMems: Type.Optional(Type.String()),
  Devices: nullable(
    Type.Array(
      Type.Object({
        PathOnHost: Type.Optional(Type.String()),
        PathInContainer: Type.Optional(Type.String()),
        CgroupPermissions: Type.Optional(Type.String()),
      }),
    ),
  ),
  DeviceCgroupRules: nullable(Strings),
  /** No driver for them is here: refused. */
  DeviceRequests: nullable(
    Type.Array(
      Type.Object({ Driver: Type.Optional(Type.String()), Capabilities: nullable(Type.Array(nullable(Strings))) }),
    ),
  ),
  KernelMemory: Type.Optional(Type.Integer()),
  KernelMemoryTCP: Type.Optional(Type.Integer()),
  MemoryReservation: Type.Optional(Type.Integer()),
  /** -1: unlimited. */
  MemorySwap: Type.Optional(Type.Integer()),
  MemorySwappiness: nullable(Type.Integer()),
  NanoCpus: Type.Optional(Type.Integer()),
  OomKillDisable: nullable(Type.Boolean()),
  PidsLimit: nullable(Type.Integer()),
  Ulimits: nullable(
    Type.Array(
      Type.Object({ Name: Type.String(), Soft: Type.Optional(Type.Integer()), Hard: Type.Optional(Type.Integer()) }),
    ),
  ),
  CpuCount: Type.Optional(Type.Integer()),
  CpuPercent: Type.Optional(Type.Integer()),
  IOMaximumIOps: Type.Optional(Type.Integer()),
  IOMaximumBandwidth: Type.Optional(Type.Integer()),
};

export const HostConfig = Type.Object({
  ...resources,
  Binds: nullable(Strings),
  ContainerIDFile: Type.Optional(Type.String()),
  LogConfig: nullable(LogConfig),
  NetworkMode: Type.Optional(Type.String()),
  PortBindings: nullable(PortMap),
  RestartPolicy: nullable(RestartPolicy),
  AutoRemove: Type.Optional(Type.Boolean()),
  VolumeDriver: Type.Optional(Type.String()),
  VolumesFrom: nullable(Strings),
  Mounts: nullable(Type.Array(Mount)),
  ConsoleSize: nullable(Type.Array(Type.Integer())),
  Annotations: nullable(StringMap),
  CapAdd: nullable(Type.Union([Strings, Type.String()])),
  CapDrop: nullable(Type.Union([Strings, Type.String()])),
  CgroupnsMode: Type.Optional(Type.String()),
  Dns: nullable(Strings),
  DnsOptions: nullable(Strings),
  DnsSearch: nullable(Strings),
  ExtraHosts: nullable(Strings),
  GroupAdd: nullable(Strings),
  IpcMode: Type.Optional(Type.String()),
  Cgroup: Type.Optional(Type.String()),
  Links: nullable(Strings),
  OomScoreAdj: Type.Optional(Type.Integer()),
  PidMode: Type.Optional(Type.String()),
  Privileged: Type.Optional(Type.Boolean()),
  PublishAllPorts: Type.Optional(Type.Boolean()),
  ReadonlyRootfs: Type.Optional(Type.Boolean()),
  SecurityOpt: nullable(Strings),
  StorageOpt: nullable(StringMap),
  Tmpfs: nullable(StringMap),
  UTSMode: Type.Optional(Type.String()),
  UsernsMode: Type.Optional(Type.String()),
  /** Bytes. */
  ShmSize: Type.Optional(Type.Integer()),
  Sysctls: nullable(StringMap),
  Runtime: Type.Optional(Type.String()),
  Isolation: Type.Optional(Type.String()),
  MaskedPaths: nullable(Strings),
  ReadonlyPaths: nullable(Strings),
  Init: nullable(Type.Boolean()),
});
export type HostConfig = Static<typeof HostConfig>;

export const NetworkingConfig = Type.Object({
  EndpointsConfig: nullable(Type.Record(Type.String(), Type.Union([EndpointSettings, Type.Null()]))),
});
export type NetworkingConfig = Static<typeof NetworkingConfig>;

/** Where clients of 2015 put these; the api room moves them into the HostConfig. */
const legacyResources = {
  VolumeDriver: Type.Optional(Type.String()),
  Memory: Type.Optional(Type.Integer()),
  MemorySwap: Type.Optional(Type.Integer()),
  CpuShares: Type.Optional(Type.Integer()),
  CpusetCpus: Type.Optional(Type.String()),
};

/** Body of `POST /containers/create`. */
export const ContainerCreateRequest = Type.Object({
  ...ContainerConfig.properties,
  ...legacyResources,
  HostConfig: nullable(HostConfig),
  NetworkingConfig: nullable(NetworkingConfig),
});
export type ContainerCreateRequest = Static<typeof ContainerCreateRequest>;

/** Body of `POST /containers/{id}/update`. */
export const ContainerUpdateRequest = Type.Object({ ...resources, RestartPolicy: nullable(RestartPolicy) });
export type ContainerUpdateRequest = Static<typeof ContainerUpdateRequest>;

/** Body of `POST /containers/{id}/exec`. */
export const ExecCreateRequest = Type.Object({
  User: Type.Optional(Type.String()),
  Privileged: Type.Optional(Type.Boolean()),
  Tty: Type.Optional(Type.Boolean()),
  ConsoleSize: nullable(Type.Array(Type.Integer())),
  AttachStdin: Type.Optional(Type.Boolean()),
  AttachStderr: Type.Optional(Type.Boolean()),
  AttachStdout: Type.Optional(Type.Boolean()),
  DetachKeys: Type.Optional(Type.String()),
  Env: nullable(Strings),
  WorkingDir: Type.Optional(Type.String()),
  Cmd: nullable(Strings),
});
export type ExecCreateRequest = Static<typeof ExecCreateRequest>;

/** Body of `POST /exec/{id}/start`. */
export const ExecStartRequest = Type.Object({
  Detach: Type.Optional(Type.Boolean()),
  Tty: Type.Optional(Type.Boolean()),
  /** [height, width] */
  ConsoleSize: nullable(Type.Array(Type.Integer())),
});
export type ExecStartRequest = Static<typeof ExecStartRequest>;

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerState {
  Status: ContainerStatus;
  Running: boolean;
  Paused: boolean;
  Restarting: boolean;
  OOMKilled: boolean;
  Dead: boolean;
  Pid: number;
  ExitCode: number;
  Error: string;
  /** RFC 3339 with nanoseconds, or `0001-01-01T00:00:00Z`. */
  StartedAt: string;
  FinishedAt: string;
  Health?: Health;
}

export interface Health {
  Status: 'none' | 'starting' | 'healthy' | 'unhealthy';
  FailingStreak: number;
  Log: { Start: string; End: string; ExitCode: number; Output: string }[];
}

export interface MountPoint {
  Type: string;
  Name?: string;
  Source: string;
  Destination: string;
  Driver?: string;
  Mode: string;
  RW: boolean;
  Propagation: string;
}

export interface NetworkSettings {
  Bridge: string;
  SandboxID: string;
  SandboxKey: string;
  HairpinMode: boolean;
  LinkLocalIPv6Address: string;
  LinkLocalIPv6PrefixLen: number;
  Ports: PortMap;
  SecondaryIPAddresses: null;
  SecondaryIPv6Addresses: null;
  EndpointID: string;
  Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  IPAddress: string;
  IPPrefixLen: number;
  IPv6Gateway: string;
  MacAddress: string;
  Networks: Record<string, EndpointSettings>;
}

/** Answer of `GET /containers/{id}/json`, in its newest shape; the api room reshapes it for old versions. */
export interface ContainerInspect {
  Id: string;
  Created: string;
  Path: string;
  Args: string[];
  State: ContainerState;
  /** `sha256:…`, never a name. */
  Image: string;
  ResolvConfPath: string;
  HostnamePath: string;
  HostsPath: string;
  LogPath: string;
  /** With a leading slash. */
  Name: string;
  RestartCount: number;
  Driver: string;
  Platform: string;
  MountLabel: string;
  ProcessLabel: string;
  AppArmorProfile: string;
  ExecIDs: string[] | null;
  HostConfig: HostConfig;
  GraphDriver: { Name: string; Data: Record<string, string> | null };
  SizeRw?: number;
  SizeRootFs?: number;
  Mounts: MountPoint[];
  Config: ContainerConfig;
  NetworkSettings: NetworkSettings;
}

export interface Port {
  IP?: string;
  PrivatePort: number;
  PublicPort?: number;
  Type: string;
}

/** A row of `GET /containers/json`. */
export interface ContainerSummary {
  Id: string;
  Names: string[];
  Image: string;
  ImageID: string;
  Command: string;
  /** Seconds since the epoch. */
  Created: number;
  Ports: Port[];
  SizeRw?: number;
  SizeRootFs?: number;
  Labels: Record<string, string>;
  State: ContainerStatus;
  /** `Up 5 minutes`, `Exited (0) 2 hours ago` … */
  Status: string;
  HostConfig: { NetworkMode: string; Annotations?: Record<string, string> };
  NetworkSettings: { Networks: Record<string, EndpointSettings> };
  Mounts: MountPoint[];
}

export interface ExecInspect {
  ID: string;
  Running: boolean;
  ExitCode: number | null;
  ProcessConfig: { tty: boolean; entrypoint: string; arguments: string[]; privileged: boolean; user?: string };
  OpenStdin: boolean;
  OpenStderr: boolean;
  OpenStdout: boolean;
  CanRemove: boolean;
  ContainerID: string;
  DetachKeys: string;
  Pid: number;
}
