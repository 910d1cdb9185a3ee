import { removeNamespace } from '@cleat/linux/net/namespace';
import { addressRelease, unknownAddressRelease } from './addresses.js';
import { announceEnd } from './announce.js';
import type { NetworksContext } from './context.js';
import { Failures } from './drivers.js';
import type { DriverMessage, NetworkCall } from './outbox.js';
import type { EndpointRecord, SandboxRecord } from './record.js';
import { unwire } from './wiring/wire.js';

/**
 * Takes a sandbox down: names, events, ports, endpoints, addresses, namespace. Does everything it can; what a driver
 * could not be told is pending. The kernel removes namespace and interfaces in the background.
 * @throws AggregateError of what failed on this host
 */
export function takeDown(context: NetworksContext, sandbox: SandboxRecord): Promise<void> {
  const { containerId } = sandbox;
  const under = context.leaving.get(containerId);
  if (under) return under;
  const work = doTakeDown(context, sandbox).finally(() => context.leaving.delete(containerId));
  context.leaving.set(containerId, work);
  return work;
}

async function doTakeDown(context: NetworksContext, sandbox: SandboxRecord): Promise<void> {
  const failures = new Failures();
  const forgotten = context.names.forget(sandbox.containerId);
  announceEnd(context, sandbox);
  await forgotten;
  if (sandbox.kind === 'path') {
    for (const endpoint of sandbox.endpoints) await failures.attempt(() => giveLinkBack(sandbox, endpoint));
    await failures.attempt(() => removeNamespace(sandbox.path));
  }
  for (const endpoint of [...sandbox.endpoints].reverse())
    await context.outbox.send(endpointReleases(context, endpoint));
  context.forget(sandbox.containerId);
  failures.raise();
}

/** Only for drivers that expect their interface on the host; a virtual one ends with its namespace. */
async function giveLinkBack(sandbox: SandboxRecord, endpoint: EndpointRecord): Promise<void> {
  if (endpoint.srcName && !endpoint.linkDies) await unwire(sandbox, endpoint, true);
}

/** Calls to its drivers when an endpoint goes: exactly those that take back what they did. */
export function endpointReleases(
  context: Pick<NetworksContext, 'registry'>,
  endpoint: EndpointRecord,
): DriverMessage[] {
  const { id, networkId, networkName, driver, stage, pools, asking, published } = endpoint;
  const request = { NetworkID: networkId, EndpointID: id };
  const calls: NetworkCall[] = [
    ...(published ? [{ method: 'RevokeExternalConnectivity', request } as const] : []),
    ...(stage === 'joined' ? [{ method: 'Leave', request } as const] : []),
    ...(stage === 'addressed' ? [] : [{ method: 'DeleteEndpoint', request } as const]),
  ];
  const network = context.registry.byId(networkId);
  const releases = network && [
    ...(pools.length > 0 ? [addressRelease(network.ipam.driver, id, pools)] : []),
    ...(asking ? [unknownAddressRelease(network, id)] : []),
  ];
  return [
    { id: `endpoint ${id}`, extension: driver, about: `an endpoint on network ${networkName}`, calls },
    ...(releases ?? []),
  ];
}
