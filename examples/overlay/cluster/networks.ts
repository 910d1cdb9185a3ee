import { forbidden, invalidParameter, notFound } from '@cleat/sdk';
import {
  type AddressPool,
  type Block,
  chooseBlock,
  contains,
  formatAddress,
  formatBlock,
  overlaps,
  parseAddress,
  parseCidr,
} from '@cleat/sdk/addresses';

/*
 * All networks of all hosts are one value: whatever must hold between them (no pool overlaps another, no two have one
 * number) is seen in one place, and a change is one compare-and-set.
 */

/** By name. */
export type SharedNetworks = Record<string, SharedNetwork>;

export interface SharedNetwork {
  /** The number by which VXLAN tells networks apart. */
  vni: number;
  /** Absent until the first host has made the network. */
  encrypted?: boolean;
  pools: SharedPool[];
}

export interface SharedPool {
  /** CIDR */
  cidr: string;
  /** The same address on all hosts; nobody else gets it. */
  gateway: string;
  /** The hosts that have the network, by ID, with the network's own ID there, where the engine says it. */
  hosts: Record<string, string>;
  /** Addresses that are no container's (`--aux-address`), with the hosts that named them. */
  aux: Record<string, string[]>;
}

export interface PoolRequest {
  /** The network's name on all hosts; empty: that of its subnet. */
  name: string;
  /** CIDR, or empty: that which the network has already, or else a free one. */
  cidr: string;
  family: 4 | 6;
  sources: readonly AddressPool[];
  /** Blocks that the asking host uses otherwise. */
  inUse: readonly string[];
  host: string;
  /** The asking host's own ID of the network; empty: its engine does not say. */
  holder: string;
}

/** Where VXLAN networks of others begin more often: small numbers are left to them. */
const firstVni = 4_096;
const maxVni = 0xff_ffff;

const poolsOf = (networks: SharedNetworks): { name: string; pool: SharedPool }[] =>
  Object.entries(networks).flatMap(([name, { pools }]) => pools.map((pool) => ({ name, pool })));

const blockOf = (cidr: string): Block => parseCidr(cidr).block;

/**
 * A host takes part in a pool; the first one makes it.
 * @throws Forbidden where it overlaps another network's, on whichever host; InvalidParameter
 */
export function joinPool(networks: SharedNetworks, request: PoolRequest): { name: string; pool: SharedPool } {
  const { host, holder } = request;
  const found = findPool(networks, request);
  const { name, pool } = found ?? addPool(networks, request);
  const before = pool.hosts[host];
  if (before !== undefined && before !== holder && before !== '' && holder !== '') {
    throw forbidden(`the network ${name} is on this host already, as ${before.slice(0, 12)}`);
  }
  pool.hosts[host] = holder || (before ?? '');
  return { name, pool };
}

function findPool(networks: SharedNetworks, { name, cidr, family }: PoolRequest) {
  if (!cidr) {
    const pool = networks[name]?.pools.find((one) => blockOf(one.cidr).family === family);
    return pool && { name, pool };
  }
  const same = poolsOf(networks).find(({ pool }) => pool.cidr === formatBlock(blockOf(cidr)));
  if (same && name && same.name !== name) throw overlap(cidr, same);
  return same;
}

function addPool(networks: SharedNetworks, { name: wanted, cidr, family, sources, inUse }: PoolRequest) {
  const others = poolsOf(networks);
  const taken = others.map(({ pool }) => blockOf(pool.cidr));
  const block = cidr ? blockOf(cidr) : chooseBlock(sources, [...taken, ...inUse.map(blockOf)], family);
  const clash = others.find(({ pool }) => overlaps(block, blockOf(pool.cidr)));
  if (clash) throw overlap(cidr, clash);
  const name = wanted || formatBlock(block);
  const network = networks[name] ?? { vni: freeVni(networks), pools: [] };
  networks[name] = network;
  const pool: SharedPool = { cidr: formatBlock(block), gateway: firstOf(block), hosts: {}, aux: {} };
  network.pools.push(pool);
  return { name, pool };
}

const overlap = (cidr: string, { name, pool }: { name: string; pool: SharedPool }) =>
  forbidden(
    `Pool overlaps with other one on this address space: ${cidr} with ${pool.cidr} of the network ${name} on ${Object.keys(pool.hosts).length} hosts. To join that one, say --ipam-opt name=${name}`,
  );

const firstOf = (block: Block): string => formatAddress({ family: block.family, value: block.value + 1n });

function freeVni(networks: SharedNetworks): number {
  const used = new Set(Object.values(networks).map(({ vni }) => vni));
  for (let vni = firstVni; vni <= maxVni; vni++) if (!used.has(vni)) return vni;
  throw invalidParameter('all numbers of VXLAN networks are taken');
}

/**
 * A host leaves a pool; the last living one ends it, and with the last pool the network. A host that was only silent
 * joins again when it is back ({@link rejoin}).
 * @returns whether the network is gone
 */
export function leavePool(
  networks: SharedNetworks,
  name: string,
  cidr: string,
  host: string,
  living: ReadonlySet<string>,
): boolean {
  const network = networks[name];
  const pool = network?.pools.find((one) => one.cidr === cidr);
  if (!network || !pool) return false;
  delete pool.hosts[host];
  for (const address of Object.keys(pool.aux)) dropAux(pool, address, host);
  if (!Object.keys(pool.hosts).some((other) => living.has(other))) {
    network.pools = network.pools.filter((one) => one !== pool);
  }
  if (network.pools.length > 0) return false;
  delete networks[name];
  return true;
}

