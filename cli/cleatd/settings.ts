import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import type { EngineConfig } from '@cleat/engine/config';
import { findCommand } from '@cleat/linux/host';
import { formatAddress, tryParseAddress } from '@cleat/protocol/cidr';
import { auditLimits } from './audit.js';
import { checkValues, runtimesOf, withoutScheme } from './checks.js';
import { defaultSocket, type Host, parseHost } from './hosts.js';
import { readConfigFile } from './options/file.js';
import { byFlag, type Flag, type Values, withDefaults } from './options/table.js';
import { trustRules } from './plugin-trust.js';
import { proxyVariables } from './proxies.js';
import { checkHooks, hooksOf } from './request-hooks.js';
import { type TlsMode, tlsMode } from './tls.js';

/** Everything the daemon was told, merged and checked. */
export interface Settings {
  readonly values: Values;
  /** The engine's part. Its ID is known once the data root is open. */
  readonly engine: Omit<EngineConfig, 'engineId'>;
  readonly hosts: readonly Host[];
  readonly tls: TlsMode;
  /** `--tls=false` or `--insecure-tcp`: plain TCP beyond loopback is intended. */
  readonly plainTcp: boolean;
  /** For the environment of the daemon and of what it starts. */
  readonly proxies: ReadonlyMap<string, string>;
  /** Sentences for the log, once it is open. */
  readonly warnings: readonly string[];
  /** How the user wrote an option: `--dns`, or `"dns" in /etc/cleat/daemon.json`. */
  readonly nameOf: (flag: string) => string;
}

/**
 * Merges flags, file and defaults.
 * @throws UsageError for every mistake that can be seen without touching the host.
 */
export async function loadSettings(flags: ReadonlyMap<string, unknown>): Promise<Settings> {
  const named = flags.get('config-file');
  const path = typeof named === 'string' ? named : String(byFlag.get('config-file')?.default);
  const file = await readConfigFile(path, flags, named !== undefined);
  const keys = new Map([...file.keys].map(([flag, key]) => [flag, `"${key}" in ${path}`]));
  const nameOf = (flag: string): string => keys.get(flag) ?? `--${flag}`;
  const settings = settingsOf(new Map([...flags, ...file.set]), nameOf);
  if (settings.engine.hooks) await checkHooks(settings.engine.hooks, nameOf);
  return settings;
}

/**
 * @param set what was set anywhere, by flag
 * @param nameOf how the user wrote it: as a flag, or as a key of the file
 * @throws UsageError
 */
export function settingsOf(
  set: ReadonlyMap<string, unknown>,
  nameOf: (flag: string) => string = (flag) => `--${flag}`,
): Settings {
  const values = withDefaults(set);
  checkValues(values, nameOf);
  const wasSet = (flag: Flag): boolean => set.has(flag);
  const tls = tlsMode(values, wasSet);
  const hosts = (values.host.length === 0 ? [`unix://${defaultSocket}`] : values.host).map((text) =>
    parseHost(text, tls !== 'off'),
  );
  const warnings = [...set.keys()].flatMap((flag) => {
    const why = byFlag.get(flag)?.ignored;
    return why === undefined ? [] : [`${nameOf(flag)} has no effect: ${why}`];
  });
  for (const registry of values['insecure-registry'].filter((one) => withoutScheme(one) !== one)) {
    warnings.push(
      `${nameOf('insecure-registry')}: ${registry} is taken as ${withoutScheme(registry)}: it has no scheme`,
    );
  }
  const pluginTrust = trustRules(values['plugin-trust'], nameOf);
  const plainTcp = values['insecure-tcp'] || (wasSet('tls') && !values.tls);
  const proxies = proxyVariables(values, nameOf);
  const hooks = hooksOf(values.hooks, nameOf);
  const audit = auditLimits(values, nameOf);
  const engine = { ...engineConfig(values, hosts), pluginTrust, hooks, audit };
  return { values, engine, hosts, tls, plainTcp, proxies, warnings, nameOf };
}

