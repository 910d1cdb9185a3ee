import { isIP } from 'node:net';
import { isBefore, maxApiVersion, minApiVersion } from '@cleat/api/http/version';
import { parseCidr, tryParseAddress } from '@cleat/protocol/cidr';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { checkDefaultBridge } from './default-bridge.js';
import { parseMetricsAddress } from './metrics/address.js';
import type { RuntimeValue } from './options/option.js';
import { UsageError } from './options/parse.js';
import { type Flag, options, type Values } from './options/table.js';

/** How the user wrote an option. */
type NameOf = (flag: Flag) => string;

/**
 * Every mistake in the options that can be seen without touching the host. Texts are dockerd's where it has one
 * (source: moby `daemon/config/config.go` Validate, `daemon/pkg/registry/config.go` ValidateMirror).
 * @throws UsageError
 */
export function checkValues(values: Values, nameOf: NameOf): void {
  checkChoices(values);
  for (const flag of ['data-root', 'exec-root', 'pidfile'] as const) {
    if (values[flag] === '') throw new UsageError(`${nameOf(flag)} must not be empty`);
  }
  checkLabels(values.label);
  checkAddresses(values, nameOf);
  checkDefaultBridge(values, nameOf);
  for (const pool of values['default-address-pool']) checkPool(pool, nameOf('default-address-pool'));
  checkNumbers(values, nameOf);
  checkMinApiVersion(values['min-api-version']);
  if (values['metrics-addr'] !== '') parseMetricsAddress(values['metrics-addr']);
  for (const mirror of values['registry-mirror']) checkMirror(mirror);
  for (const registry of values['insecure-registry']) checkRegistry(registry, nameOf('insecure-registry'));
  for (const flag of ['authorization-plugin', 'metrics-collector'] as const) {
    // A managed plugin's has slashes: `registry.example/team/plugin:v1`.
    const strange = values[flag].find((name) => !/^(?!\.\.?(\/|$))[^\s/]+(\/(?!\.\.?(\/|$))[^\s/]+)*$/.test(name));
    if (strange !== undefined) throw new UsageError(`${nameOf(flag)}: '${strange}' is not the name of a plugin`);
  }
  checkCgroupParent(values['cgroup-parent'], nameOf('cgroup-parent'));
  checkExecOpts(values['exec-opt']);
  checkIsolation(values, nameOf);
  runtimesOf(values);
}

function checkChoices(values: Values): void {
  for (const { flag, choices } of options) {
    const value = Object.entries(values).find(([name]) => name === flag)?.[1];
    if (choices !== undefined && typeof value === 'string' && value !== '' && !choices.includes(value)) {
      throw new UsageError(`invalid ${flag} '${value}': use ${choices.join(', ')}`);
    }
  }
}

