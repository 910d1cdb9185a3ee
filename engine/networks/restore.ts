import { messageOf } from '@cleat/protocol/errors';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import { saysLostState } from '../driver-prose.js';
import type { NetworksContext } from './context.js';
import { addressOptions, networkRequest, poolOptions } from './driver-request.js';
import type { NetworkRecord } from './record.js';
import { endpointName } from './resource.js';

/**
 * Does `work` for a network; when a driver answers that it does not know the network or its pool (it lost its state),
 * everything is made known to it again from our own state, and `work` is done once more.
 */
export async function withDrivers<T>(
  context: Pick<NetworksContext, 'drivers' | 'endpointsOn' | 'log'>,
  network: NetworkRecord,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!saysLostState(error)) throw error;
    context.log.warn('a driver lost its state; it is told about the network again', {
      network: network.name,
      error: messageOf(error),
    });
    await tellAgain(context, network);
    return await work();
  }
}

async function tellAgain(
  context: Pick<NetworksContext, 'drivers' | 'endpointsOn'>,
  network: NetworkRecord,
): Promise<void> {
  await replayPools(context, network);
  const driver = await context.drivers.network(network.driver);
  await quietly(driver.CreateNetwork(networkRequest(network)));
}

/** The same pools, with every address that is in use. */
export async function replayPools(
  context: Pick<NetworksContext, 'drivers' | 'endpointsOn'>,
  network: NetworkRecord,
): Promise<void> {
  if (network.v4.length + network.v6.length === 0) return;
  const driver = await context.drivers.ipam(network.ipam.driver);
  const capabilities = await context.drivers.ipamCapabilities(network.ipam.driver);
  const own = capabilities.knowsHolders ? { [ipamOption.holder]: network.id } : undefined;
  for (const pool of [...network.v4, ...network.v6]) {
    const range = network.ipam.config.find(({ Subnet }) => Subnet === pool.pool)?.IPRange ?? '';
    await quietly(
      driver.RequestPool({
        AddressSpace: network.addressSpace,
        Pool: pool.pool,
        SubPool: range,
        Options: poolOptions(network, capabilities),
        V6: pool.pool.includes(':'),
      }),
    );
    const take = (address: string, Options: Record<string, string> | null) =>
      quietly(driver.RequestAddress({ PoolID: pool.id, Address: address.split('/')[0] ?? '', Options }));
    if (pool.gatewayTaken) {
      await take(pool.gateway, { [ipamOption.requestAddressType]: ipamOption.gatewayType, ...own });
    }
    for (const address of Object.values(pool.aux)) await take(address, own ?? null);
    for (const { sandbox, endpoint } of context.endpointsOn(network.id)) {
      const options = addressOptions(sandbox, endpoint, endpointName(sandbox, endpoint), capabilities);
      for (const taken of endpoint.pools) if (taken.id === pool.id) await take(taken.address, options);
    }
  }
}

/**
 * IPAM drivers that keep nothing (`RequiresRequestReplay`) are told what is in use whenever they or the engine start.
 * @param driver only that one. Never fails: one that cannot be told now is told when it is back
 */
export async function replayForForgetful(context: NetworksContext, driver?: string): Promise<void> {
  const used = context.registry.all().filter(({ v4, v6 }) => v4.length + v6.length > 0);
  const drivers = new Set(used.map(({ ipam }) => ipam.driver));
  await Promise.all([...drivers].filter((name) => driver === undefined || name === driver).map(replayOnce));

  /** The engine's start makes the driver come, which is a reason of its own: that is one replay. */
  function replayOnce(name: string): Promise<void> {
    const under = context.replaying.get(name);
    if (under) return under;
    const work = replay(name).finally(() => context.replaying.delete(name));
    context.replaying.set(name, work);
    return work;
  }

  async function replay(name: string): Promise<void> {
    try {
      const { requiresReplay } = await context.drivers.ipamCapabilities(name);
      if (!requiresReplay) return;
      for (const network of used) if (network.ipam.driver === name) await replayPools(context, network);
    } catch (error) {
      const message = messageOf(error);
      context.log.warn('an IPAM driver could not be asked whether it needs to know what is in use', { name, message });
    }
  }
}

/** The driver refuses what it already knows, which is as good. If it is not, the repeated work says so. */
async function quietly(work: Promise<unknown>): Promise<void> {
  await work.catch(() => {
    // See above.
  });
}