function engineConfig(values: Values, hosts: readonly Host[]): Settings['engine'] {
  const unsetIfEmpty = (text: string): string | undefined => text || undefined;
  const seccomp = values['seccomp-profile'];
  return {
    dataRoot: absolute(values['data-root']),
    execRoot: absolute(values['exec-root']),
    name: hostname(),
    labels: values.label,
    debug: values.debug || values['log-level'] === 'debug',
    hosts: hosts.map(({ text }) => text),
    authorizationPlugins: values['authorization-plugin'],
    runtimes: runtimesOf(values),
    defaultRuntime: values['default-runtime'],
    cgroupParent: values['cgroup-parent'],
    cgroupDriver: cgroupDriver(values['exec-opt']),
    defaultCgroupnsMode: cgroupnsMode(values['default-cgroupns-mode']),
    defaultIpcMode: values['default-ipc-mode'] === 'shareable' ? 'shareable' : 'private',
    defaultShmSize: values['default-shm-size'],
    defaultUlimits: values['default-ulimit'],
    init: values.init,
    initPath: values['init-path'] === '' ? findInit() : findCommand(values['init-path']),
    seccompProfile: seccomp === 'builtin' || seccomp === '' ? undefined : seccomp,
    noNewPrivileges: values['no-new-privileges'],
    cdiSpecDirs: values['cdi-spec-dir'].filter(Boolean),
    logDriver: values['log-driver'],
    logOpts: values['log-opt'],
    logBacklog: values['log-backlog'],
    defaultVolumeDriver: values['default-volume-driver'],
    defaultNetworkDriver: values['default-network-driver'],
    defaultIpamDriver: values['default-ipam-driver'],
    defaultBuilder: values['builder-driver'],
    bridge: values.bridge || 'cleat0',
    bip: unsetIfEmpty(values.bip),
    bip6: unsetIfEmpty(values.bip6),
    fixedCidr: unsetIfEmpty(values['fixed-cidr']),
    fixedCidr6: unsetIfEmpty(values['fixed-cidr-v6']),
    defaultGateway: unsetIfEmpty(values['default-gateway']),
    defaultGateway6: unsetIfEmpty(values['default-gateway-v6']),
    defaultNetworkOptions: values['default-network-opt'],
    allowDirectRouting: values['allow-direct-routing'],
    bridgeAcceptMark: values['bridge-accept-fwmark'],
    mtu: values.mtu || undefined,
    icc: values.icc,
    ipMasq: values['ip-masq'],
    ipForward: values['ip-forward'],
    iptables: values.iptables,
    ip: values.ip,
    ipv6: values.ipv6,
    defaultAddressPools: values['default-address-pool'],
    dns: values.dns,
    dnsSearch: values['dns-search'],
    dnsOptions: values['dns-opt'],
    hostGatewayIps: values['host-gateway-ip'],
    nodeAddress: unsetIfEmpty(usualForm(values['node-address'])),
    nodeList: values['node-list'] === '' ? undefined : absolute(values['node-list']),
    insecureRegistries: values['insecure-registry'].map(withoutScheme),
    registryMirrors: values['registry-mirror'],
    keepLayerArchives: values['keep-layer-archives'],
    maxConcurrentDownloads: values['max-concurrent-downloads'],
    liveRestore: values['live-restore'],
    eventsMaxBytes: values['events-max-size'],
    eventsMaxAgeMs: values['events-max-age'],
    shutdownTimeout: values['shutdown-timeout'],
  };
}

/** An address as drivers and lists have it. */
function usualForm(text: string): string {
  const address = tryParseAddress(text);
  return address ? formatAddress(address) : text;
}

/** The last one counts, as everywhere. */
function cgroupDriver(execOpts: readonly string[]): string {
  return execOpts.findLast((one) => one.startsWith('native.cgroupdriver='))?.split('=')[1] ?? 'cgroupfs';
}

function absolute(path: string): string {
  return isAbsolute(path) ? resolve(path) : resolve(process.cwd(), path);
}

function cgroupnsMode(value: string): 'host' | 'private' {
  if (value === 'host' || value === 'private') return value;
  // As Docker: private where cgroup v2 is all there is.
  return existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'private' : 'host';
}

/** An init for containers must be static: it runs where no library of this host is. */
function findInit(): string | undefined {
  for (const name of ['docker-init', 'tini-static']) {
    const found = findCommand(name);
    if (found !== undefined) return found;
  }
  return undefined;
}
