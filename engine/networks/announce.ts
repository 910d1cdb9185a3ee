import type { NetworksContext } from './context.js';
import type { EndpointRecord, SandboxRecord } from './record.js';

/** The parts for telling, and for noting that it is told. */
type Parts = Pick<NetworksContext, 'emit' | 'events' | 'save'>;

/*
 * A record says which event of the journal tells of it, before that event is written: so the next engine knows what was
 * told, also when this one is killed between both.
 */

/** `connect`: the container is on these networks. */
export function announceConnected(
  context: Parts,
  sandbox: SandboxRecord,
  endpoints: readonly EndpointRecord[] = sandbox.endpoints,
): void {
  // Nobody asked for the gateway network.
  const wanted = endpoints.filter(({ role }) => role !== 'gateway');
  let event = context.events.next;
  for (const endpoint of wanted) endpoint.connectedBy = event++;
  context.save(sandbox);
  for (const endpoint of wanted) emit(context, 'connect', sandbox, endpoint);
}

/** `disconnect`, of those whose `connect` was told, and once. */
export function announceEnd(
  context: Parts,
  sandbox: SandboxRecord,
  endpoints: readonly EndpointRecord[] = sandbox.endpoints,
): void {
  const isTold = (event = 0) => context.events.holds(event);
  const open = endpoints.filter(({ connectedBy, endedBy }) => isTold(connectedBy) && !isTold(endedBy));
  let event = context.events.next;
  for (const endpoint of open) endpoint.endedBy = event++;
  context.save(sandbox);
  for (const endpoint of open) emit(context, 'disconnect', sandbox, endpoint);
}

function emit(
  context: Pick<NetworksContext, 'emit'>,
  action: string,
  { containerId }: SandboxRecord,
  endpoint: EndpointRecord,
): void {
  const { networkId: id, networkName: name, driver } = endpoint;
  context.emit(action, { id, name, driver }, { container: containerId });
}