function checkLabels(list: readonly string[]): void {
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

function checkAddresses(values: Values, nameOf: NameOf): void {
  for (const address of [...values.dns, ...values['host-gateway-ip']]) {
    if (isIP(address) === 0) throw new UsageError(`${address} is not an ip address`);
  }
  const { ip } = values;
  if (ip !== '' && isIP(ip) === 0) throw new UsageError(`${nameOf('ip')}: ${ip} is not an ip address`);
  const node = values['node-address'];
  if (node !== '' && !tryParseAddress(node))
    throw new UsageError(`${nameOf('node-address')}: ${node} is not an ip address`);
  if (node === '' && values['node-list'] !== '') {
    throw new UsageError(`${nameOf('node-list')} needs ${nameOf('node-address')}: which of the nodes is this host?`);
  }
  // As moby `opts/opts.go` ValidateDNSSearch; a dot is "none".
  const domain = values['dns-search'].find((one) => one.trim() !== '.' && !/^[\w-]+(\.[\w-]+)*\.?$/.test(one.trim()));
  if (domain !== undefined) throw new UsageError(`${domain} is not a valid domain`);
  for (const [flag, family] of [
    ['bip', 4],
    ['fixed-cidr', 4],
    ['bip6', 6],
    ['fixed-cidr-v6', 6],
  ] as const) {
    if (values[flag] === '' || cidrFamily(values[flag]) === family) continue;
    const example = family === 4 ? '172.30.0.1/16' : 'fd00:30::1/64';
    throw new UsageError(`invalid CIDR address: ${values[flag]} (${nameOf(flag)} is written as ${example})`);
  }
  const mark = values['bridge-accept-fwmark'];
  if (mark !== '' && !firewallMark.test(mark)) {
    throw new UsageError(`invalid ${nameOf('bridge-accept-fwmark')}: ${mark}: write it as 1 or 0x1/0x3`);
  }
}

/** Beyond the newest one every client would be refused; below the oldest nothing is known. Texts as moby's. */
function checkMinApiVersion(version: string): void {
  if (!/^\d+\.\d+$/.test(version)) {
    throw new UsageError(`invalid min-api-version '${version}': write it as 1.24`);
  }
  if (isBefore(version, minApiVersion)) {
    throw new UsageError(`invalid min-api-version '${version}': minimum supported API version is ${minApiVersion}`);
  }
  if (isBefore(maxApiVersion, version)) {
    throw new UsageError(`invalid min-api-version '${version}': maximum supported API version is ${maxApiVersion}`);
  }
}

/** A number of 32 bits, perhaps with a mask. */
const firewallMark = /^(0x[0-9a-f]{1,8}|\d{1,9})(\/(0x[0-9a-f]{1,8}|\d{1,9}))?$/i;

/** @returns undefined for what is no CIDR */
function cidrFamily(text: string): 4 | 6 | undefined {
  try {
    return parseCidr(text).block.family;
  } catch (error) {
    if (isClass(error, 'InvalidParameter')) return undefined;
    throw error;
  }
}

/** A pool that cannot be divided would fail with the first network that needs it. */
function checkPool({ base, size }: { base: string; size: number }, name: string): void {
  let prefix: number;
  let bits: number;
  try {
    const { block } = parseCidr(base);
    prefix = block.prefix;
    bits = block.family === 4 ? 32 : 128;
  } catch (error) {
    throw new UsageError(`${name}: invalid pool: ${messageOf(error)}`);
  }
  if (size < prefix || size > bits) {
    throw new UsageError(
      `${name}: the pool ${base} cannot be divided into networks of size ${size}: use ${prefix} to ${bits}`,
    );
  }
}

const maxTimerSeconds = 2_000_000;
/** Events of a few requests. */
const leastEventBytes = 64 * 1024;

function checkNumbers(values: Values, nameOf: NameOf): void {
  if (values['shutdown-timeout'] < 0) throw new UsageError(`${nameOf('shutdown-timeout')} must not be negative`);
  // A timer of Node's that is longer than 2^31 ms ends at once.
  if (values['shutdown-timeout'] > maxTimerSeconds) {
    throw new UsageError(`${nameOf('shutdown-timeout')} must not be more than ${maxTimerSeconds}`);
  }
  if (values['events-max-size'] < leastEventBytes) {
    throw new UsageError(`${nameOf('events-max-size')} must not be less than ${leastEventBytes / 1024}KiB`);
  }
  if (values['max-concurrent-downloads'] < 1) {
    throw new UsageError(`invalid max concurrent downloads: ${values['max-concurrent-downloads']}`);
  }
  // 68 is the least that IPv4 allows.
  if (values.mtu !== 0 && (values.mtu < 68 || values.mtu > 65_535)) {
    throw new UsageError(`invalid default MTU: ${values.mtu}`);
  }
}

/** As dockerd, which takes a scheme away (moby `daemon/pkg/registry/config.go`): with it no registry would match. */
export const withoutScheme = (registry: string): string => registry.replace(/^https?:\/\//i, '');

/** HOST, HOST:PORT or a block of addresses. */
function checkRegistry(named: string, name: string): void {
  const registry = withoutScheme(named);
  const isBlock = registry.includes('/') && cidrFamily(registry) !== undefined;
  const [, host = '', port = ''] = /^(\[[\da-f:.]+\]|[^\s/:]+)(?::(\d{1,5}))?$/i.exec(registry) ?? [];
  if (!isBlock && (host === '' || Number(port) > 65_535)) {
    throw new UsageError(`${name}: insecure registry ${registry} is not valid: write HOST, HOST:PORT or a CIDR`);
  }
}

function checkMirror(mirror: string): void {
  const quoted = JSON.stringify(mirror);
  let uri: URL;
  if (!mirror.includes('://')) {
    throw new UsageError(`invalid mirror: no scheme specified for ${quoted}: must use either 'https://' or 'http://'`);
  }
  try {
    uri = new URL(mirror);
  } catch {
    throw new UsageError(`invalid mirror: ${quoted} is not a valid URI`);
  }
  if (uri.protocol !== 'http:' && uri.protocol !== 'https:') {
    const scheme = JSON.stringify(uri.protocol.slice(0, -1));
    throw new UsageError(
      `invalid mirror: unsupported scheme ${scheme} in ${quoted}: must use either 'https://' or 'http://'`,
    );
  }
  if (uri.search !== '' || uri.hash !== '') {
    throw new UsageError(`invalid mirror: query or fragment at end of the URI ${quoted}`);
  }
  if (uri.username !== '' || uri.password !== '') {
    // Not shown: a log is no place for a password.
    throw new UsageError(`invalid mirror: username/password not allowed in URI "${uri.protocol}//${uri.host}"`);
  }
}

/** It becomes a path below each hierarchy. */
function checkCgroupParent(parent: string, name: string): void {
  const bad = parent.split('/').some((part) => part === '.' || part === '..') || /[\0\n]/.test(parent);
  if (bad) throw new UsageError(`${name}: invalid cgroup parent ${JSON.stringify(parent)}: no . and .. in it`);
}

/** An operator who asks for more isolation must not get less of it with a warning. */
function checkIsolation(values: Values, nameOf: NameOf): void {
  if (values['selinux-enabled']) {
    throw new UsageError(`${nameOf('selinux-enabled')}: SELinux labels are not set here: leave it out`);
  }
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

/** runc under both names that clients know it by. */
const reservedRuntimes = ['io.containerd.runc.v2', 'runc'];

/** The stock runtimes, and the operator's, who may have a crun of his own. @throws UsageError */
export function runtimesOf(values: Values): Record<string, RuntimeValue> {
  const added = values['add-runtime'];
  for (const name of reservedRuntimes) {
    if (name in added) throw new UsageError(`runtime name '${name}' is reserved`);
  }
  const runc = Object.fromEntries(reservedRuntimes.map((name) => [name, { path: 'runc' }]));
  const all = { ...runc, crun: { path: 'crun' }, ...added };
  const wanted = values['default-runtime'];
  if (wanted !== '' && !(wanted in all)) {
    throw new UsageError(
      `specified default runtime '${wanted}' does not exist: add it with --add-runtime ${wanted}=PATH`,
    );
  }
  return all;
}
