import { forbidden, invalidParameter, unavailable } from '@cleat/sdk';
import { type Block, contains, formatAddress, lastOf, parseAddress, parseCidr } from '@cleat/sdk/addresses';

/** A pool's addresses at one moment. */
export interface Occupancy {
  /** Addresses that somebody has. */
  taken: ReadonlySet<string>;
  /** Names of those who had an address, the oldest first. */
  kept: ReadonlyMap<string, string>;
}

/**
 * Which address a container gets: the one it had, wherever it ran then; else the lowest that nobody has or had lately;
 * else the one that was given back longest ago.
 * @param container its name; empty: nobody said
 * @param range CIDR of the pool's part to choose from, or empty
 * @throws Unavailable when none is left
 */
export function chooseAddress(pool: string, range: string, container: string, { taken, kept }: Occupancy): string {
  const { block } = parseCidr(pool);
  const within = range ? parseCidr(range).block : block;
  const isFree = (address: string) => contains(block, parseAddress(address)) && !taken.has(address);
  const former = container && [...kept].find(([address, name]) => name === container && isFree(address))?.[0];
  if (former) return former;
  const isWithin = (address: string) => isFree(address) && contains(within, parseAddress(address));
  const free = lowest(block, within, (address) => !taken.has(address) && !kept.has(address));
  const address = free ?? [...kept.keys()].find(isWithin);
  if (address === undefined) throw unavailable(`no available addresses on this pool: ${pool}`);
  return address;
}

/** @throws InvalidParameter out of range; Forbidden when somebody has it */
export function checkAddress(pool: string, address: string, { taken }: Pick<Occupancy, 'taken'>): string {
  const { block } = parseCidr(pool);
  const parsed = parseAddress(address);
  if (!contains(block, parsed) || isReserved(block, parsed.value)) {
    throw invalidParameter('requested address is out of range');
  }
  if (taken.has(formatAddress(parsed))) throw forbidden('Address already in use');
  return formatAddress(parsed);
}

/** Taken and kept ones are few, so this ends after at most that many steps. */
function lowest(block: Block, within: Block, isFree: (address: string) => boolean): string | undefined {
  const last = lastOf(within).value;
  for (let value = within.value; value <= last; value++) {
    const address = formatAddress({ family: block.family, value });
    if (!isReserved(block, value) && isFree(address)) return address;
  }
  return undefined;
}

/** Network and broadcast address (IPv4), or the routers' anycast address (IPv6); small blocks have none to spare. */
function isReserved(block: Block, value: bigint): boolean {
  const four = block.family === 4;
  if (block.prefix >= (four ? 31 : 127)) return false;
  return value === block.value || (four && value === lastOf(block).value);
}
