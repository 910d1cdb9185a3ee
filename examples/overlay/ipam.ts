import { ipamOption, type NetworkOfPool } from '@cleat/protocol/kinds/ipam';
import { forbidden, type Handlers, invalidParameter, type ipamKind, turns } from '@cleat/sdk';
import { type AddressPool, formatAddress, parseAddress, parseCidr, tryParseAddress } from '@cleat/sdk/addresses';
import type { Addresses } from './cluster/addresses.js';
import { dropAux, gatewayOf, joinPool, leavePool, nameAux, poolOf, type SharedNetworks } from './cluster/networks.js';
import type { SharedValue } from './cluster/shared-value.js';

export interface IpamSettings {
  host: string;
  /** The plugin's own name. */
  name: string;
  networks: SharedValue<SharedNetworks>;
  addresses: Addresses;
  /** IDs of the hosts that etcd has heard of lately. */
  livingHosts(): Promise<ReadonlySet<string>>;
  /** Where subnets come from that nobody named. */
  sources: readonly AddressPool[];
}

/** An engine names a pool by this. */
interface PoolName {
  network: string;
  cidr: string;
  /** CIDR, or empty. */
  range: string;
}

/** Subnets and addresses of all hosts, out of etcd. */
export function ipamDriver({
  host,
  name,
  networks,
  addresses,
  livingHosts,
  sources,
}: IpamSettings): Handlers<typeof ipamKind> {
  const inTurn = turns();
  /** The gateway and auxiliary addresses, which belong to a network on all hosts alike. */
  const nameShared = (pool: PoolName, address: string, isGateway: boolean, holder: string) =>
    inTurn(`${pool.network} ${address}`, () => {
      let isWritten = false;
      return networks.change((shared) => {
        const there = poolOf(shared, pool.network, pool.cidr);
        if (isGateway) return gatewayOf(there, address, host);
        // A member of etcd may have written it, and its answer got lost.
        if (!isWritten || !there.aux[address]?.includes(host)) nameAux(there, address, host, holder);
        isWritten = true;
        return address;
      });
    });
  const dropShared = ({ network, cidr }: Pick<PoolName, 'network' | 'cidr'>, address: string) =>
    networks.change((shared) => {
      const there = shared[network]?.pools.find((one) => one.cidr === cidr);
      if (there) dropAux(there, address, host);
    });

  return {
    GetCapabilities: () => ({ AvoidsBlocksInUse: true, KnowsHolders: true, KnowsNetworks: true }),
    GetDefaultAddressSpaces: () => ({
      LocalDefaultAddressSpace: 'overlay-local',
      GlobalDefaultAddressSpace: 'overlay',
    }),
    async RequestPool({ Pool, SubPool, Options, V6 }) {
      const options = Options ?? {};
      const found = await networks.change((shared) =>
        joinPool(shared, {
          name: nameOf(options, name),
          cidr: Pool,
          family: V6 ? 6 : 4,
          sources,
          inUse: (options[ipamOption.inUse] ?? '').split(',').filter(Boolean),
          host,
          holder: options[ipamOption.holder] ?? '',
        }),
      );
      const { cidr } = found.pool;
      return { PoolID: idOf({ network: found.name, cidr, range: SubPool }), Pool: cidr };
    },
    async ReleasePool({ PoolID, Options }) {
      const holder = Options?.[ipamOption.holder];
      const living = await livingHosts();
      const gone = await networks.change((shared) => {
        const leaving = PoolID ? [readId(PoolID)] : heldBy(shared, host, holder ?? '');
        return leaving.filter(({ network, cidr }) => leavePool(shared, network, cidr, host, living));
      });
      for (const { network } of gone) await addresses.forget(network);
    },
    async RequestAddress({ PoolID, Address, Options }) {
      const options = Options ?? {};
      const pool = readId(PoolID);
      const requested = usual(Address);
      const { prefix } = parseCidr(pool.cidr).block;
      const container = options[ipamOption.endpointName] ?? '';
      const holder = options[ipamOption.holder] ?? '';
      const isGateway = options[ipamOption.requestAddressType] === ipamOption.gatewayType;
      // An engine names the container of every endpoint. What has none is the network's own; with an engine that names
      // none, CreateEndpoint may tell better.
      const isShared = isGateway || (requested !== '' && !container);
      const address = isShared
        ? await nameShared(pool, requested, isGateway, holder)
        : await addresses.claim({
            network: pool.network,
            pool: pool.cidr,
            range: pool.range,
            requested,
            holder,
            container,
          });
      // Looked at only now: from here on no container gets it.
      if (isShared && !isGateway && (await addresses.isClaimed(pool.network, address))) {
        await dropShared(pool, address);
        throw forbidden('Address already in use');
      }
      return { Address: `${address}/${prefix}` };
    },
    async ReleaseAddress({ PoolID, Address, Options }) {
      const { network, cidr } = readId(PoolID);
      const holder = Options?.[ipamOption.holder];
      const released = usual(Address);
      const own = addresses.ownOn(network).filter((claim) => claim.pool === cidr);
      const meant = released
        ? own.filter(({ address }) => address === released)
        : own.filter((one) => one.holder === holder);
      for (const { address } of meant) await addresses.release(network, address);
      if (meant.length > 0 || !released) return;
      await dropShared({ network, cidr }, released);
    },
  };
}

/**
 * By what a network is known on all hosts: what the user says by `--ipam-opt name=NAME`, or what it is called here.
 * @param driver this plugin's name: a network of another driver has addresses here, and no more
 * @throws InvalidParameter
 */
function nameOf(options: Readonly<Record<string, string>>, driver: string): string {
  const unknown = Object.keys(options).find((key) => key !== 'name' && !key.startsWith('io.cleat.'));
  if (unknown !== undefined) throw invalidParameter(`--ipam-opt ${unknown}: there is only name`);
  const { name, [ipamOption.network]: network } = options;
  const called = network === undefined ? undefined : (JSON.parse(network) as NetworkOfPool);
  const wanted = name ?? (called?.Driver === driver ? called.Name : '');
  if (wanted === '' || /^[A-Za-z0-9][\w.-]{0,63}$/.test(wanted)) return wanted;
  throw invalidParameter(
    `the name of a network on all hosts is of letters, digits, _ . and -, 64 at most, not ${wanted}`,
  );
}

/** An address as it is compared; empty stays empty. @throws InvalidParameter */
const usual = (address: string): string => (address ? formatAddress(parseAddress(address)) : '');

function idOf({ network, cidr, range }: PoolName): string {
  return [encodeURIComponent(network), cidr, ...(range ? [range] : [])].join('/');
}

/** @throws InvalidParameter for an ID that is not ours */
function readId(id: string): PoolName {
  const [name = '', address = '', prefix = '', ...range] = id.split('/');
  if (!name || !tryParseAddress(address) || !prefix) throw invalidParameter(`there is no address pool ${id}`);
  return { network: decodeURIComponent(name), cidr: `${address}/${prefix}`, range: range.join('/') };
}

function heldBy(shared: SharedNetworks, host: string, holder: string): PoolName[] {
  return Object.entries(shared).flatMap(([network, { pools }]) =>
    pools.flatMap(({ cidr, hosts }) => (holder && hosts[host] === holder ? [{ network, cidr, range: '' }] : [])),
  );
}
