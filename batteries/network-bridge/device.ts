import { createHash } from 'node:crypto';
import { interfaceNames, linkFacts, linksByAlias, readSysctl, writeSysctl } from '@cleat/linux/net/facts';
import type { HostLinks } from '@cleat/linux/net/links';
import { linkState } from '@cleat/linux/syscall/route-links';
import { conflict } from '@cleat/protocol/errors';
import { dockerMac } from '@cleat/protocol/mac';
import { checkBorrowing } from './borrowed.js';
import { deviceAddresses } from './modes.js';
import type { NetworkRecord } from './state.js';

/** The alias that tells whose a bridge is. */
export const bridgeAlias = (engineId: string): string => `cleat:${engineId}`;

/** Whether a network's bridge is there, and not another one of its name. */
export function hasBridge({ bridge, owned }: NetworkRecord, engineId: string, state = linkState(bridge)): boolean {
  return state !== undefined && (!owned || state.alias === bridgeAlias(engineId));
}

/**
 * How a bridge that nobody tagged is used: `adopt` gives it the network's addresses (`--bridge NAME`), `borrow` leaves it
 * alone and asks the network's options to allow that.
 */
export type Untagged = 'refuse' | 'adopt' | 'borrow';

/**
 * Makes the bridge's device, or takes the one that is there.
 * @param begin told before a device is made
 * @returns whether the device is ours, to be removed with the network
 * @throws Conflict when the device belongs to somebody else, InvalidParameter for what cannot be on a borrowed one
 */
export async function ensureBridge(
  record: NetworkRecord,
  links: HostLinks,
  engineId: string,
  untagged: Untagged,
  begin: () => void = () => {},
): Promise<boolean> {
  const { bridge } = record;
  const facts = interfaceNames().has(bridge) ? await linkFacts(bridge) : undefined;
  // An engine was killed before it tagged the bridge, also while it made anew the one of an old network. It may be another's
  // that took the name meanwhile; ours has the address that we gave it.
  const halfMade =
    facts?.alias === '' && (record.making || record.owned) && facts.mac === bridgeMac(engineId, record.id);
  if (halfMade) await removeBridge(bridge, links);
  if (!facts || halfMade) {
    begin();
    links.forget();
    await links.run([
      `link add name ${bridge} address ${bridgeMac(engineId, record.id)} type bridge`,
      `link set dev ${bridge} alias ${bridgeAlias(engineId)}`,
    ]);
    allowIPv6(record);
    await links.run(configure(record));
    return true;
  }
  const ours = facts.alias === bridgeAlias(engineId);
  if (facts.kind !== 'bridge')
    throw conflict(`device ${bridge} exists already and is not a bridge: choose another name`);
  if (!ours && facts.alias.startsWith('cleat:')) {
    throw conflict(
      `bridge ${bridge} belongs to another Cleat engine on this host: choose another with --bridge or, if that engine is gone for good, remove what it left with "cleat sweep --data-root DIR --exec-root DIR"`,
    );
  }
  if (!ours && untagged === 'refuse') {
    throw conflict(`a bridge ${bridge} that this engine did not make exists already: choose another name`);
  }
  if (!ours && untagged === 'borrow') {
    checkBorrowing(record, facts);
    return false;
  }
  const wanted = deviceAddresses(record);
  const missing = wanted.filter((gateway) => !facts.addresses.includes(gateway));
  const stale = facts.addresses.filter((address) => !wanted.includes(address));
  allowIPv6(record);
  await links.run(
    ours
      ? [...stale.map((address) => `address delete ${address} dev ${bridge}`), ...configure(record)]
      : [...missing.map(addressOf(bridge)), `link set dev ${bridge} up`],
  );
  return ours;
}

/** Names of the bridges that are ours: somebody else may have one under the name of ours by now. One process. */
export async function ownBridges(engineId: string): Promise<ReadonlySet<string>> {
  return new Set((await linksByAlias(bridgeAlias(engineId))).map(({ name }) => name));
}

export async function removeBridge(bridge: string, links: HostLinks): Promise<void> {
  if (interfaceNames().has(bridge)) await links.run([`link delete dev ${bridge} type bridge`]);
  links.forget();
}

/** A host that has IPv6 off by default may have it on a bridge whose network wants it, as under moby. */
function allowIPv6(record: NetworkRecord): void {
  const key = `ipv6/conf/${record.bridge}/disable_ipv6`;
  if (!hasSix(record) || readSysctl(key) !== '1') return;
  try {
    writeSysctl(key, '0');
  } catch {
    // Where /proc/sys is read-only, `ip` says that IPv6 is disabled there.
  }
}

const hasSix = (record: NetworkRecord): boolean => deviceAddresses(record).some((gateway) => gateway.includes(':'));

/** The addresses of a bridge of ours, CIDRs. */
export const bridgeAddresses = (record: NetworkRecord): string[] => [
  ...(hasSix(record) ? [linkLocal] : []),
  ...deviceAddresses(record),
];

function configure(record: NetworkRecord): string[] {
  const { bridge } = record;
  return [
    // Without IPv6 on the network the bridge needs no link-local address, nor the chatter that comes with it. With IPv6
    // it has one at once: until the kernel's own is known to be nobody else's, the host would not find the containers.
    `link set dev ${bridge} addrgenmode none`,
    ...bridgeAddresses(record).map(addressOf(bridge)),
    // Said explicitly it stays; otherwise it is 1500 whenever no container is there.
    `link set dev ${bridge} mtu ${record.mtu}`,
    `link set dev ${bridge} up`,
  ];
}

/** As moby's bridges have it. */
const linkLocal = 'fe80::1/64';

const addressOf = (bridge: string) => (gateway: string) =>
  `address replace ${gateway} ${gateway.includes(':') ? 'nodad ' : ''}dev ${bridge}`;

/** A fixed, locally administered address: left alone, a bridge takes the lowest of its ports' and changes with them. */
function bridgeMac(engineId: string, networkId: string): string {
  const digest = createHash('sha256').update(`${engineId}/${networkId}`).digest();
  return dockerMac(digest.toString('hex'));
}
