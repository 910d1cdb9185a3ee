import Type, { embedded, go, type Static } from '../schema.js';
import { ConsoleSize, int, named, nullable, StringMap, Strings } from './parts.js';

/** The part of a container's configuration that depends on the host. */
export const RestartPolicy = Type.Object(
  {
    /** '', 'no', 'always', 'unless-stopped', 'on-failure' */
    Name: named('container.RestartPolicyMode'),
    MaximumRetryCount: int,
  },
  go('container.RestartPolicy'),
);

export const LogConfig = Type.Object(
  { Type: Type.Optional(Type.String()), Config: nullable(StringMap) },
  go('container.LogConfig'),
);

export const Mount = Type.Object(
  {
    /** bind, volume, tmpfs, … */
    Type: named('mount.Type'),
    Source: Type.Optional(Type.String()),
    Target: Type.Optional(Type.String()),
    ReadOnly: Type.Optional(Type.Boolean()),
    Consistency: named('mount.Consistency'),
    BindOptions: nullable(
      Type.Object(
        {
          Propagation: named('mount.Propagation'),
          NonRecursive: Type.Optional(Type.Boolean()),
          CreateMountpoint: Type.Optional(Type.Boolean()),
          ReadOnlyNonRecursive: Type.Optional(Type.Boolean()),
          ReadOnlyForceRecursive: Type.Optional(Type.Boolean()),
        },
        go('mount.BindOptions'),
      ),
    ),
    VolumeOptions: nullable(
      Type.Object(
        {
          NoCopy: Type.Optional(Type.Boolean()),
          Labels: nullable(StringMap),
          Subpath: Type.Optional(Type.String()),
          DriverConfig: nullable(
            Type.Object({ Name: Type.Optional(Type.String()), Options: nullable(StringMap) }, go('mount.Driver')),
          ),
        },
        go('mount.VolumeOptions'),
      ),
    ),
    ImageOptions: nullable(Type.Object({ Subpath: Type.Optional(Type.String()) }, go('mount.ImageOptions'))),
    /** Options of mounts of type cluster, which are refused. */
    ClusterOptions: nullable(Type.Object({}, go('mount.ClusterOptions'))),
    TmpfsOptions: nullable(
      Type.Object(
        {
          SizeBytes: Type.Optional(Type.Integer()),
          Mode: Type.Optional(Type.Integer(go('fs.FileMode'))),
          Options: nullable(Type.Array(Strings)),
        },
        go('mount.TmpfsOptions'),
      ),
    ),
  },
  go('mount.Mount'),
);
export type Mount = Static<typeof Mount>;

export const PortMap = Type.Record(
  Type.String(),
  Type.Union([
    Type.Array(
      Type.Object(
        { HostIp: Type.Optional(Type.String()), HostPort: Type.Optional(Type.String()) },
        go('nat.PortBinding'),
      ),
    ),
    Type.Null(),
  ]),
  go('nat.PortMap'),
);
export type PortMap = Static<typeof PortMap>;

const Weights = nullable(
  Type.Array(
    Type.Object({ Path: Type.String(), Weight: Type.Integer(go('uint16')) }, go('blkiodev.WeightDevice')),
    go('[]*blkiodev.WeightDevice'),
  ),
);
const Rates = nullable(
  Type.Array(
    Type.Object({ Path: Type.String(), Rate: Type.Integer(go('uint64')) }, go('blkiodev.ThrottleDevice')),
    go('[]*blkiodev.ThrottleDevice'),
  ),
);

/** Members that `POST /containers/{id}/update` may change, too. */
export const resources = {
  CpuShares: Type.Optional(Type.Integer()),
  /** Bytes. */
  Memory: Type.Optional(Type.Integer()),
  CgroupParent: Type.Optional(Type.String()),
  BlkioWeight: Type.Optional(Type.Integer(go('uint16'))),
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
      Type.Object(
        {
          PathOnHost: Type.Optional(Type.String()),
          PathInContainer: Type.Optional(Type.String()),
          CgroupPermissions: Type.Optional(Type.String()),
        },
        go('container.DeviceMapping'),
      ),
    ),
  ),
  DeviceCgroupRules: nullable(Strings),
  /** The driver `cdi` is the only one that is here. */
  DeviceRequests: nullable(
    Type.Array(
      Type.Object(
        {
          Driver: Type.Optional(Type.String()),
          Count: int,
          DeviceIDs: nullable(Strings),
          Capabilities: nullable(Type.Array(nullable(Strings))),
          Options: nullable(StringMap),
        },
        go('container.DeviceRequest'),
      ),
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
      Type.Object(
        { Name: Type.String(), Soft: Type.Optional(Type.Integer()), Hard: Type.Optional(Type.Integer()) },
        go('units.Ulimit'),
      ),
      go('[]*units.Ulimit'),
    ),
  ),
  CpuCount: Type.Optional(Type.Integer()),
  CpuPercent: Type.Optional(Type.Integer()),
  IOMaximumIOps: Type.Optional(Type.Integer(go('uint64'))),
  IOMaximumBandwidth: Type.Optional(Type.Integer(go('uint64'))),
};

export const HostConfig = Type.Object(
  {
    ...embedded('Resources', resources),
    Binds: nullable(Strings),
    ContainerIDFile: Type.Optional(Type.String()),
    LogConfig: nullable(LogConfig),
    NetworkMode: named('container.NetworkMode'),
    PortBindings: nullable(PortMap),
    RestartPolicy: nullable(RestartPolicy),
    AutoRemove: Type.Optional(Type.Boolean()),
    VolumeDriver: Type.Optional(Type.String()),
    VolumesFrom: nullable(Strings),
    Mounts: nullable(Type.Array(Mount)),
    ConsoleSize: nullable(ConsoleSize),
    Annotations: nullable(StringMap),
    /** Since API 1.40, and refused: no engine can do it today. */
    Capabilities: nullable(Strings),
    CapAdd: nullable(Type.Union([Strings, Type.String()])),
    CapDrop: nullable(Type.Union([Strings, Type.String()])),
    CgroupnsMode: named('container.CgroupnsMode'),
    Dns: nullable(Strings),
    DnsOptions: nullable(Strings),
    DnsSearch: nullable(Strings),
    ExtraHosts: nullable(Strings),
    GroupAdd: nullable(Strings),
    IpcMode: named('container.IpcMode'),
    Cgroup: named('container.CgroupSpec'),
    Links: nullable(Strings),
    OomScoreAdj: int,
    PidMode: named('container.PidMode'),
    Privileged: Type.Optional(Type.Boolean()),
    PublishAllPorts: Type.Optional(Type.Boolean()),
    ReadonlyRootfs: Type.Optional(Type.Boolean()),
    SecurityOpt: nullable(Strings),
    StorageOpt: nullable(StringMap),
    Tmpfs: nullable(StringMap),
    UTSMode: named('container.UTSMode'),
    UsernsMode: named('container.UsernsMode'),
    /** Bytes. */
    ShmSize: Type.Optional(Type.Integer()),
    Sysctls: nullable(StringMap),
    Runtime: Type.Optional(Type.String()),
    /** The first process has it, and those that join it do; since API 1.56. */
    Umask: nullable(Type.Integer()),
    Isolation: named('container.Isolation'),
    MaskedPaths: nullable(Strings),
    ReadonlyPaths: nullable(Strings),
    Init: nullable(Type.Boolean()),
  },
  go('container.HostConfig'),
);
export type HostConfig = Static<typeof HostConfig>;
