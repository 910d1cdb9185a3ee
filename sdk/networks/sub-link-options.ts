import { forbidden, invalidParameter } from '@cleat/protocol/errors';
import { type IpamData, netlabel } from '@cleat/protocol/kinds/network';
import type { SubLinkNetwork, SubLinkType } from './sub-links.js';

/**
 * Reads a network's options, in the words of Docker's drivers (moby `daemon/libnetwork/drivers/macvlan`, `…/ipvlan`).
 * What it does not know it ignores, as Docker does.
 * @returns the network, with a parent of the driver's own when none is named
 * @throws InvalidParameter
 */
export function readSubLinkNetwork(
  type: SubLinkType,
  id: string,
  options: Readonly<Record<string, unknown>>,
  ipam: { four: readonly IpamData[]; six: readonly IpamData[] },
): SubLinkNetwork {
  requirePool(options[netlabel.enableIPv4], ipam.four[0]?.Pool, 4);
  requirePool(options[netlabel.enableIPv6], ipam.six[0]?.Pool, 6);
  const generic = stringMap(options[netlabel.generic]);
  const { mode, flag } = type.read(generic);
  const named = generic.parent ?? '';
  if (named === 'lo') throw invalidParameter(`loopback interface is not a valid ${type.name} parent link`);
  return {
    v: 1,
    id,
    parent: named || `${type.parentPrefix}${id.slice(0, 12)}`,
    made: named ? '' : 'isolated',
    mode,
    flag,
    mtu: readMtu(generic[netlabel.mtu] ?? ''),
    internal: options[netlabel.internal] === true || !named,
    subnets: [...ipam.four, ...ipam.six].map(({ Pool = '', Gateway = '' }) => ({ pool: Pool, gateway: Gateway })),
  };
}

function requirePool(isEnabled: unknown, pool: string | undefined, family: 4 | 6): void {
  if (isEnabled !== true || (pool && !/^(0\.0\.0\.0|::)\/0$/.test(pool))) return;
  throw invalidParameter(`ipv${family} pool is empty`);
}

/** Options arrive as JSON of anybody's: only strings count. */
function stringMap(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

/** 0 stands for the parent's. */
function readMtu(text: string): number {
  if (text === '') return 0;
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (mtu === 0 || (mtu >= 68 && mtu <= 65_535)) return mtu;
  throw invalidParameter(`failed to parse ${netlabel.mtu} value: ${text}: a number from 68 to 65535`);
}

/** A VLAN by its name, `eth0.10`. @throws InvalidParameter, Forbidden in moby's words when it is none */
export function readVlan(name: string, exists: (link: string) => boolean): { master: string; id: number } {
  if (!name.includes('.')) {
    throw invalidParameter(`invalid subinterface vlan name ${name}, example formatting is eth0.10`);
  }
  const [master = '', text = '', ...more] = name.split('.');
  if (more.length > 0 || !isLinkName(name)) {
    throw invalidParameter(
      `required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received ${name}`,
    );
  }
  if (!/^\d{1,9}$/.test(text)) {
    throw invalidParameter(`unable to parse a valid vlan id from: ${text} (ex. eth0.10 for vlan 10)`);
  }
  if (!exists(master)) throw forbidden(`-o parent interface was not found on the host: ${master}`);
  const id = Number(text);
  if (id < 1 || id > 4094) throw invalidParameter(`vlan id must be between 1-4094, received: ${id}`);
  return { master, id };
}

/** Names that the kernel allows and `ip` takes for nothing else. */
export const isLinkName = (text: string): boolean => /^\w[\w.+=-]{0,14}$/.test(text);
