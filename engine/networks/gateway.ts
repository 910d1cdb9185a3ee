import { messageOf } from '@cleat/protocol/errors';
import { netlabel } from '@cleat/protocol/kinds/network';
import type { NetworksContext } from './context.js';
import { createNetwork, isMissing } from './create.js';
import { createEndpoint, type Joined, joinEndpoint, newEndpoint } from './endpoint.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.js';

/**
 * The network through which containers reach the world when none of their own networks' drivers knows a way there
 * (Docker's name for it, so that one which the operator made beforehand is used). It is a network like any other, of
 * the default network driver, made when it is first needed.
 */
export const gatewayNetwork = 'docker_gwbridge';

/** The endpoints through which a container reaches the rest of the world, and is reached by published ports. */
export interface WaysOut {
  four?: EndpointRecord;
  /** Often the same. */
  six?: EndpointRecord;
}

/** Chosen for each family by itself (moby `Sandbox.getGatewayEndpoint`). */
export function waysOut(sandbox: SandboxRecord): WaysOut {
  const ordered = sandbox.endpoints.filter(leadsOut).sort(before);
  const four = ordered.find(({ gateway, defaultRoute }) => gateway || defaultRoute);
  const six = ordered.find(({ gateway6, defaultRoute6 }) => gateway6 || defaultRoute6);
  return { ...(four && { four }), ...(six && { six }) };
}

/** As moby `Endpoint.Less`: the user's word first; then the better way; then the name. */
function before(a: EndpointRecord, b: EndpointRecord): number {
  const priority = ({ requested }: EndpointRecord) => requested.GwPriority ?? 0;
  return (
    priority(b) - priority(a) ||
    Number(a.role === 'gateway') - Number(b.role === 'gateway') ||
    Number(a.internal ?? false) - Number(b.internal ?? false) ||
    familiesOf(b) - familiesOf(a) ||
    (a.networkName < b.networkName ? -1 : 1)
  );
}

/** For how many families it leads out. */
const familiesOf = ({ gateway, gateway6, defaultRoute, defaultRoute6 }: EndpointRecord): number =>
  Number(Boolean(gateway || defaultRoute)) + Number(Boolean(gateway6 || defaultRoute6));

const leadsOut = (endpoint: EndpointRecord): boolean => familiesOf(endpoint) > 0;

/** As libnetwork decides it (moby `daemon/libnetwork/default_gateway.go`). */
export function needsGateway(context: Pick<NetworksContext, 'registry'>, sandbox: SandboxRecord): boolean {
  if (sandbox.kind !== 'path') return false;
  const own = sandbox.endpoints.filter(({ role, networkId, gatewayDisabled }) => {
    const network = context.registry.byId(networkId);
    return role !== 'gateway' && network?.sandbox === 'own' && !network.internal && !gatewayDisabled;
  });
  return own.length > 0 && !own.some(leadsOut);
}

export const ownGateway = (sandbox: SandboxRecord): EndpointRecord | undefined =>
  sandbox.endpoints.find(({ role }) => role === 'gateway');

/**
 * Joins the sandbox to the gateway network. Without a driver for that network it has no way out, and is told so when
 * it has ports to publish.
 * @throws what {@link createNetwork} and the driver say
 */
export async function joinGateway(
  context: NetworksContext,
  sandbox: SandboxRecord,
  sandboxPid: number,
): Promise<Joined | undefined> {
  const network = await ensureGatewayNetwork(context).catch((error: unknown) => {
    if (!isMissing(error) || sandbox.requestedPorts.length > 0) throw error;
    context.log.warn('a container has no way out: there is no driver for the gateway network', {
      container: sandbox.containerId,
      error: messageOf(error),
    });
    return undefined;
  });
  if (!network) return undefined;
  const endpoint: EndpointRecord = { ...newEndpoint(network, sandbox, {}), role: 'gateway', dnsNames: [] };
  await createEndpoint(context, sandbox, network, endpoint);
  return await joinEndpoint(context, sandbox, endpoint, sandboxPid);
}

/** Waits for a gateway that another container's start is making. */
async function ensureGatewayNetwork(context: NetworksContext): Promise<NetworkRecord> {
  const known = context.registry.byName(gatewayNetwork);
  if (known) return known;
  context.gatewayInTheMaking ??= createNetwork(context, {
    Name: gatewayNetwork,
    Driver: context.config.defaultNetworkDriver,
    EnableIPv6: false,
    Options: { [netlabel.enableIcc]: 'false', [netlabel.enableIpMasquerade]: 'true' },
    IPAM: { Driver: context.config.defaultIpamDriver },
  }).finally(() => {
    context.gatewayInTheMaking = undefined;
  });
  return await context.gatewayInTheMaking;
}
