import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { conflict, defineExtension, implement, invalidParameter, ipamKind, notFound } from '@cleat/sdk';
import { chooseBlock, formatBlock, overlaps, Pool, parseCidr } from '@cleat/sdk/addresses';

/** The file: pools by ID, which is their CIDR, and in each pool who has which address. */
interface Pools {
  [pool: string]: StoredPool;
}

interface StoredPool {
  range: string;
  addresses: { [address: string]: string };
}

/** How large a pool is that nobody named, in bits of prefix. */
const poolBits = 24;

/** Addresses out of one JSON file, which people can read, and other programs, too. */
export default defineExtension({
  options: {
    file: { default: '/var/lib/file-ipam/addresses.json', help: 'where pools and addresses are kept' },
    source: { default: '10.210.0.0/16', help: 'from where pools are taken when nobody names a subnet' },
  },
  start({ options: { file, source }, name }) {
    const sources = [{ base: source, size: poolBits }];
    const family = parseCidr(source).block.family;
    mkdirSync(dirname(file), { recursive: true });

    // The file is the truth: it is read for every request, so that it may be fixed by hand.
    const read = (): Pools => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {});
    const write = (pools: Pools) => {
      // Written aside and moved into place: a kill in between loses nothing.
      writeFileSync(`${file}.new`, `${JSON.stringify(pools, null, 2)}\n`);
      renameSync(`${file}.new`, file);
    };
    const poolIn = (pools: Pools, id: string) => {
      const pool = pools[id];
      if (!pool) throw notFound(`pool ${id} not found`);
      return pool;
    };

    const driver = implement(ipamKind, {
      GetCapabilities: () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
      GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: name, GlobalDefaultAddressSpace: name }),

      RequestPool({ Pool, SubPool, V6 }) {
        const pools = read();
        const taken = Object.keys(pools).map((id) => parseCidr(id).block);
        const block = Pool ? parseCidr(Pool).block : chooseBlock(sources, taken, family);
        if ((block.family === 6) !== V6) throw invalidParameter(`pool ${formatBlock(block)} is of the wrong family`);
        if (taken.some((other) => overlaps(block, other))) throw conflict(`pool ${formatBlock(block)} is taken`);
        const id = formatBlock(block);
        write({ ...pools, [id]: { range: SubPool || id, addresses: {} } });
        return { PoolID: id, Pool: id };
      },

      ReleasePool({ PoolID }) {
        const { [PoolID]: gone, ...others } = read();
        if (!gone) throw notFound(`pool ${PoolID} not found`);
        write(others);
      },

      RequestAddress({ PoolID, Address, Options }) {
        const pools = read();
        const stored = poolIn(pools, PoolID);
        const holder = stored.addresses[Address];
        if (holder !== undefined) throw conflict(`address ${Address} is taken by ${holder}`);
        const cidr = openPool(PoolID, stored).take(Address, '');
        const [address = ''] = cidr.split('/');
        stored.addresses[address] = Options?.['com.docker.network.endpoint.name'] ?? Options?.RequestAddressType ?? '';
        write(pools);
        return { Address: cidr };
      },

      ReleaseAddress({ PoolID, Address }) {
        const pools = read();
        delete poolIn(pools, PoolID).addresses[Address];
        write(pools);
      },
    });
    return { implementations: [driver] };
  },
});

/** A pool as the file tells it: its next address is always the first free one. */
function openPool(id: string, { range, addresses }: StoredPool): Pool {
  const pool = new Pool({ v: 1, id, pool: id, subPool: range === id ? '' : range });
  for (const [address, holder] of Object.entries(addresses)) pool.take(address, holder, 'kept');
  return pool;
}
