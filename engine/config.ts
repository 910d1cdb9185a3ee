import type { IdMaps } from '@cleat/linux/process/user-namespace';
import type { HooksConfig } from './hooks/config.js';

/** Where an engine keeps everything. */
export interface Roots {
  readonly dataRoot: string;
  readonly execRoot: string;
}

/** Absent: containers have the host's users. */
export interface UserNamespaces {
  /** Users and groups of containers (inside), and who they are on the host (outside). */
  readonly remap?: IdMaps | undefined;
}

/** Settings of the engine itself, by the host's owner. */
export interface SystemConfig extends Roots, UserNamespaces {
  /** Stable across restarts, unique per data root; tags what we leave on the host (bridge alias, nft table). */
  readonly engineId: string;
  /** Host name shown in info. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly debug: boolean;
  readonly hosts: readonly string[];
  readonly liveRestore: boolean;
  /** Seconds. */
  readonly shutdownTimeout: number;
  /** Bytes of disk for events. Absent: 64 MiB. */
  readonly eventsMaxBytes?: number;
  /** Absent or 0: any age. */
  readonly eventsMaxAgeMs?: number;
}

/** Settings of containers that say nothing else. */
export interface ContainersConfig
  extends Roots,
    UserNamespaces,
    RuntimesConfig,
    Pick<LogsConfig, 'logDriver' | 'logOpts'>,
    Pick<NetworksConfig, 'defaultNetworkDriver' | 'defaultIpamDriver'> {
  readonly engineId: string;
  readonly cgroupParent: string;
  readonly defaultCgroupnsMode: 'host' | 'private';
  readonly defaultIpcMode: 'private' | 'shareable';
  /** Bytes. */
  readonly defaultShmSize: number;
  readonly defaultUlimits: Readonly<Record<string, { Name: string; Soft: number; Hard: number }>>;
  readonly init: boolean;
  /** Static init for `--init`; undefined when none is installed. */
  readonly initPath: string | undefined;
  /** Path of the default seccomp profile, `unconfined`, or undefined for the built-in default. */
  readonly seccompProfile: string | undefined;
  readonly noNewPrivileges: boolean;
  /** Where the files that describe CDI devices are; absent or empty: there are none. */
  readonly cdiSpecDirs?: readonly string[];
}

export interface RuntimesConfig {
  readonly runtimes: Readonly<Record<string, RuntimeConfig>>;
  /** One of them. In settings that nobody has looked at the host for yet it may be empty: the fastest that works. */
  readonly defaultRuntime: string;
  /** `cgroupfs`; `systemd` where asked for. */
  readonly cgroupDriver: string;
}

export interface RuntimeConfig {
  path: string;
  runtimeArgs?: string[];
}

export interface AuthorizationConfig {
  /** Every request to the API must be allowed by each, asked in this order. */
  readonly authorizationPlugins?: readonly string[];
}

export interface AuditConfig {
  /** How much of the audit journal is kept. Undefined: nothing is recorded. */
  readonly audit?: { readonly maxBytes: number; readonly maxFiles: number; readonly maxAgeMs: number } | undefined;
}

export interface RequestHooksConfig {
  /** Request hooks, in the order in which they are asked; absent: there are none. */
  readonly hooks?: HooksConfig | undefined;
}

export interface LogsConfig extends Roots {
  readonly logDriver: string;
  readonly logOpts: Readonly<Record<string, string>>;
  /** Bytes of one container's output that may wait for its log driver. */
  readonly logBacklog: number;
}

export interface VolumesConfig extends Roots {
  readonly defaultVolumeDriver: string;
}

export interface NetworksConfig extends Roots {
  readonly engineId: string;
  readonly defaultNetworkDriver: string;
  readonly defaultIpamDriver: string;
  /** Name of the default bridge's device; `none`: no default bridge. */
  readonly bridge: string;
  /** CIDR of the default bridge's own address, for example `172.30.0.1/16`; undefined: chosen by IPAM. */
  readonly bip: string | undefined;
  readonly fixedCidr: string | undefined;
  readonly defaultGateway: string | undefined;
  /** The same for IPv6. Absent: none. */
  readonly bip6?: string | undefined;
  readonly fixedCidr6?: string | undefined;
  readonly defaultGateway6?: string | undefined;
  /** By driver: options of networks that do not say themselves. */
  readonly defaultNetworkOptions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Other hosts reach published ports by the containers' own addresses. */
  readonly allowDirectRouting?: boolean;
  /** Packets with this firewall mark are let through to containers; `mark/mask`. Empty or absent: none. */
  readonly bridgeAcceptMark?: string;
  readonly mtu: number | undefined;
  readonly icc: boolean;
  readonly ipMasq: boolean;
  readonly ipForward: boolean;
  readonly iptables: boolean;
  /** Host IP of published ports that name none. */
  readonly ip: string;
  readonly ipv6: boolean;
  readonly defaultAddressPools: readonly { base: string; size: number }[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** Addresses for `host-gateway` in --add-host; absent or empty: the default bridge's own address. */
  readonly hostGatewayIps?: readonly string[];
  /** This host's address for other hosts, in its usual form. Absent: drivers are told of no host. */
  readonly nodeAddress?: string | undefined;
  /** A file that names the other hosts, one address in a line. */
  readonly nodeList?: string | undefined;
}

export interface RegistriesConfig {
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  readonly maxConcurrentDownloads: number;
}

export interface LayersConfig {
  /** Layers are kept as they came, too, not unpacked alone. Absent: no. */
  readonly keepLayerArchives?: boolean;
}

export interface BuildersConfig extends Roots {
  /** The builder of builds that name none. */
  readonly defaultBuilder: string;
}

export interface PluginsConfig {
  /** Absent or empty: every plugin is taken. */
  readonly pluginTrust?: readonly PluginTrustRule[];
}

/** Demands a signature of the plugins whose name fits; see `engine/plugins/trust/rules.ts`. */
export interface PluginTrustRule {
  readonly name: string;
  readonly unsigned: boolean;
  /** Public keys, with the files that they are from. */
  readonly keys: readonly { readonly path: string; readonly pem: string }[];
}

/**
 * Settings that the wiring (`cli`) gives the engine: already merged from flags, `daemon.json` and defaults, and
 * validated. Each room is given its own part.
 */
export interface EngineConfig
  extends SystemConfig,
    ContainersConfig,
    AuthorizationConfig,
    AuditConfig,
    RequestHooksConfig,
    LogsConfig,
    VolumesConfig,
    NetworksConfig,
    RegistriesConfig,
    LayersConfig,
    BuildersConfig,
    PluginsConfig {}
