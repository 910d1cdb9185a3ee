import { messageOf } from '@cleat/protocol/errors';
import type { OpenedLink } from '@cleat/protocol/kinds/network';
import type { NetworksContext } from './context.js';
import { parsePort } from './ports.js';
import type { EndpointRecord, SandboxRecord } from './record.js';

/**
 * Has the driver of the default network let a container reach what those that it is linked to expose, for where
 * containers are kept apart otherwise.
 */
export async function openLinks(context: NetworksContext, sandbox: SandboxRecord): Promise<void> {
  const endpoint = onDefault(context, sandbox);
  if (!endpoint || (linksOf(context, sandbox).length === 0 && !endpoint.linksTold)) return;
  const options = context.callOptions(sandbox);
  if (!(await context.drivers.networkCapabilities(endpoint.driver)).opensLinks) return;
  const driver = await context.drivers.network(endpoint.driver, options);
  endpoint.linksTold = true;
  context.save(sandbox);
  const Links = linksOf(context, sandbox);
  await driver.OpenLinks({ NetworkID: endpoint.networkId, EndpointID: endpoint.id, Links }, options);
}

/** The same where nobody waits to hear that it failed. */
export async function reopenLinks(context: NetworksContext, sandbox: SandboxRecord): Promise<void> {
  try {
    await openLinks(context, sandbox);
  } catch (error) {
    context.log.warn('a link is not up to date', { container: sandbox.containerId, error: messageOf(error) });
  }
}

/** A container that others are linked to has come. */
export async function reopenLinksTo(context: NetworksContext, { containerId }: SandboxRecord): Promise<void> {
  const linking = context
    .sandboxes()
    .filter(({ linked = [] }) => linked.some((link) => link.containerId === containerId));
  await Promise.all(linking.map((sandbox) => reopenLinks(context, sandbox)));
}

function linksOf(
  context: Pick<NetworksContext, 'defaultNetwork' | 'sandbox'>,
  { linked = [] }: SandboxRecord,
): OpenedLink[] {
  const targets = new Set(linked.map(({ containerId }) => containerId));
  return [...targets].flatMap((containerId) => {
    const other = context.sandbox(containerId);
    const endpoint = other && onDefault(context, other);
    return endpoint ? [{ EndpointID: endpoint.id, Ports: other.exposedPorts.map(parsePort) }] : [];
  });
}

const onDefault = (
  context: Pick<NetworksContext, 'defaultNetwork'>,
  { endpoints }: SandboxRecord,
): EndpointRecord | undefined =>
  endpoints.find(({ networkName, stage }) => networkName === context.defaultNetwork && stage === 'joined');
