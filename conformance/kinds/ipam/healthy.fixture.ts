import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Block,
  contains,
  formatAddress,
  formatBlock,
  lastOf,
  overlaps,
  parseAddress,
  parseCidr,
} from '@cleat/protocol/cidr';
import { conflict, invalidParameter, notFound, unavailable } from '@cleat/protocol/errors';
import { type ipamKind, ipamOption } from '@cleat/protocol/kinds/ipam';
import type { Handlers } from '@cleat/protocol/kinds/kind';

export type IpamHandlers = Handlers<typeof ipamKind>;

/** Holders of addresses, by address; a pool's ID is its CIDR. */
export interface Pool {
  range: string;
  holder: string;
  addresses: Record<string, string>;
}

/** An IPAM plugin that does everything right, with little: one file. */
export class HealthyAddresses implements IpamHandlers {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get pools(): Record<string, Pool> {
    const file = join(this.root, 'state.json');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  }

  set pools(pools: Record<string, Pool>) {
    writeFileSync(join(this.root, 'state.new'), JSON.stringify(pools));
    renameSync(join(this.root, 'state.new'), join(this.root, 'state.json'));
  }

  pool(id: string): Pool {
    const pool = this.pools[id];
    if (pool === undefined) throw notFound(`there is no pool ${id}`);
    return pool;
  }

  store(id: string, pool: Pool): void {
    this.pools = { ...this.pools, [id]: pool };
  }

  isTaken = (block: Block): boolean => Object.keys(this.pools).some((id) => overlaps(parseCidr(id).block, block));

  /** The first address that is free, without the edges of the pool. */
  next(id: string): string {
    const { range, addresses } = this.pool(id);
    const { block: whole } = parseCidr(id);
    const { block: part } = parseCidr(range);
    for (let value = part.value; value <= lastOf(part).value; value++) {
      const address = formatAddress({ family: part.family, value });
      const edge = value === whole.value || value === lastOf(whole).value;
      if (!edge && addresses[address] === undefined) return address;
    }
    throw unavailable(`all addresses of ${id} are given`);
  }

  /** Blocks of 24 bits, or 64 of IPv6, that are nobody's. */
  choose(six: boolean, inUse: readonly string[]): string {
    const avoided = inUse.map((cidr) => parseCidr(cidr).block);
    for (let number = 0; number < 256; number++) {
      const cidr = six ? `fdee:${number.toString(16)}::/64` : `10.250.${number}.0/24`;
      const { block } = parseCidr(cidr);
      if (!this.isTaken(block) && !avoided.some((other) => overlaps(other, block))) return formatBlock(block);
    }
    throw unavailable('all pools are given');
  }

  GetCapabilities: IpamHandlers['GetCapabilities'] = () => ({
    AvoidsBlocksInUse: true,
    KnowsHolders: true,
    KnowsNetworks: true,
  });

  GetDefaultAddressSpaces: IpamHandlers['GetDefaultAddressSpaces'] = () => ({
    LocalDefaultAddressSpace: 'here',
    GlobalDefaultAddressSpace: 'everywhere',
  });

  RequestPool: IpamHandlers['RequestPool'] = ({ Pool: requested, SubPool, V6, Options }) => {
    const inUse = (Options?.[ipamOption.inUse] ?? '').split(',').filter(Boolean);
    const id = requested || this.choose(V6, inUse);
    if (this.isTaken(parseCidr(id).block)) throw conflict(`${id} overlaps a pool that is given`);
    this.store(id, { range: SubPool || id, holder: Options?.[ipamOption.holder] ?? '', addresses: {} });
    return { PoolID: id, Pool: id };
  };

  ReleasePool: IpamHandlers['ReleasePool'] = ({ PoolID, Options }) => {
    const holder = Options?.[ipamOption.holder];
    const isMeant = ([id, pool]: [string, Pool]) => (PoolID ? id === PoolID : holder && pool.holder === holder);
    if (PoolID) this.pool(PoolID);
    this.pools = Object.fromEntries(Object.entries(this.pools).filter((entry) => !isMeant(entry)));
  };

  RequestAddress: IpamHandlers['RequestAddress'] = ({ PoolID, Address: requested, Options }) => {
    const pool = this.pool(PoolID);
    const address = requested || this.next(PoolID);
    const { block } = parseCidr(PoolID);
    if (!contains(block, parseAddress(address))) throw invalidParameter(`${address} is not of ${PoolID}`);
    if (pool.addresses[address] !== undefined) throw conflict(`address ${address} is given`);
    const holder = Options?.[ipamOption.holder] ?? '';
    this.store(PoolID, { ...pool, addresses: { ...pool.addresses, [address]: holder } });
    return { Address: `${address}/${block.prefix}` };
  };

  ReleaseAddress: IpamHandlers['ReleaseAddress'] = ({ PoolID, Address, Options }) => {
    const pool = this.pool(PoolID);
    const holder = Options?.[ipamOption.holder];
    const isMeant = (address: string, of: string) => (Address ? address === Address : holder && of === holder);
    const left = Object.entries(pool.addresses).filter(([address, of]) => !isMeant(address, of));
    this.store(PoolID, { ...pool, addresses: Object.fromEntries(left) });
  };
}
