import { CleatError, messageOf } from '@cleat/protocol/errors';
import { netlabel } from '@cleat/protocol/kinds/network';
import { requestOptions } from './addresses.js';
import { ipamData } from './create.js';
import type { NetworkRecord } from './record.js';
import type { NetworkRoom } from './room.js';

/**
 * Does `work` for a network; when a driver answers that it does not know the network or its pool (it lost its state),
 * everything is made known to it again from our own state, and `work` is done once more.
 */
export async function withDrivers<T>(room: NetworkRoom, network: NetworkRecord, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!lostState(error)) throw error;
    room.log.warn('a driver lost its state; it is told about the network again', {
      network: network.name,
      error: messageOf(error),
    });
    await tellAgain(room, network);
    return await work();
  }
}

/** Plugins answer in words of their own; ours and Docker's say one of these. */
function lostState(error: unknown): boolean {
  if (!(error instanceof CleatError) || error.class === 'Unavailable' || error.class === 'DeadlineExceeded')
    return false;
  return /cannot find address pool|network \S+ (is not known|not found|does not exist)|(unknown|no such) network/i.test(
    error.message,
  );
}

async function tellAgain(room: NetworkRoom, network: NetworkRecord): Promise<void> {
  await restorePools(room, network);
  const driver = await room.drivers.network(network.driver);
  await quietly(
    driver.CreateNetwork({
      NetworkID: network.id,
      Options: {
        [netlabel.generic]: network.options,
        [netlabel.enableIPv6]: network.enableIPv6,
        ...(network.internal ? { [netlabel.internal]: true } : {}),
      },
      IPv4Data: network.v4.map((pool) => ipamData(network, pool)),
      IPv6Data: network.v6.map((pool) => ipamData(network, pool)),
    }),
  );
}

/** The same pools, with every address that is in use. */
async function restorePools(room: NetworkRoom, network: NetworkRecord): Promise<void> {
  const driver = await room.drivers.ipam(network.ipam.driver);
  for (const pool of [...network.v4, ...network.v6]) {
    const range = network.ipam.config.find(({ Subnet }) => Subnet === pool.pool)?.IPRange ?? '';
    await quietly(
      driver.RequestPool({
        AddressSpace: network.addressSpace,
        Pool: pool.pool,
        SubPool: range,
        Options: network.ipam.options,
        V6: pool.pool.includes(':'),
      }),
    );
    const take = (address: string, gateway = false) =>
      quietly(
        driver.RequestAddress({
          PoolID: pool.id,
          Address: address.split('/')[0] ?? '',
          Options: requestOptions(network.ipam.options, gateway),
        }),
      );
    if (pool.gatewayTaken) await take(pool.gateway, true);
    for (const address of Object.values(pool.aux)) await take(address);
    for (const { endpoint } of room.endpointsOn(network.id)) {
      for (const taken of endpoint.pools) if (taken.id === pool.id) await take(taken.address);
    }
  }
}

/** What is known there already is refused, which is as good. If it is not, the repeated work says so. */
async function quietly(work: Promise<unknown>): Promise<void> {
  await work.catch(() => {
    // See above.
  });
}
