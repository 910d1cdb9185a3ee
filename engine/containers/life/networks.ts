import type { EndpointSettings } from '@cleat/protocol/api/network';
import { notFound } from '@cleat/protocol/errors';
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
    const { Id, Name } = await room.networks.inspect(network);
    const running = container.running && record.state.status !== 'restarting';
    await room.networks.connect(Id, { ...sandboxRequest(room, container), running, pid: record.state.pid }, endpoint);
    // What was asked for: another start gives another address.
    record.endpoints[Name] = endpoint;
    container.save();
  });
}

export async function disconnectNetwork(
  room: Room,
  container: Container,
  network: string,
  force: boolean,
): Promise<void> {
  await container.lock.run(async () => {
    const { Id, Name } = await room.networks.inspect(network);
    const { endpoints } = container.record;
    const keys = Object.keys(endpoints).filter((key) => key === Name || Id.startsWith(key));
    // A running one is looked at by the networks' room; one that does not run has its list only.
    if (!container.running && keys.length === 0 && !force) {
      throw notFound(`container ${container.id} is not connected to the network ${Name}`);
    }
    await room.networks.disconnect(Id, container.id, { force });
    for (const key of keys) delete endpoints[key];
    container.save();
  });
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
