import { createHash } from 'node:crypto';
import { type Block, formatBlock, overlaps, parseCidr, sizeOf } from '@cleat/protocol/cidr';
import { invalidParameter } from '@cleat/protocol/errors';

/** A block that is to be split into pools of `size` prefix bits. */
export interface AddressPool {
  base: string;
  size: number;
}

/** As Docker's own defaults (moby `daemon/libnetwork/ipamutils`). */
export const dockerPools: readonly AddressPool[] = [
  { base: '172.17.0.0/16', size: 16 },
  { base: '172.18.0.0/16', size: 16 },
  { base: '172.19.0.0/16', size: 16 },
  { base: '172.20.0.0/14', size: 16 },
  { base: '172.24.0.0/14', size: 16 },
  { base: '172.28.0.0/14', size: 16 },
  { base: '192.168.0.0/16', size: 20 },
];

/**
 * The first block of the pools that overlaps nothing.
 * @throws InvalidParameter `all predefined address pools have been fully subnetted`
 */
export function chooseBlock(pools: readonly AddressPool[], occupied: readonly Block[], family: 4 | 6): Block {
  for (const { base, size } of pools) {
    const { block } = parseCidr(base);
    if (block.family !== family) continue;
    const step = sizeOf({ ...block, prefix: size });
    for (let value = block.value; value < block.value + sizeOf(block); value += step) {
      const candidate: Block = { family, value, prefix: size };
      if (!occupied.some((other) => overlaps(candidate, other))) return candidate;
    }
  }
  throw invalidParameter(
    'all predefined address pools have been fully subnetted: give a subnet, configure default-address-pools, or remove what engines that are gone left here (cleat sweep)',
  );
}

/**
 * IPv6 blocks that nobody else has (RFC 4193): a /48 of this host's own, split into /64.
 * @param seed what is this host's and does not change, for example its machine ID
 */
export function uniqueLocalPool(seed: string): AddressPool {
  const hash = createHash('sha256').update(seed).digest('hex');
  return { base: `fd${hash.slice(0, 2)}:${hash.slice(2, 6)}:${hash.slice(6, 10)}::/48`, size: 64 };
}

/** Reads pools from an option: a list of `{base, size}`, or that list as JSON. @throws InvalidParameter when a pool makes no sense */
export function readPools(option: unknown): AddressPool[] {
  if (option === undefined || option === null || option === '') return [];
  const list: unknown = typeof option === 'string' ? JSON.parse(option) : option;
  if (!Array.isArray(list)) throw invalidParameter('addressPools must be a list of {base, size}');
  return list.map((entry: { base?: unknown; size?: unknown }) => {
    const { block } = parseCidr(String(entry?.base));
    const size = Number(entry?.size);
    if (!Number.isInteger(size) || size < block.prefix || size > (block.family === 4 ? 32 : 128)) {
      throw invalidParameter(`address pool ${String(entry?.base)}: size ${String(entry?.size)} does not fit into it`);
    }
    return { base: formatBlock(block), size };
  });
}
