import { formatAddress, tryParseAddress } from '@cleat/protocol/cidr';
import { forbidden, invalidParameter, notImplemented } from '@cleat/protocol/errors';
import type { IpamData } from '@cleat/protocol/kinds/network';
import { netlabel } from '@cleat/protocol/kinds/network';
import type { NetworkRecord } from './state.js';

export interface Defaults {
  icc: boolean;
  masquerade: boolean;
  hostIp: string;
  mtu: number;
}

const interfacePrefix = 'com.docker.network.container_iface_prefix';
/** Options of moby's driver that would change what is reachable, and are not there. */
const notServed = [
  'com.docker.network.bridge.inhibit_ipv4',
  'com.docker.network.bridge.trusted_host_interfaces',
] as const;
const gatewayMode = /^com\.docker\.network\.bridge\.gateway_mode_ipv[46]$/;

/**
 * Reads a network's options as Docker's bridge driver names them; what it does not know it ignores, as Docker does.
 * @throws InvalidParameter for a value that makes no sense, NotImplemented for a gateway mode that is not there yet
 */
export function readNetwork(
  id: string,
  options: Readonly<Record<string, unknown>>,
  ipam: readonly IpamData[],
  defaults: Defaults,
): NetworkRecord {
  const generic = stringMap(options[netlabel.generic]);
  for (const [key, value] of Object.entries(generic)) {
    if (gatewayMode.test(key) && value !== 'nat' && value !== '') {
      throw notImplemented(`${key}=${value} is not supported: leave it out, or use "nat"`);
    }
  }
  for (const key of notServed) {
    if (generic[key] && !/^(0|f|false)$/i.test(generic[key])) {
      throw notImplemented(`${key}=${generic[key]} is not supported: leave it out`);
    }
  }
  const snat = [hostAddress(generic, 4), hostAddress(generic, 6)].filter((address) => address !== '');
  const hostIp = generic[netlabel.hostBinding] || defaults.hostIp;
  if (!tryParseAddress(hostIp)) throw unreadable(netlabel.hostBinding, hostIp, 'nil ip');
  for (const six of [false, true]) {
    if (ipam.filter(({ Pool = '' }) => Pool && Pool.includes(':') === six).length < 2) continue;
    throw forbidden("bridge driver doesn't support multiple subnets");
  }
  for (const { Pool = '' } of ipam) {
    if (Pool === '0.0.0.0/0') throw invalidParameter('ipv4 pool is empty');
    if (Pool === '::/0') throw invalidParameter('ipv6 pool is empty');
  }
  const bridge = generic[netlabel.bridgeName] || `br-${id.slice(0, 12)}`;
  if (bridge.length > 15 || /[\s/:]/.test(bridge) || bridge === '.' || bridge === '..') {
    throw invalidParameter(`invalid bridge name "${bridge}": a device's name has at most 15 characters`);
  }
  const mtu = mtuOf(generic[netlabel.mtu] ?? '', defaults.mtu);
  return {
    v: 1,
    id,
    bridge,
    owned: true,
    subnets: ipam.flatMap(({ Pool }) => (Pool ? [Pool] : [])),
    gateways: ipam.flatMap(({ Gateway }) => (Gateway ? [Gateway] : [])),
    mtu: mtu || 1500,
    icc: flag(generic, netlabel.enableIcc, defaults.icc),
    masquerade: flag(generic, netlabel.enableIpMasquerade, defaults.masquerade),
    internal: options[netlabel.internal] === true,
    hostIp,
    ...(snat.length > 0 ? { snat } : {}),
    prefix: generic[interfacePrefix] || 'eth',
    isDefault: flag(generic, netlabel.defaultBridge, false),
  };
}

/** In moby's words. */
const unreadable = (key: string, value: string, why: string) =>
  invalidParameter(`failed to parse ${key} value: ${value} (${why})`);

/** The values that the kernel takes for a bridge; 0 stands for the default. */
function mtuOf(text: string, otherwise: number): number {
  if (text === '') return otherwise;
  const quoted = JSON.stringify(text);
  if (!/^[+-]?\d+$/.test(text)) {
    throw unreadable(netlabel.mtu, text, `strconv.Atoi: parsing ${quoted}: invalid syntax`);
  }
  const mtu = Number(text);
  if (mtu !== 0 && (mtu < 68 || mtu > 65_535)) throw invalidParameter(`invalid MTU number: ${mtu}`);
  return mtu;
}

/** The host's address behind which containers are hidden; empty: none is named. */
function hostAddress(options: Readonly<Record<string, string>>, family: 4 | 6): string {
  const key = `com.docker.network.host_ipv${family}`;
  const value = options[key] ?? '';
  if (!value) return '';
  const address = tryParseAddress(value);
  if (!address) throw unreadable(key, value, 'nil ip');
  if (address.family !== family) throw unreadable(key, value, `no IPv${family} address`);
  return formatAddress(address);
}

function flag(options: Readonly<Record<string, string>>, key: string, otherwise: boolean): boolean {
  const value = options[key];
  if (value === undefined || value === '') return otherwise;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalidParameter(
    `failed to parse ${key} value: ${value} (strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax)`,
  );
}

/** Options arrive as JSON of anybody's: only strings count. */
export function stringMap(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}
