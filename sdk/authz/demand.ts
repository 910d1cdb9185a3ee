/** Objects that have a name and labels; an exec is its container's. */
export type ObjectType = 'container' | 'exec' | 'image' | 'network' | 'volume' | 'plugin';

/**
 * Settings that reach beyond a container's walls, or that somebody may want to bound. A value's form is given with each.
 */
export const settings = {
  privileged: 'all privileges of the host: `container` or `exec`',
  capabilities: 'a capability beyond the default ones: `NET_ADMIN`, `ALL`',
  devices: 'a device of the host: `/dev/fuse`, `request:cdi:vendor.com/gpu=0`, `rule:c 1:3 rwm`',
  namespaces: 'a namespace of the host: `pid`, `ipc`, `network`, `uts`, `user`, `cgroup`',
  'security-options': 'a security option: `seccomp=unconfined`, `no-new-privileges`',
  unmasked: 'other masked or read-only paths of `/proc` and `/sys` than the default ones: `masked`, `readonly`',
  'cgroup-parents': 'a control group of the host for the container: `/system.slice`',
  sysctls: 'a kernel parameter: `net.core.somaxconn=1024`',
  runtimes: 'an OCI runtime other than the default one: `runsc`',
  groups: 'a further group of its process: `0`, `docker`',
  secrets: 'a secret that the engine asks a plugin for, by a label: `password=keep` of the plugin `keep`',
  annotations: 'an annotation for the runtime: `run.oci.handler=krun`',
  'log-drivers': 'where its output goes: `syslog`',
  'kernel-scheduling': 'real-time time, or exemption from the out-of-memory killer: `realtime`, `oom`',
  'host-paths': 'a path of the host as a mount: `/srv/data`, and `/srv/data:ro` where it is read-only',
  propagation: 'mounts that go from or to the host: `shared`, `slave`, `rshared`, `rslave`',
  'volume-drivers': 'the driver of a volume: `local`',
  'volume-options': 'an option of a volume’s driver: `type=none`, `device=/`',
  'storage-options': 'an option of the container’s root file system: `size=1G`',
  'network-drivers': 'the driver of a network: `bridge`, `macvlan`',
  'network-options': 'an option of a network’s or endpoint’s driver: `parent=eth0`',
  subnets: 'addresses of a new network, which this host then sends there: `10.66.0.0/24`',
  ports: 'a published port, as address, port of the host and protocol: `127.0.0.1:8080/tcp`, `:*/tcp`',
  remotes: 'an address that the engine fetches a build’s context or an image from: `https://example.org/app.git`',
  unseen: 'an action of which nothing can be seen beforehand: `image:load`, `plugin:install`, `swarm:change`',
  unknown: 'a member of the request that is newer than this list: `HostConfig.New`',
} as const;
export type Setting = keyof typeof settings;

/** Amounts that may have a ceiling. */
export type Amount = 'memory' | 'swap' | 'cpus' | 'pids';

/** Everything that a request asks for, apart from being an action of a caller. All of it must be granted. */
export type Demand =
  /** An object by a name or ID: to look at, to use for something else, or to change. */
  | ObjectDemand
  /** A new object. Without a name the engine gives it one; without labels nobody can see which it will have. */
  | { readonly what: 'create'; readonly type: ObjectType; readonly name: string; readonly labels: Labels | undefined }
  /** A name that an object is to have besides. */
  | { readonly what: 'name'; readonly type: ObjectType; readonly name: string }
  /** Every object of a type that the filters let through: listed, followed or removed. */
  | { readonly what: 'all'; readonly type: ObjectType | 'event' | 'any'; readonly labels: readonly string[] }
  | { readonly what: 'setting'; readonly setting: Setting; readonly value: string }
  /** At most so much; undefined: without a bound. Bytes, processors, processes. */
  | { readonly what: 'amount'; readonly amount: Amount; readonly value: number | undefined };

export interface ObjectDemand {
  readonly what: 'object';
  readonly type: ObjectType;
  readonly name: string;
  readonly use: 'look' | 'use' | 'change';
  /** The labels of a volume that is made where there is none. */
  readonly made?: Labels;
  /** The mounts of this container are mounted again. */
  readonly takes?: 'mounts';
  /** It comes from a registry: nothing that is here counts. */
  readonly isRemote?: true;
  /** All tags of this repository. */
  readonly everyTag?: true;
}

export type Labels = Readonly<Record<string, string>>;
