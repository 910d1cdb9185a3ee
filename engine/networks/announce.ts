import type { EndpointRecord, SandboxRecord } from './record.js';
import type { NetworkRoom } from './room.js';

/*
 * A record says which event of the journal tells of it, before that event is written: so the next engine knows what was
 * told, also when this one is killed between both.
 */

/** `connect`: the container is on these networks. */
export function announceConnected(
  room: NetworkRoom,
  sandbox: SandboxRecord,
  endpoints: readonly EndpointRecord[] = sandbox.endpoints,
): void {
  // The gateway network is nobody's wish.
  const wanted = endpoints.filter(({ role }) => role !== 'gateway');
  let event = room.events.last;
  for (const endpoint of wanted) endpoint.connectedBy = ++event;
  room.save(sandbox);
  for (const endpoint of wanted) emit(room, 'connect', sandbox, endpoint);
}

/** `disconnect`, of those whose `connect` was told, and once. */
export function announceEnd(
  room: NetworkRoom,
  sandbox: SandboxRecord,
  endpoints: readonly EndpointRecord[] = sandbox.endpoints,
): void {
  const isTold = (event = 0) => event > 0 && event <= room.events.last;
  const open = endpoints.filter(({ connectedBy, endedBy }) => isTold(connectedBy) && !isTold(endedBy));
  let event = room.events.last;
  for (const endpoint of open) endpoint.endedBy = ++event;
  room.save(sandbox);
  for (const endpoint of open) emit(room, 'disconnect', sandbox, endpoint);
}

function emit(room: NetworkRoom, action: string, { containerId }: SandboxRecord, endpoint: EndpointRecord): void {
  const { networkId: id, networkName: name, driver } = endpoint;
  room.emit(action, { id, name, driver }, { container: containerId });
}
