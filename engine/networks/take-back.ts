import { messageOf } from '@cleat/protocol/errors';
import { releasePool } from './addresses.js';
import { Failures } from './drivers.js';
import { mayPass } from './owed.js';
import type { UnfinishedNetwork } from './record.js';
import type { NetworkRoom } from './room.js';

/**
 * Has its drivers take back a network that is not to be: its creation failed or was cut short, or it was removed.
 * What they refuse is theirs; what they could not be asked for is asked for again later.
 */
export async function discard(room: NetworkRoom, network: UnfinishedNetwork): Promise<void> {
  await room.unfinished.add(network).catch((error: unknown) =>
    room.log.error('the drivers of a network that is gone could not be asked to take it back; they are asked again', {
      network: network.name,
      error: messageOf(error),
    }),
  );
}

/** @throws AggregateError when one of them could not be asked */
export async function takeBack(room: NetworkRoom, network: UnfinishedNetwork): Promise<void> {
  // The engine was killed when it had just been finished.
  if (room.registry.byId(network.id)) return;
  const failures = new Failures();
  const ask = async (work: () => Promise<unknown>): Promise<void> => {
    await failures.attempt(async () => {
      try {
        await work();
      } catch (error) {
        if (mayPass(error)) throw error;
        room.log.debug('a driver did not take back what a network left', { error: messageOf(error) });
      }
    });
  };
  if (network.driverAsked) {
    await ask(async () => (await room.drivers.network(network.driver)).DeleteNetwork({ NetworkID: network.id }));
  }
  for (const pool of [...network.v4, ...network.v6]) {
    await ask(() => releasePool(room.drivers, network.ipam.driver, pool));
  }
  failures.raise();
}
