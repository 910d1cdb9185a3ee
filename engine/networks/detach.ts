import { removeNamespace } from '@cleat/linux/net/namespace';
import { Failures } from './drivers.js';
import type { Leftover } from './endpoint.js';
import type { EndpointRecord, SandboxRecord } from './record.js';
import type { NetworkRoom } from './room.js';
import { unwire } from './wire.js';

/**
 * Takes a sandbox down: names, events, ports, endpoints, addresses, namespace. Does everything it can; what a driver
 * did not take back is remembered and tried again. The kernel removes namespace and interfaces in the background.
 * @throws AggregateError of all failures
 */
export function takeDown(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  const { containerId } = sandbox;
  const under = room.leaving.get(containerId);
  if (under) return under;
  const work = doTakeDown(room, sandbox).finally(() => room.leaving.delete(containerId));
  room.leaving.set(containerId, work);
  return work;
}

async function doTakeDown(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  const failures = new Failures();
  room.names.forget(sandbox.containerId);
  for (const endpoint of sandbox.endpoints) announceEnd(room, sandbox.containerId, endpoint);
  if (sandbox.kind === 'path') {
    for (const endpoint of sandbox.endpoints) await failures.attempt(() => giveLinkBack(room, sandbox, endpoint));
    await failures.attempt(() => removeNamespace(sandbox.path));
  }
  for (const endpoint of sandbox.endpoints) await failures.attempt(() => leave(room, endpoint));
  room.forget(sandbox.containerId);
  failures.raise();
}

/** Of one that was never announced, because its start failed or the engine was killed, nothing is told. */
export function announceEnd(room: NetworkRoom, containerId: string, endpoint: EndpointRecord): void {
  if (endpoint.announced === false) return;
  const { networkId: id, networkName: name, driver } = endpoint;
  room.emit('disconnect', { id, name, driver }, { container: containerId });
}

/** Only for drivers that expect their interface on the host; a virtual one ends with its namespace. */
async function giveLinkBack(room: NetworkRoom, sandbox: SandboxRecord, endpoint: EndpointRecord): Promise<void> {
  if (!endpoint.srcName) return;
  const { linksDieWithSandbox } = await room.drivers.networkCapabilities(endpoint.driver);
  if (!linksDieWithSandbox) await unwire(sandbox.path, endpoint, true);
}

/** Takes the endpoint from its drivers, or remembers that it has to be done. @throws AggregateError */
export async function leave(room: NetworkRoom, endpoint: EndpointRecord): Promise<void> {
  const leftover: Leftover = {
    id: endpoint.id,
    networkId: endpoint.networkId,
    driver: endpoint.driver,
    pools: endpoint.pools,
    published: endpoint.published,
    ipamDriver: room.registry.byId(endpoint.networkId)?.ipam.driver ?? '',
  };
  await room.leftovers.add(leftover);
}
