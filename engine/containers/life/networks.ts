import type { EndpointSettings } from '@cleat/protocol/api/network';
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
    await room.networks.disconnect(Id, container.id, { force });
    for (const name of [Name, Id]) delete container.record.endpoints[name];
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
