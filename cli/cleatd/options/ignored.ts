import { type OptionType, option } from './option.js';

const group = 'Accepted for compatibility with dockerd, without effect';

/** An option of dockerd's that does not apply here; `why` completes "--x has no effect: …". */
const ignored = <const F extends string, const T extends OptionType>(
  flag: F,
  type: T,
  why: string,
  rest: { key?: string | null; short?: string } = {},
) => option(flag, type, { group, ignored: why, help: why, ...rest });

const containerd = 'containers are run by conmon and an OCI runtime, there is no containerd';
const swarm = 'swarm mode is not part of this engine';
const proxy = 'one process carries what the kernel cannot translate: [::1], and IPv6 to a container without it';
const realtime = 'set real-time limits per container (--cpu-rt-runtime of docker run)';

export const ignoredOptions = [
  ignored('allow-nondistributable-artifacts', 'list', 'foreign layers are not pushed'),
  ignored('api-cors-header', 'string', 'the API does not answer to web pages of other origins'),
  ignored('api-enable-cors', 'bool', 'the API does not answer to web pages of other origins'),
  ignored('builder', 'json', 'bounds of its cache are options of the builder (batteries/builder-dockerfile)'),
  ignored('cluster-advertise', 'string', swarm),
  ignored('cluster-store', 'string', swarm),
  ignored('cluster-store-opt', 'map', swarm, { key: 'cluster-store-opts' }),
  ignored('containerd', 'string', containerd),
  ignored('containerd-namespace', 'string', containerd),
  ignored('containerd-plugins-namespace', 'string', containerd, { key: 'containerd-plugin-namespace' }),
  ignored('cpu-rt-period', 'int', realtime),
  ignored('cpu-rt-runtime', 'int', realtime),
  ignored('cri-containerd', 'bool', containerd),
  ignored('default-init', 'string', 'use --init-path'),
  ignored('default-stop-timeout', 'int', 'set it per container (--stop-timeout of docker run)'),
  ignored('deprecated-key-path', 'string', 'there is no trust key'),
  ignored('disable-legacy-registry', 'bool', 'version 1 registries are never asked'),
  ignored('experimental', 'bool', 'no feature is hidden behind it'),
  ignored('feature', 'list', "there is one image store; dockerd's feature switches mean nothing here", {
    key: 'features',
  }),
  ignored('firewall-backend', 'string', 'rules are always made with nftables'),
  ignored('graph', 'string', 'use --data-root', { short: 'g' }),
  ignored('ip-forward-no-drop', 'bool', 'the policy of the FORWARD chain is never changed'),
  ignored('ip6tables', 'bool', 'one nftables table holds the rules of both families'),
  ignored('max-concurrent-uploads', 'int', 'layers are pushed one after another'),
  ignored('max-download-attempts', 'int', 'failed downloads are retried with a fixed bound'),
  ignored('network-control-plane-mtu', 'int', swarm),
  ignored('network-diagnostic-port', 'int', swarm),
  ignored('node-generic-resource', 'list', swarm, { key: 'node-generic-resources' }),
  ignored('nri-opts', 'json', 'NRI plugins need containerd'),
  ignored('oom-score-adjust', 'int', "set it in the daemon's service unit (OOMScoreAdjust=)"),
  ignored('raw-logs', 'bool', 'use --log-format'),
  ignored('resolv-conf', 'string', "containers get the host's /etc/resolv.conf"),
  ignored('restart', 'bool', 'use restart policies (--restart of docker run)', { short: 'r' }),
  ignored('rootless', 'bool', 'this engine runs as root'),
  ignored('selinux-enabled', 'bool', 'SELinux labels are not set: refused'),
  ignored('storage-driver', 'string', 'root file systems are always overlayfs', { short: 's' }),
  ignored('storage-opt', 'list', 'overlayfs takes no options here', { key: 'storage-opts' }),
  ignored('swarm-default-advertise-addr', 'string', swarm),
  ignored('swarm-raft-election-tick', 'int', swarm),
  ignored('swarm-raft-heartbeat-tick', 'int', swarm),
  ignored('userland-proxy', 'bool', proxy),
  ignored('userland-proxy-path', 'string', proxy),
] as const;
