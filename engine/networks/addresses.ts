import { type Block, formatBlock, overlaps, parseCidr } from '@cleat/linux/net/cidr';
import { usedBlocks } from '@cleat/linux/net/facts';
import type { IpamConfig } from '@cleat/protocol/api/network';
import { CleatError, messageOf, unavailable } from '@cleat/protocol/errors';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import { type Drivers, Failures } from './drivers.js';
import type { NetworkRecord, PoolRecord } from './record.js';

/** How often a driver that does not know what the host uses is asked for another pool. */
const maxTries = 16;

export interface PoolWish {
  driver: string;
  options: Record<string, string> | null;
  six: boolean;
  config: IpamConfig;
  /** The driver allocates no gateway of its own here. */
  skipGateway: boolean;
}

/**
 * Takes a pool with its gateway and auxiliary addresses.
 * @param taken told of it as soon as it is: whoever gives up gives it back
 * @throws what the IPAM driver says, for example `Pool overlaps with other one on this address space`
 */
export async function takePool(
  drivers: Drivers,
  wish: PoolWish,
  taken: (pool: PoolRecord) => void,
): Promise<PoolRecord> {
  const driver = await drivers.ipam(wish.driver);
  const { localSpace } = await drivers.ipamCapabilities(wish.driver);
  const { pool, data } = await requestPool(drivers, wish, localSpace);
  const record: PoolRecord = { id: pool.id, pool: pool.cidr, gateway: '', gatewayTaken: false, aux: {} };
  taken(record);
  const given = data[ipamOption.gatewayType];
  if (given && !wish.config.Gateway) record.gateway = given;
  else if (!wish.skipGateway || wish.config.Gateway) {
    const answer = await driver.RequestAddress({
      PoolID: record.id,
      Address: wish.config.Gateway ?? '',
      Options: requestOptions(wish.options, true),
    });
    record.gateway = answer.Address;
    record.gatewayTaken = true;
  }
  for (const [name, address] of Object.entries(wish.config.AuxiliaryAddresses ?? wish.config.AuxAddress ?? {})) {
    await driver.RequestAddress({ PoolID: record.id, Address: address, Options: wish.options });
    record.aux[name] = address;
  }
  return record;
}

async function requestPool(drivers: Drivers, wish: PoolWish, space: string) {
  const driver = await drivers.ipam(wish.driver);
  const { avoidsBlocksInUse } = await drivers.ipamCapabilities(wish.driver);
  const explicit = Boolean(wish.config.Subnet);
  const used = explicit ? [] : usedBlocks();
  const inUse = { [ipamOption.inUse]: used.map(formatBlock).join(',') };
  const rejected: string[] = [];
  try {
    for (let tries = 0; tries < maxTries; tries++) {
      const answer = await driver.RequestPool({
        AddressSpace: space,
        Pool: wish.config.Subnet ?? '',
        SubPool: wish.config.IPRange ?? '',
        Options: { ...wish.options, ...(avoidsBlocksInUse && !explicit ? inUse : {}) },
        V6: wish.six,
      });
      const pool = { id: answer.PoolID, cidr: answer.Pool };
      if (explicit || free(pool.cidr, used)) return { pool, data: answer.Data ?? {} };
      // Kept until the end, so that the driver's next answer is another one.
      rejected.push(pool.id);
    }
    throw unavailable(
      `IPAM driver ${wish.driver} offers only address pools that this host uses already: give a subnet`,
    );
  } finally {
    for (const id of rejected) await driver.ReleasePool({ PoolID: id });
  }
}

const free = (cidr: string, used: readonly Block[]): boolean =>
  !used.some((block) => overlaps(block, parseCidr(cidr).block));

/** Gives a pool back, with all addresses that the network itself holds. @throws AggregateError */
export async function releasePool(drivers: Drivers, driverName: string, pool: PoolRecord): Promise<void> {
  const driver = await drivers.ipam(driverName);
  const failures = new Failures();
  const own = [...(pool.gatewayTaken ? [pool.gateway.split('/')[0] ?? ''] : []), ...Object.values(pool.aux)];
  for (const Address of own) await failures.attempt(() => driver.ReleaseAddress({ PoolID: pool.id, Address }));
  await failures.attempt(() => driver.ReleasePool({ PoolID: pool.id }));
  failures.raise();
}

/**
 * Takes an address for an endpoint. @returns it as CIDR, with the pool that it is from
 * @throws Unavailable `no available IPv4 addresses on this network's address pools: NAME (ID)`
 */
export async function takeAddress(
  drivers: Drivers,
  network: NetworkRecord,
  six: boolean,
  wished: string,
  mac: string,
): Promise<{ id: string; address: string }> {
  const driver = await drivers.ipam(network.ipam.driver);
  const pools = six ? network.v6 : network.v4;
  const options: Record<string, string> = mac ? { [ipamOption.macAddress]: mac } : {};
  let failure: unknown;
  for (const pool of pools) {
    try {
      const Options = { ...network.ipam.options, ...options };
      const { Address } = await driver.RequestAddress({ PoolID: pool.id, Address: wished, Options });
      return { id: pool.id, address: Address };
    } catch (error) {
      failure = error;
      // Another pool of the network may have it, unless the address itself is the problem.
      if (!/out of range|no available|no more/i.test(messageOf(error))) throw error;
    }
  }
  if (wished && failure instanceof CleatError) throw failure;
  const version = six ? 6 : 4;
  throw unavailable(
    `no available IPv${version} addresses on this network's address pools: ${network.name} (${network.id})`,
    { cause: failure },
  );
}

/** Options of RequestAddress. */
export function requestOptions(options: Record<string, string> | null, gateway: boolean): Record<string, string> {
  return { ...options, ...(gateway ? { [ipamOption.requestAddressType]: ipamOption.gatewayType } : {}) };
}
