import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import type { EngineConfig } from '@cleat/engine/config';
import { findCommand } from '@cleat/linux/host';
import { defaultSocket, type Host, parseHost } from './hosts.js';
import { parseMetricsAddress } from './metrics/address.js';
import { readConfigFile } from './options/file.js';
import type { RuntimeValue } from './options/option.js';
import { UsageError } from './options/parse.js';
import { byFlag, type Flag, type Values, withDefaults } from './options/table.js';
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
  /** Sentences for the log, once it is open. */
  readonly warnings: readonly string[];
}

/**
 * Merges flags, file and defaults.
 * @throws UsageError for every mistake that can be seen without touching the host.
 */
export async function loadSettings(flags: ReadonlyMap<string, unknown>): Promise<Settings> {
  const named = flags.get('config-file');
  const path = typeof named === 'string' ? named : String(byFlag.get('config-file')?.default);
  const file = await readConfigFile(path, flags, named !== undefined);
  return settingsOf(new Map([...flags, ...file]));
}

/** @param set what was set anywhere, by flag. @throws UsageError */
export function settingsOf(set: ReadonlyMap<string, unknown>): Settings {
  const values = withDefaults(set);
  check(values);
  const wasSet = (flag: Flag): boolean => set.has(flag);
  const tls = tlsMode(values, wasSet);
  const hosts = (values.host.length === 0 ? [`unix://${defaultSocket}`] : values.host).map((text) =>
    parseHost(text, tls !== 'off'),
  );
  const warnings = [...set.keys()].flatMap((flag) => {
    const why = byFlag.get(flag)?.ignored;
    return why === undefined ? [] : [`--${flag} has no effect: ${why}`];
  });
  if (values['exec-opt'].includes('native.cgroupdriver=systemd')) {
    warnings.push('--exec-opt native.cgroupdriver=systemd has no effect: cgroups are always managed by cgroupfs');
  }
  const plainTcp = values['insecure-tcp'] || (wasSet('tls') && !values.tls);
  return { values, engine: engineConfig(values, hosts), hosts, tls, plainTcp, warnings };
}

function check(values: Values): void {
  const oneOf = (
    flag: 'log-level' | 'log-format' | 'default-ipc-mode' | 'default-cgroupns-mode',
    allowed: string[],
  ) => {
    const value = values[flag];
    if (value !== '' && !allowed.includes(value)) {
      throw new UsageError(`invalid ${flag} '${value}': use ${allowed.join(', ')}`);
    }
  };
  oneOf('log-level', ['debug', 'info', 'warn', 'error', 'fatal', 'trace']);
  oneOf('log-format', ['text', 'json']);
  oneOf('default-ipc-mode', ['private', 'shareable']);
  oneOf('default-cgroupns-mode', ['private', 'host']);
  for (const flag of ['data-root', 'exec-root', 'pidfile'] as const) {
    if (values[flag] === '') throw new UsageError(`--${flag} must not be empty`);
  }
  labels(values.label);
  for (const address of [...values.dns, ...values['host-gateway-ip']]) {
    if (isIP(address) === 0) throw new UsageError(`${address} is not an ip address`);
  }
  if (isIP(values.ip) === 0) throw new UsageError(`--ip: ${values.ip} is not an ip address`);
  for (const flag of ['bip', 'fixed-cidr'] as const) {
    if (values[flag] !== '' && !/^[\d.]+\/\d{1,2}$/.test(values[flag])) {
      throw new UsageError(`invalid CIDR address: ${values[flag]} (--${flag} is written as 172.30.0.1/16)`);
    }
  }
  if (!/^\d+\.\d+$/.test(values['min-api-version'])) {
    throw new UsageError(`invalid min-api-version '${values['min-api-version']}': write it as 1.24`);
  }
  if (values['shutdown-timeout'] < 0) throw new UsageError('--shutdown-timeout must not be negative');
  if (values['max-concurrent-downloads'] < 1) {
    throw new UsageError(`invalid max concurrent downloads: ${values['max-concurrent-downloads']}`);
  }
  if (values['metrics-addr'] !== '') parseMetricsAddress(values['metrics-addr']);
  checkExecOpts(values['exec-opt']);
  runtimes(values);
}

function labels(list: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const label of list) {
    const [, key, value] = /^([^=\s]+)=(.*)$/s.exec(label) ?? [];
    if (key === undefined || value === undefined) throw new UsageError(`bad attribute format: ${label}`);
    const before = seen.get(key);
    if (before !== undefined && before !== value) {
      throw new UsageError(`conflict labels for ${key}=${value} and ${key}=${before}`);
    }
    seen.set(key, value);
  }
}

/** The stock runtime under the two names that clients know it by, and the operator's. */
function runtimes(values: Values): Record<string, RuntimeValue> {
  const added = values['add-runtime'];
  for (const name of stockRuntimes) {
    if (name in added) throw new UsageError(`runtime name '${name}' is reserved`);
  }
  const all = { ...Object.fromEntries(stockRuntimes.map((name) => [name, { path: 'runc' }])), ...added };
  const wanted = values['default-runtime'];
  if (!(wanted in all)) {
    throw new UsageError(
      `specified default runtime '${wanted}' does not exist: add it with --add-runtime ${wanted}=PATH`,
    );
  }
  return all;
}

const stockRuntimes = ['io.containerd.runc.v2', 'runc'];

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
    runtimes: runtimes(values),
    defaultRuntime: values['default-runtime'],
    cgroupParent: values['cgroup-parent'],
    cgroupDriver: 'cgroupfs',
    defaultCgroupnsMode: cgroupnsMode(values['default-cgroupns-mode']),
    defaultIpcMode: values['default-ipc-mode'] === 'shareable' ? 'shareable' : 'private',
    defaultShmSize: values['default-shm-size'],
    defaultUlimits: values['default-ulimit'],
    init: values.init,
    initPath: values['init-path'] === '' ? findInit() : findCommand(values['init-path']),
    seccompProfile: seccomp === 'builtin' || seccomp === '' ? undefined : seccomp,
    noNewPrivileges: values['no-new-privileges'],
    logDriver: values['log-driver'],
    logOpts: values['log-opt'],
    logBacklog: values['log-backlog'],
    defaultVolumeDriver: values['default-volume-driver'],
    defaultNetworkDriver: values['default-network-driver'],
    defaultIpamDriver: values['default-ipam-driver'],
    bridge: values.bridge || 'cleat0',
    bip: unsetIfEmpty(values.bip),
    fixedCidr: unsetIfEmpty(values['fixed-cidr']),
    defaultGateway: unsetIfEmpty(values['default-gateway']),
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
    insecureRegistries: values['insecure-registry'],
    registryMirrors: values['registry-mirror'],
    maxConcurrentDownloads: values['max-concurrent-downloads'],
    liveRestore: values['live-restore'],
    shutdownTimeout: values['shutdown-timeout'],
  };
}

function absolute(path: string): string {
  return isAbsolute(path) ? resolve(path) : resolve(process.cwd(), path);
}

function checkExecOpts(execOpts: readonly string[]): void {
  for (const one of execOpts) {
    const [key = '', value = ''] = one.split('=', 2);
    if (key !== 'native.cgroupdriver') throw new UsageError(`invalid option: '${key}' (native.cgroupdriver is known)`);
    if (value !== 'cgroupfs' && value !== 'systemd') {
      throw new UsageError(`option '${key}': '${value}' is not a valid cgroup driver: use cgroupfs or systemd`);
    }
  }
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