/** A network as a host remembers it. */
export interface RememberedNetwork {
  name: string;
  encrypted: boolean;
  /** CIDRs */
  pools: string[];
}

/**
 * A host that was silent is part of its network again, also where the others gave it up meanwhile, or etcd lost it.
 * @param id the network's ID on that host
 * @returns the network as it is now: its number may be another one
 * @throws Forbidden where somebody else has its subnets by now
 */
export function rejoin(
  networks: SharedNetworks,
  remembered: RememberedNetwork,
  host: string,
  id: string,
): SharedNetwork {
  const { name, encrypted, pools } = remembered;
  for (const cidr of pools) {
    const { family } = blockOf(cidr);
    joinPool(networks, { name, cidr, family, sources: [], inUse: [], host, holder: id });
  }
  const network = networks[name];
  if (!network) throw notFound(`the network ${name} has no subnets`);
  agreeOnEncryption(name, network, encrypted);
  return network;
}

/** @throws NotFound */
export function poolOf(networks: SharedNetworks, name: string, cidr: string): SharedPool {
  const pool = networks[name]?.pools.find((one) => one.cidr === cidr);
  if (!pool) throw notFound(`the pool ${cidr} of the network ${name} is not known to etcd`);
  return pool;
}

/**
 * The gateway, which all hosts share: the first of them to name one says which it is.
 * @param requested empty: whichever it is
 * @throws Conflict Forbidden where others have another one
 */
export function gatewayOf(pool: SharedPool, requested: string, host: string): string {
  if (!requested || requested === pool.gateway) return pool.gateway;
  if (Object.keys(pool.hosts).some((other) => other !== host)) {
    throw forbidden(`the gateway of ${pool.cidr} is ${pool.gateway} on other hosts: name the same one, or none`);
  }
  refuseOutside(pool.cidr, requested);
  pool.gateway = requested;
  return requested;
}

/** An address that is no container's is no longer named by a host. */
export function dropAux(pool: SharedPool, address: string, host: string): void {
  const others = pool.aux[address]?.filter((one) => one !== host) ?? [];
  if (others.length > 0) pool.aux[address] = others;
  else delete pool.aux[address];
}

/**
 * Keeps an address that is no container's. Other hosts may name the same one.
 * @param holder the ID of the network; empty: the engine does not say for whom it asks
 * @throws Forbidden when the host has named it already, unless it is known to repeat itself; InvalidParameter
 */
export function nameAux(pool: SharedPool, address: string, host: string, holder: string): void {
  refuseOutside(pool.cidr, address);
  const hosts = pool.aux[address] ?? [];
  const isRepetition = holder !== '' && holder === pool.hosts[host];
  if (hosts.includes(host) && !isRepetition) throw forbidden('Address already in use');
  pool.aux[address] = [...new Set([...hosts, host])];
}

/**
 * An address that turns out to be a container's. Engines that do not say for whom they ask (dockerd before 29) ask for
 * that of `docker run --ip` as for an auxiliary one. It is no longer kept.
 * @returns its pool, CIDR; undefined where the host did not name it in this way
 */
export function takeAux(networks: SharedNetworks, name: string, address: string, host: string): string | undefined {
  const pool = networks[name]?.pools.find((one) => one.hosts[host] === '' && one.aux[address]?.includes(host));
  if (!pool) return undefined;
  dropAux(pool, address, host);
  return pool.cidr;
}

function refuseOutside(cidr: string, address: string): void {
  if (contains(blockOf(cidr), parseAddress(address))) return;
  throw invalidParameter(`requested address is out of range: ${address} is not in ${cidr}`);
}

/**
 * The network that consists of these pools, on this host.
 * @throws InvalidParameter where another IPAM driver gave them
 */
export function networkOf(
  networks: SharedNetworks,
  cidrs: readonly string[],
  host: string,
  ipam: string,
): { name: string; network: SharedNetwork } {
  const found = Object.entries(networks).find(([, { pools }]) => pools.some(({ cidr }) => cidrs.includes(cidr)));
  const [name, network] = found ?? [];
  const isOurs = (cidr: string) => network?.pools.some((pool) => pool.cidr === cidr && pool.hosts[host] !== undefined);
  if (name === undefined || !network || cidrs.length === 0 || !cidrs.every(isOurs)) {
    throw invalidParameter(
      `hosts must agree on who has which address: create the network with --ipam-driver ${ipam} (its pools are ${cidrs.join(', ') || 'none'})`,
    );
  }
  return { name, network };
}

/** The first host says whether a network is encrypted. @throws Forbidden for one that says otherwise later */
export function agreeOnEncryption(name: string, network: SharedNetwork, encrypted: boolean): void {
  network.encrypted ??= encrypted;
  if (network.encrypted === encrypted) return;
  throw forbidden(
    encrypted
      ? `the network ${name} is not encrypted on other hosts: leave out -o encrypted, or use another name`
      : `the network ${name} is encrypted on other hosts: say -o encrypted`,
  );
}
