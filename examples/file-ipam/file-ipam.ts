import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type Block,
  contains,
  formatAddress,
  formatBlock,
  lastOf,
  overlaps,
  parseAddress,
  parseCidr,
  sizeOf,
} from '@cleat/protocol/cidr';
import { conflict, defineExtension, implement, invalidParameter, ipamKind, notFound, unavailable } from '@cleat/sdk';

/** The file: pools by ID, which is their CIDR, and in each pool who has which address. */
interface Pools {
  [pool: string]: { range: string; addresses: { [address: string]: string } };
}

/** Where pools are taken from when nobody names one, and how large they are, in bits of prefix. */
const defaultSource = '10.210.0.0/16';
const poolBits = 24;

/** Addresses out of one JSON file, which people can read, and other programs, too. */
export default defineExtension({
  start({ options, name }) {
    const file = typeof options.file === 'string' ? options.file : `/var/lib/${name}/addresses.json`;
    const source = parseCidr(typeof options.source === 'string' ? options.source : defaultSource).block;
    mkdirSync(dirname(file), { recursive: true });

    // The file is the truth: it is read for every request, so that it may be mended by hand.
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
        const block = Pool ? parseCidr(Pool).block : firstFree(source, taken);
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
        const { range, addresses } = poolIn(pools, PoolID);
        const address = Address || nextFree(parseCidr(range).block, addresses);
        if (!contains(parseCidr(PoolID).block, parseAddress(address))) {
          throw invalidParameter(`address ${address} is out of range`);
        }
        if (addresses[address] !== undefined) throw conflict(`address ${address} is taken by ${addresses[address]}`);
        addresses[address] = Options?.['com.docker.network.endpoint.name'] ?? Options?.RequestAddressType ?? '';
        write(pools);
        return { Address: `${address}/${parseCidr(PoolID).block.prefix}` };
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

function firstFree(source: Block, taken: readonly Block[]): Block {
  const step = sizeOf({ ...source, prefix: poolBits });
  for (let value = source.value; value <= lastOf(source).value; value += step) {
    const block: Block = { family: source.family, value, prefix: poolBits };
    if (!taken.some((other) => overlaps(block, other))) return block;
  }
  throw unavailable(`no more pools in ${formatBlock(source)}`);
}

/** The first and the last address of a block are nobody's. */
function nextFree(range: Block, addresses: Readonly<Record<string, string>>): string {
  for (let value = range.value + 1n; value < lastOf(range).value; value++) {
    const address = formatAddress({ family: range.family, value });
    if (addresses[address] === undefined) return address;
  }
  throw unavailable(`no available addresses in ${formatBlock(range)}`);
}
