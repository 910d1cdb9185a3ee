import type { EndpointSettings } from '@cleat/protocol/api/network';
import { isClass, systemError } from '@cleat/protocol/errors';
import type { ContainerLookup } from '../../networks/service.js';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { sandboxRequest } from './sandbox-request.js';

/** `docker network connect`: at once when it runs, else at its next start. */
export async function connectNetwork(
  room: Room,
  container: Container,
  network: string,
  endpoint: EndpointSettings,
): Promise<void> {
  await container.lock.run(async () => {
    const { record } = container;
    const { id, name } = room.networks.resolve(network);
    const running = container.running && record.state.status !== 'restarting';
    const asker = { ...sandboxRequest(room, container), running, pid: record.state.pid };
    // What was asked for: another start gives another address.
    record.endpoints[name] = await room.networks.connect(id, asker, endpoint);
    container.save();
  });
}

/**
 * `docker network disconnect`. With `force` also from a network that is gone, which its next start would look for.
 * @throws System `container X is not connected to network Y`, with `force`, too
 */
export async function disconnectNetwork(room: Room, container: Container, ref: string, force: boolean): Promise<void> {
  await container.lock.run(async () => {
    const { endpoints } = container.record;
    const network = networkOf(room, ref, force);
    const key = Object.keys(endpoints).find((name) => {
      const wished = endpoints[name]?.NetworkID;
      return network ? (wished ? wished === network.id : name === network.name) : name === ref || wished === ref;
    });
    // A running one is looked at by the networks' room; one that does not run has its list only.
    if ((!network || !container.running) && key === undefined) {
      throw systemError(`container ${container.id} is not connected to the network ${network?.name ?? ref}`);
    }
    if (network) await room.networks.disconnect(network.id, container.id);
    if (key !== undefined) delete endpoints[key];
    container.save();
  });
}

/** @returns undefined for one that is gone, where that may be. @throws NotFound */
function networkOf(room: Room, ref: string, mayBeGone: boolean): ReturnType<Room['networks']['resolve']> | undefined {
  try {
    return room.networks.resolve(ref);
  } catch (error) {
    if (mayBeGone && isClass(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** How the networks room learns of containers that others refer to. */
export function lookup(room: Room): ContainerLookup {
  return {
    find(ref) {
      try {
        const { id, record } = room.registry.get(ref);
        return { id, name: record.name, pid: record.state.pid };
      } catch {
        // Unknown or ambiguous: the answer is undefined, and the caller says what it wanted it for.
        return undefined;
      }
    },
  };
}
