import { enterNamespace, inNamespace, keepNamespace } from '@cleat/linux/net/namespace';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import { forbidden, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { announceConnected, announceEnd } from './announce.js';
import { namespacePath } from './attach.js';
import type { NetworksContext } from './context.js';
import { endpointReleases } from './detach.js';
import { createEndpoint, joinEndpoint, newEndpoint } from './endpoint.js';
import { joinGateway, needsGateway, ownGateway, type WaysOut, waysOut } from './gateway.js';
import { tellLinked, writeHostFiles } from './host-files/write.js';
import { linkedRequest } from './links.js';
import { registerNames } from './named.js';
import { reopenLinks, reopenLinksTo } from './open-links.js';
import { settlePorts } from './publish.js';
import type { EndpointRecord, NetworkRecord, RequestedEndpoint, SandboxRecord } from './record.js';
import { checkRequested } from './requested.js';
import type { NetworkHost, SandboxRequest } from './service.js';
import { defaultRoutes, unwire, wire } from './wiring/wire.js';

/** See {@link NetworkHost.connect}. */
export async function connect(
  context: NetworksContext,
  network: NetworkRecord,
  container: Parameters<NetworkHost['connect']>[1],
  asked: EndpointSettings,
): Promise<RequestedEndpoint> {
  const requested: RequestedEndpoint = { ...linkedRequest(asked, context.idOf), NetworkID: network.id };
  checkMode(network, container);
  checkRequested(network.name, network, requested);
  const sandbox = container.running ? context.sandbox(container.containerId) : undefined;
  if (!sandbox) return { ...requested, named: true };
  if (sandbox.kind === 'own' && sandbox.endpoints.length === 0) holdNamespace(context, sandbox, container.pid);
  if (sandbox.kind !== 'path') throw notPrivate();
  if (sandbox.endpoints.some(({ networkId, role }) => networkId === network.id && role !== 'gateway')) {
    throw alreadyOn(network, sandbox.containerName);
  }
  const endpoint = newEndpoint(network, sandbox, requested);
  try {
    await createEndpoint(context, sandbox, network, endpoint);
    const session = await enterNamespace(sandbox.path);
    try {
      const joined = [await joinEndpoint(context, sandbox, endpoint, session.pid)];
      if (needsGateway(context, sandbox) && !ownGateway(sandbox)) {
        const over = await joinGateway(context, sandbox, session.pid);
        if (over) joined.push(over);
      }
      await wire(context, session, sandbox, joined);
    } finally {
      session.abandon();
    }
    await settlePorts(context, sandbox);
  } catch (error) {
    await undo(context, sandbox, endpoint);
    throw error;
  }
  await leaveNeedlessGateway(context, sandbox);
  await settle(context, sandbox);
  announceConnected(context, sandbox, [endpoint]);
  return requested;
}

/** See {@link NetworkHost.connectLater}. */
export function connectLater(
  context: Pick<NetworksContext, 'idOf'>,
  ref: string,
  container: SandboxRequest,
  asked: EndpointSettings,
): RequestedEndpoint {
  checkMode(undefined, container);
  checkRequested(ref, undefined, asked);
  return { ...linkedRequest(asked, context.idOf), NetworkID: '' };
}

/** It has left the network `none`: the namespace that its runtime made gets a path, for interfaces to come. */
function holdNamespace(context: Pick<NetworksContext, 'config' | 'save'>, sandbox: SandboxRecord, pid: number): void {
  const path = namespacePath(context.config, sandbox.sandboxId);
  keepNamespace(path, pid);
  sandbox.path = path;
  sandbox.kind = 'path';
  context.save(sandbox);
}

/** @param network undefined: it is not there yet */
function checkMode(
  network: NetworkRecord | undefined,
  { networkMode: mode, endpoints, containerName }: SandboxRequest,
): void {
  if (network?.sandbox === 'host' && mode === 'host') throw alreadyOn(network, containerName);
  if (network?.sandbox === 'host') {
    throw invalidParameter('cannot connect container to host network - container must be created in host network mode');
  }
  if (mode.startsWith('container:') || mode === 'host') throw notPrivate();
  if (network?.sandbox === 'none' || Object.hasOwn(endpoints, 'none')) {
    throw invalidParameter(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
}

const alreadyOn = ({ name }: NetworkRecord, containerName: string) =>
  forbidden(`endpoint with name ${containerName} already exists in network ${name}`);

const notPrivate = () =>
  invalidParameter(
    'container sharing network namespace with another container or host cannot be connected to any other network',
  );

/** The new endpoint goes, and with it a way out that was made for it. */
async function undo(context: NetworksContext, sandbox: SandboxRecord, endpoint: EndpointRecord): Promise<void> {
  try {
    await drop(context, sandbox, endpoint);
    await leaveNeedlessGateway(context, sandbox);
    await configureDefaultRoutes(sandbox);
    await settlePorts(context, sandbox);
  } catch (error) {
    context.log.error('a failed attempt to connect left something behind in the container', {
      network: endpoint.networkName,
      error: messageOf(error),
    });
  }
}

/**
 * Takes a running container off a network. What the network's drivers could not be told is pending.
 * @throws System `container X is not connected to network Y`
 */
export async function disconnect(
  context: NetworksContext,
  network: NetworkRecord,
  sandbox: SandboxRecord,
): Promise<void> {
  const endpoint = sandbox.endpoints.find(({ networkId, role }) => networkId === network.id && role !== 'gateway');
  if (!endpoint) throw systemError(`container ${sandbox.containerId} is not connected to network ${network.name}`);
  if (sandbox.kind === 'host') {
    throw invalidParameter(
      'cannot disconnect container from host network - container was created in host network mode',
    );
  }
  const before = waysOut(sandbox);
  await drop(context, sandbox, endpoint);
  announceEnd(context, sandbox, [endpoint]);
  try {
    if (sandbox.kind === 'path') await findAnotherWay(context, sandbox, before);
  } finally {
    await settle(context, sandbox);
  }
}

/** Takes one endpoint off a sandbox: the interface, the record, and what its drivers are to be told. */
async function drop(context: NetworksContext, sandbox: SandboxRecord, endpoint: EndpointRecord): Promise<void> {
  if (sandbox.kind === 'path') {
    await unwire(sandbox, endpoint, !endpoint.linkDies).catch((error: unknown) =>
      context.log.debug('an interface could not be taken out of a container', { error: messageOf(error) }),
    );
  }
  const releases = endpointReleases(context, endpoint);
  context.outbox.note(releases);
  sandbox.endpoints = sandbox.endpoints.filter((other) => other !== endpoint);
  context.save(sandbox);
  await context.outbox.send(releases);
}

/** Another network becomes the way out, or the gateway network, and publishes the ports. */
async function findAnotherWay(context: NetworksContext, sandbox: SandboxRecord, before: WaysOut): Promise<void> {
  if (needsGateway(context, sandbox) && !ownGateway(sandbox)) {
    const session = await enterNamespace(sandbox.path);
    try {
      const over = await joinGateway(context, sandbox, session.pid);
      if (over) await wire(context, session, sandbox, [over]);
    } finally {
      session.abandon();
    }
  }
  await leaveNeedlessGateway(context, sandbox);
  const ways = waysOut(sandbox);
  if (ways.four !== before.four || ways.six !== before.six) await configureDefaultRoutes(sandbox);
  await settlePorts(context, sandbox);
}

/** One of the container's own networks leads out by now, or none is to. */
async function leaveNeedlessGateway(context: NetworksContext, sandbox: SandboxRecord): Promise<void> {
  const over = ownGateway(sandbox);
  if (over && !needsGateway(context, sandbox)) await drop(context, sandbox, over);
}

async function configureDefaultRoutes(sandbox: SandboxRecord): Promise<void> {
  const routes = defaultRoutes(sandbox);
  if (sandbox.kind === 'path' && routes.length > 0) await inNamespace(sandbox.path, routes);
}

async function settle(context: NetworksContext, sandbox: SandboxRecord): Promise<void> {
  context.save(sandbox);
  writeHostFiles(context, sandbox);
  await registerNames(context, sandbox);
  tellLinked(context, sandbox);
  await reopenLinks(context, sandbox);
  await reopenLinksTo(context, sandbox);
}
