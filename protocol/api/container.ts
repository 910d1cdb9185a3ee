import Type, { embedded, go, type Static } from '../schema.js';
import { HostConfig, type PortMap, RestartPolicy, resources } from './host-config.js';
import { EndpointSettings } from './network.js';
import { ConsoleSize, int, nullable, StringMap, StringOrList, Strings } from './parts.js';

export { HostConfig, Mount, PortMap } from './host-config.js';

/**
 * The Engine API's container objects. Requests are schemas, because they are decoded leniently as Go's JSON does
 * (`protocol/json.ts`); answers are types, because we write them ourselves.
 */
/** A set in Go's notation: `{"80/tcp": {}}`. */
const KeySet = (options?: ReturnType<typeof go>) => Type.Record(Type.String(), Type.Object({}), options);
/** Nanoseconds. */
const duration = Type.Optional(Type.Integer(go('time.Duration')));

export const HealthConfig = Type.Object(
  {
    Test: nullable(Strings),
    Interval: duration,
    Timeout: duration,
    StartPeriod: duration,
    StartInterval: duration,
    Retries: int,
  },
  go('v1.HealthcheckConfig'),
);

export const ContainerConfig = Type.Object({
  Hostname: Type.Optional(Type.String()),
  Domainname: Type.Optional(Type.String()),
  User: Type.Optional(Type.String()),
  AttachStdin: Type.Optional(Type.Boolean()),
  AttachStdout: Type.Optional(Type.Boolean()),
  AttachStderr: Type.Optional(Type.Boolean()),
  ExposedPorts: nullable(KeySet(go('nat.PortSet'))),
  Tty: Type.Optional(Type.Boolean()),
  OpenStdin: Type.Optional(Type.Boolean()),
  StdinOnce: Type.Optional(Type.Boolean()),
  Env: nullable(Strings),
  Cmd: nullable(StringOrList),
  Entrypoint: nullable(StringOrList),
  Healthcheck: nullable(HealthConfig),
  ArgsEscaped: Type.Optional(Type.Boolean()),
  Image: Type.Optional(Type.String()),
  Volumes: nullable(KeySet()),
  WorkingDir: Type.Optional(Type.String()),
  NetworkDisabled: Type.Optional(Type.Boolean()),
  MacAddress: Type.Optional(Type.String()),
  OnBuild: nullable(Strings),
  Labels: nullable(StringMap),
  StopSignal: Type.Optional(Type.String()),
  /** Seconds. */
  StopTimeout: nullable(Type.Integer(go('int'))),
  Shell: nullable(StringOrList),
});
export type ContainerConfig = Static<typeof ContainerConfig>;

export const NetworkingConfig = Type.Object(
  {
    EndpointsConfig: nullable(Type.Record(Type.String(), Type.Union([EndpointSettings, Type.Null()]))),
  },
  go('network.NetworkingConfig'),
);
export type NetworkingConfig = Static<typeof NetworkingConfig>;

/** The struct into which Go decodes everything with a container's configuration. */
const wrapper = go('runconfig.ContainerConfigWrapper');

/** Where clients of 2015 put these; the api room moves them into the HostConfig. */
const legacyResources = embedded('HostConfig', {
  VolumeDriver: Type.Optional(Type.String()),
  ...embedded('Resources', {
    Memory: Type.Optional(Type.Integer()),
    MemorySwap: Type.Optional(Type.Integer()),
    CpuShares: Type.Optional(Type.Integer()),
    CpusetCpus: Type.Optional(Type.String()),
  }),
});

/** Body of `POST /containers/create`. */
export const ContainerCreateRequest = Type.Object(
  {
    ...embedded('Config', ContainerConfig.properties),
    ...legacyResources,
    HostConfig: nullable(HostConfig),
    NetworkingConfig: nullable(NetworkingConfig),
  },
  wrapper,
);
export type ContainerCreateRequest = Static<typeof ContainerCreateRequest>;

/** Body of `POST /commit`. */
export const CommitRequest = Type.Object(embedded('Config', ContainerConfig.properties), wrapper);

/** Body of `POST /containers/{id}/start`, until API 1.23. */
export const ContainerStartRequest = Type.Object(embedded('HostConfig', HostConfig.properties), wrapper);

/** Body of `POST /containers/{id}/update`. */
export const ContainerUpdateRequest = Type.Object(
  { ...embedded('Resources', resources), RestartPolicy: nullable(RestartPolicy) },
  go('container.UpdateConfig'),
);
export type ContainerUpdateRequest = Static<typeof ContainerUpdateRequest>;

/** Body of `POST /containers/{id}/exec`. */
export const ExecCreateRequest = Type.Object(
  {
    User: Type.Optional(Type.String()),
    Privileged: Type.Optional(Type.Boolean()),
    Tty: Type.Optional(Type.Boolean()),
    ConsoleSize: nullable(ConsoleSize),
    AttachStdin: Type.Optional(Type.Boolean()),
    AttachStderr: Type.Optional(Type.Boolean()),
    AttachStdout: Type.Optional(Type.Boolean()),
    DetachKeys: Type.Optional(Type.String()),
    Env: nullable(Strings),
    WorkingDir: Type.Optional(Type.String()),
    Cmd: nullable(Strings),
  },
  go('types.ExecConfig'),
);
export type ExecCreateRequest = Static<typeof ExecCreateRequest>;

/** Body of `POST /exec/{id}/start`. */
export const ExecStartRequest = Type.Object(
  {
    Detach: Type.Optional(Type.Boolean()),
    Tty: Type.Optional(Type.Boolean()),
    ConsoleSize: nullable(ConsoleSize),
  },
  go('types.ExecStartCheck'),
);
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
  SandboxID: string;
  SandboxKey: string;
  Ports: PortMap;
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
  /** API 1.52. */
  Health?: Pick<Health, 'Status' | 'FailingStreak'>;
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
