import { messageOf, systemError } from '@cleat/protocol/errors';
import { netlabel, type PortBinding } from '@cleat/protocol/kinds/network';
import type { NetworksContext } from './context.js';
import { portOptions } from './endpoint.js';
import type { EndpointRecord, SandboxRecord } from './record.js';

/**
 * Has the driver publish the sandbox's ports on that endpoint, and remembers which it assigned.
 * @throws System `driver failed programming external connectivity on endpoint NAME (ID): …`
 */
export async function publishPorts(
  context: Pick<NetworksContext, 'callOptions' | 'drivers'>,
  sandbox: SandboxRecord,
  endpoint: EndpointRecord,
): Promise<void> {
  const { servesPublishedPorts } = await context.drivers.networkCapabilities(endpoint.driver);
  // A driver of Docker's protocol is always told; one that speaks ours only when there is something to publish.
  if (servesPublishedPorts && sandbox.requestedPorts.length === 0) return;
  const options = context.callOptions(sandbox);
  const driver = await context.drivers.network(endpoint.driver, options);
  const ids = { NetworkID: endpoint.networkId, EndpointID: endpoint.id };
  endpoint.published = true;
  try {
    // A driver that lacks the method (404) publishes nothing, which is as good.
    await driver.ProgramExternalConnectivity({ ...ids, Options: portOptions(sandbox) }, options);
    const info = driver.EndpointOperInfo(ids, options);
    // Docker asks every driver; only those that speak ours say something that is needed.
    const { Value } = servesPublishedPorts ? await info : await info.catch(() => ({ Value: null }));
    const assigned = servesPublishedPorts ? Value?.[netlabel.portMap] : undefined;
    endpoint.ports = Array.isArray(assigned) ? (assigned as PortBinding[]) : [];
  } catch (error) {
    throw systemError(
      `driver failed programming external connectivity on endpoint ${sandbox.containerName} (${endpoint.id}): ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/**
 * Another endpoint becomes the way out: the former one gives the ports up first. Should the new one fail, it gets them
 * back.
 */
export async function movePorts(
  context: NetworksContext,
  sandbox: SandboxRecord,
  from: EndpointRecord | undefined,
  to: EndpointRecord | undefined,
): Promise<void> {
  if (from === to) return;
  if (from?.published) await revokePorts(context, from);
  if (!to || to.published) return;
  try {
    await publishPorts(context, sandbox, to);
  } catch (error) {
    if (from && sandbox.endpoints.includes(from)) {
      await publishPorts(context, sandbox, from).catch((again: unknown) =>
        context.log.error('published ports could not be given back to the former network', {
          container: sandbox.containerId,
          network: from.networkName,
          error: messageOf(again),
        }),
      );
    }
    throw error;
  }
}

async function revokePorts(context: Pick<NetworksContext, 'outbox'>, endpoint: EndpointRecord): Promise<void> {
  const { driver, networkId, id, networkName } = endpoint;
  const request = { NetworkID: networkId, EndpointID: id };
  endpoint.published = false;
  endpoint.ports = [];
  await context.outbox.send([
    {
      id: `ports ${id}`,
      extension: driver,
      about: `the published ports of an endpoint on network ${networkName}`,
      calls: [{ method: 'RevokeExternalConnectivity', request }],
    },
  ]);
}
