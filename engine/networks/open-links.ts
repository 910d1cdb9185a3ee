import { messageOf } from '@cleat/protocol/errors';
import type { OpenedLink } from '@cleat/protocol/kinds/network';
import { parsePort } from './ports.js';
import type { EndpointRecord, SandboxRecord } from './record.js';
import type { NetworkRoom } from './room.js';

/**
 * Has the driver of the default network let a container reach what those that it is linked to expose, for where
 * containers are kept apart otherwise.
 */
export async function openLinks(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  const endpoint = onDefault(room, sandbox);
  if (!endpoint || (linksOf(room, sandbox).length === 0 && !endpoint.linksTold)) return;
  const options = room.callOptions(sandbox);
  if (!(await room.drivers.networkCapabilities(endpoint.driver)).opensLinks) return;
  const driver = await room.drivers.network(endpoint.driver, options);
  endpoint.linksTold = true;
  room.save(sandbox);
  const Links = linksOf(room, sandbox);
  await driver.OpenLinks({ NetworkID: endpoint.networkId, EndpointID: endpoint.id, Links }, options);
}

/** The same where nobody waits to hear that it failed. */
export async function reopenLinks(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  try {
    await openLinks(room, sandbox);
  } catch (error) {
    room.log.warn('a link is not up to date', { container: sandbox.containerId, error: messageOf(error) });
  }
}

/** A container that others are linked to has come. */
export async function reopenLinksTo(room: NetworkRoom, { containerId }: SandboxRecord): Promise<void> {
  const linking = room.sandboxes().filter(({ linked = [] }) => linked.some((link) => link.containerId === containerId));
  await Promise.all(linking.map((sandbox) => reopenLinks(room, sandbox)));
}

function linksOf(room: NetworkRoom, { linked = [] }: SandboxRecord): OpenedLink[] {
  const targets = new Set(linked.map(({ containerId }) => containerId));
  return [...targets].flatMap((containerId) => {
    const other = room.sandbox(containerId);
    const endpoint = other && onDefault(room, other);
    return endpoint ? [{ EndpointID: endpoint.id, Ports: other.exposedPorts.map(parsePort) }] : [];
  });
}

const onDefault = (room: NetworkRoom, { endpoints }: SandboxRecord): EndpointRecord | undefined =>
  endpoints.find(({ networkName, stage }) => networkName === room.defaultNetwork && stage === 'joined');
