import { messageOf, systemError } from '@cleat/protocol/errors';
import { netlabel } from '@cleat/protocol/kinds/network';
import { Answer } from './answers.js';
import type { NetworksContext } from './context.js';
import { portOptions } from './endpoint.js';
import { type WaysOut, waysOut } from './gateway.js';
import type { EndpointRecord, Family, SandboxRecord } from './record.js';

/**
 * Has the drivers publish the sandbox's ports where it is reached now, and remembers which host ports they assigned. An
 * endpoint that is no longer the way out gives its ports up first. After a failure the caller takes away what it added,
 * and asks again.
 * @throws System `driver failed programming external connectivity on endpoint NAME (ID): …`
 */
export async function settlePorts(
  context: Pick<NetworksContext, 'callOptions' | 'drivers' | 'outbox' | 'save'>,
  sandbox: SandboxRecord,
): Promise<void> {
  const ways = waysOut(sandbox);
  const wanted = sandbox.endpoints.map((endpoint) => ({ endpoint, families: familiesFor(ways, endpoint) }));
  const gives = ({ endpoint, families }: (typeof wanted)[number]) =>
    endpoint.published && !(endpoint.publishedFor ?? []).every((family) => families.includes(family));
  for (const { endpoint, families } of [...wanted.filter(gives), ...wanted.filter((one) => !gives(one))]) {
    await settleEndpoint(context, sandbox, endpoint, families);
  }
}

/** A proxy may carry IPv6 to a container that has none (moby `driver.ProgramExternalConnectivity`). */
const familiesFor = ({ four, six = four }: WaysOut, endpoint: EndpointRecord): Family[] => [
  ...(four === endpoint ? (['ipv4'] as const) : []),
  ...(six === endpoint ? (['ipv6'] as const) : []),
];

async function settleEndpoint(
  context: Pick<NetworksContext, 'callOptions' | 'drivers' | 'outbox' | 'save'>,
  sandbox: SandboxRecord,
  endpoint: EndpointRecord,
  families: Family[],
): Promise<void> {
  if (endpoint.published && String(endpoint.publishedFor) === String(families)) return;
  const hasNone = endpoint.internal || sandbox.requestedPorts.length === 0;
  if (families.length === 0 && !endpoint.published && hasNone) return;
  const { servesPublishedPorts, publishesPerFamily } = await context.drivers.networkCapabilities(endpoint.driver);
  // A driver of Docker's protocol is always told; one that speaks ours only when there is something to publish.
  if (servesPublishedPorts && sandbox.requestedPorts.length === 0) return;
  if (servesPublishedPorts && publishesPerFamily) {
    return await publish(context, sandbox, endpoint, families, { [netlabel.gatewayFor]: families });
  }
  if (endpoint.published) await revokePorts(context, endpoint);
  if (families.length === 0) return;
  const another = !families.includes('ipv6') && { [netlabel.noProxy6To4]: true };
  await publish(context, sandbox, endpoint, families, another || {});
}

async function publish(
  context: Pick<NetworksContext, 'callOptions' | 'drivers' | 'save'>,
  sandbox: SandboxRecord,
  endpoint: EndpointRecord,
  families: Family[],
  more: Record<string, unknown>,
): Promise<void> {
  const { servesPublishedPorts } = await context.drivers.networkCapabilities(endpoint.driver);
  const options = context.callOptions(sandbox);
  const driver = await context.drivers.network(endpoint.driver, options);
  const ids = { NetworkID: endpoint.networkId, EndpointID: endpoint.id };
  endpoint.published = true;
  // An engine that is killed meanwhile takes back what it may have got.
  context.save(sandbox);
  try {
    // A driver that lacks the method (404) publishes nothing, which is as good.
    await driver.ProgramExternalConnectivity({ ...ids, Options: { ...portOptions(sandbox), ...more } }, options);
    const info = driver.EndpointOperInfo(ids, options);
    // Docker asks every driver; only those that speak ours say something that is needed.
    const { Value } = servesPublishedPorts ? await info : await info.catch(() => ({ Value: null }));
    const assigned = servesPublishedPorts ? Value?.[netlabel.portMap] : undefined;
    endpoint.ports = new Answer(endpoint.driver, 'NetworkDriver.EndpointOperInfo').ports(assigned);
    endpoint.publishedFor = families;
  } catch (error) {
    throw systemError(
      `driver failed programming external connectivity on endpoint ${sandbox.containerName} (${endpoint.id}): ${messageOf(error)}`,
      { cause: error },
    );
  }
}

async function revokePorts(context: Pick<NetworksContext, 'outbox'>, endpoint: EndpointRecord): Promise<void> {
  const { driver, networkId, id, networkName } = endpoint;
  const request = { NetworkID: networkId, EndpointID: id };
  endpoint.published = false;
  endpoint.ports = [];
  delete endpoint.publishedFor;
  await context.outbox.send([
    {
      id: `ports ${id}`,
      extension: driver,
      about: `the published ports of an endpoint on network ${networkName}`,
      calls: [{ method: 'RevokeExternalConnectivity', request }],
    },
  ]);
}
