/** What differs between the kinds beside the code. */
export interface KindFacts {
  /** The capability that the plugin lists. */
  readonly capability: string;
  /** One line for people: what it does as it is made. */
  readonly what: string;
  /** How it is used while it runs. */
  readonly use: readonly string[];
  /** Flags with which the test starts it; `${directory}` is the test's. */
  readonly testFlags: string;
  /** Options in the manifest, where Cleat gives it a directory of its own. */
  readonly options: Readonly<Record<string, string>>;
  /** It uses `@cleat/sdk/linux`, and so needs `@cleat/linux`. */
  readonly linux: boolean;
  /** What the unit may be denied; a plugin that mounts or makes interfaces must see those of the host. */
  readonly sandbox: readonly string[];
}

const confined = ['NoNewPrivileges=yes', 'ProtectHome=yes', 'PrivateTmp=yes'];

export const kindFacts = {
  volume: {
    capability: 'VolumeDriver',
    what: 'volumes are directories on this host',
    use: ['docker run --rm -v data:/data --volume-driver {{name}} busybox touch /data/kept'],
    testFlags: ' --root ${directory}/data',
    options: { root: '${stateDir}' },
    linux: false,
    // Not confined: what it mounts must be seen by the engine.
    sandbox: [],
  },
  network: {
    capability: 'NetworkDriver',
    what: 'a network is a bridge, and a container has one end of a pair of interfaces on it',
    use: [
      'docker network create --driver {{name}} mine',
      'docker run --rm --network mine busybox ip address show eth0',
    ],
    testFlags: ' --root ${directory}/data --prefix t${process.pid % 1000}',
    options: { root: '${stateDir}' },
    linux: true,
    sandbox: [],
  },
  ipam: {
    capability: 'IpamDriver',
    what: 'subnets are taken from a block that you choose',
    use: ['docker network create --ipam-driver {{name}} mine', 'docker run --rm --network mine busybox ip address'],
    testFlags: ' --root ${directory}/data',
    options: { root: '${stateDir}' },
    linux: false,
    sandbox: [...confined, 'StateDirectory={{name}}'],
  },
  log: {
    capability: 'LogDriver',
    what: 'the output of each container goes to a file of its own',
    use: ['docker run --rm --log-driver {{name}} --log-opt prefix=web: busybox echo hello'],
    testFlags: ' --root ${directory}/logs',
    options: { root: '${stateDir}' },
    linux: false,
    // The FIFOs are the engine's, wherever that has them.
    sandbox: ['LogsDirectory={{name}}'],
  },
  authz: {
    capability: 'authz',
    what: 'nobody makes a privileged container',
    use: ['dockerd --authorization-plugin {{name}}    # or cleatd, with the same option'],
    testFlags: '',
    options: {},
    linux: false,
    sandbox: [...confined, 'ProtectSystem=strict'],
  },
  metrics: {
    capability: 'MetricsCollector',
    what: 'the engine’s metrics are written to a file, every 15 seconds',
    use: ['cleatd --metrics-collector {{name}}'],
    testFlags: ' --from ${directory}/metrics.sock --file ${directory}/engine.prom',
    options: { file: '${stateDir}/engine.prom' },
    linux: false,
    sandbox: [...confined, 'StateDirectory={{name}}'],
  },
  secret: {
    capability: 'secretprovider',
    what: 'a secret is a file that is read each time a container starts',
    use: ['docker run --rm --label io.cleat.secret.token={{name}} busybox ls /run/secrets'],
    testFlags: ' --root ${directory}/secrets',
    options: { root: '/etc/{{name}}' },
    linux: false,
    sandbox: [...confined, 'ProtectSystem=strict'],
  },
} as const satisfies Record<string, KindFacts>;

export type KindName = keyof typeof kindFacts;

export const kindNames = Object.keys(kindFacts) as KindName[];

export function isKindName(text: string): text is KindName {
  return Object.hasOwn(kindFacts, text);
}
