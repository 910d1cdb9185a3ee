import { deviceNameRule, isDeviceName } from '@cleat/linux/net/device-name';
import { formatAddress, tryParseAddress } from '@cleat/protocol/cidr';
import { forbidden, invalidParameter } from '@cleat/protocol/errors';
import type { IpamData } from '@cleat/protocol/kinds/network';
import { netlabel } from '@cleat/protocol/kinds/network';
import { checkSubnet, inhibitIPv4, readModes, readTrusted, trustedInterfaces } from './modes.js';
import type { NetworkRecord } from './state.js';

export interface Defaults {
  icc: boolean;
  masquerade: boolean;
  hostIp: string;
  mtu: number;
}

/** RFC 8200, 5: an interface with a smaller MTU has no IPv6. */
const leastForIPv6 = 1280;

const interfacePrefix = 'com.docker.network.container_iface_prefix';
/**
 * Reads a network's options as Docker's bridge driver names them; what it does not know it ignores, as Docker does.
 * @throws InvalidParameter for a value that makes no sense, Forbidden for several subnets of a family
 */
export function readNetwork(
  id: string,
  options: Readonly<Record<string, unknown>>,
  ipam: readonly IpamData[],
  defaults: Defaults,
): NetworkRecord {
  const generic = stringMap(options[netlabel.generic]);
  const internal = options[netlabel.internal] === true;
  const modes = readModes(generic, internal);
  const trusted = readTrusted(generic[trustedInterfaces] ?? '');
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
    if (Pool) checkSubnet(Pool);
  }
  const bridge = generic[netlabel.bridgeName] || `br-${id.slice(0, 12)}`;
  if (!isDeviceName(bridge)) throw invalidParameter(`invalid bridge name "${bridge}": ${deviceNameRule}`);
  const mtu = mtuOf(generic[netlabel.mtu] ?? `${defaults.mtu}`) || 1500;
  const isSix = ipam.some(({ Pool = '' }) => Pool.includes(':'));
  if (isSix && mtu < leastForIPv6) throw invalidParameter(`invalid MTU number: ${mtu}: IPv6 needs ${leastForIPv6}`);
  return {
    v: 1,
    id,
    bridge,
    owned: true,
    subnets: ipam.flatMap(({ Pool }) => (Pool ? [Pool] : [])),
    gateways: ipam.flatMap(({ Gateway }) => (Gateway ? [Gateway] : [])),
    mtu,
    ...(Number(generic[netlabel.mtu]) > 0 ? { ownMtu: true } : {}),
    icc: flag(generic, netlabel.enableIcc, defaults.icc),
    masquerade: flag(generic, netlabel.enableIpMasquerade, defaults.masquerade),
    internal,
    ...(Object.keys(modes).length > 0 ? { modes } : {}),
    ...(trusted.length > 0 ? { trusted } : {}),
    ...(flag(generic, inhibitIPv4, false) ? { inhibitIPv4: true } : {}),
    hostIp,
    ...(snat.length > 0 ? { snat } : {}),
    prefix: generic[interfacePrefix] || 'eth',
    isDefault: flag(generic, netlabel.defaultBridge, false),
  };
}

/**
 * For which families a network is to have no gateway at all (moby `GetSkipGwAlloc`).
 * @throws InvalidParameter
 */
export function withoutGateways(options: Readonly<Record<string, unknown>>) {
  const generic = stringMap(options[netlabel.generic]);
  const internal = options[netlabel.internal] === true;
  const { ipv4, ipv6 } = readModes(generic, internal);
  const inhibits = flag(generic, inhibitIPv4, false);
  return { SkipIPv4: ipv4 === 'isolated' || (inhibits && internal), SkipIPv6: ipv6 === 'isolated' };
}

/** In moby's words. */
const unreadable = (key: string, value: string, why: string) =>
  invalidParameter(`failed to parse ${key} value: ${value} (${why})`);

/** The values that the kernel takes for a bridge; 0 stands for the default. */
function mtuOf(text: string): number {
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
