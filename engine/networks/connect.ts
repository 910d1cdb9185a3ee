import { enterNamespace } from '@cleat/linux/net/namespace';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import { forbidden, invalidParameter, messageOf, notFound } from '@cleat/protocol/errors';
import { announceEnd, leave } from './detach.js';
import { checkWishes, createEndpoint, gatewayEndpoint, joinEndpoint, newEndpoint, publishPorts } from './endpoint.js';
import { writeHostFiles } from './files.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.js';
import type { NetworkRoom } from './room.js';
import type { Networks } from './service.js';
import { endpointSettings } from './settings.js';
import { defaultRoutes, unwire, wire } from './wire.js';

/** See {@link Networks.connect}. */
export async function connect(
  room: NetworkRoom,
  network: NetworkRecord,
  container: Parameters<Networks['connect']>[1],
  wished: EndpointSettings,
): Promise<EndpointSettings> {
  checkMode(network, container.networkMode);
  checkWishes(network.name, network, wished);
  const sandbox = container.running ? room.sandbox(container.containerId) : undefined;
  if (!sandbox) return { ...wished, NetworkID: network.id };
  if (sandbox.kind !== 'path') throw notPrivate();
  if (sandbox.endpoints.some(({ networkId }) => networkId === network.id)) {
    throw forbidden(`endpoint with name ${sandbox.containerName} already exists in network ${network.name}`);
  }
  const endpoint = newEndpoint(network, sandbox, wished);
  try {
    await createEndpoint(room, sandbox, network, endpoint);
    const session = await enterNamespace(sandbox.path);
    try {
      const joined = await joinEndpoint(room, sandbox, endpoint, session.pid);
      await wire(session, sandbox, [joined]);
    } finally {
      session.abandon();
    }
    if (gatewayEndpoint(sandbox) === endpoint && !sandbox.endpoints.some(({ published }) => published)) {
      await publishPorts(room, sandbox, endpoint);
    }
  } catch (error) {
    await undo(room, sandbox, endpoint);
    throw error;
  }
  endpoint.announced = true;
  await settle(room, sandbox);
  room.emit('connect', network, { container: sandbox.containerId });
  return endpointSettings(endpoint);
}

function checkMode(network: NetworkRecord, mode: string): void {
  if (network.sandbox === 'host') {
    throw invalidParameter('cannot connect container to host network - container must be created in host network mode');
  }
  if (mode.startsWith('container:') || mode === 'host') throw notPrivate();
  if (network.sandbox === 'none' || mode === 'none') {
    throw invalidParameter(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
}

const notPrivate = () =>
  invalidParameter(
    'container sharing network namespace with another container or host cannot be connected to any other network',
  );

async function undo(room: NetworkRoom, sandbox: SandboxRecord, endpoint: EndpointRecord): Promise<void> {
  sandbox.endpoints = sandbox.endpoints.filter((other) => other !== endpoint);
  room.save(sandbox);
  await leave(room, endpoint).catch((error: unknown) =>
    room.log.error('a failed attempt to connect left something behind; it is tried again', {
      network: endpoint.networkName,
      error: messageOf(error),
    }),
  );
}

/**
 * Takes a running container off a network.
 * @throws NotFound `container X is not connected to network Y`; AggregateError of what drivers said
 */
export async function disconnect(room: NetworkRoom, network: NetworkRecord, sandbox: SandboxRecord): Promise<void> {
  const endpoint = sandbox.endpoints.find(({ networkId }) => networkId === network.id);
  if (!endpoint) throw notFound(`container ${sandbox.containerId} is not connected to network ${network.name}`);
  if (sandbox.kind === 'host') throw invalidParameter('container cannot be disconnected from host network');
  if (sandbox.kind === 'path') {
    const { linksDieWithSandbox } = await room.drivers.networkCapabilities(endpoint.driver);
    await unwire(sandbox.path, endpoint, !linksDieWithSandbox);
  }
  sandbox.endpoints = sandbox.endpoints.filter((other) => other !== endpoint);
  room.save(sandbox);
  announceEnd(room, sandbox.containerId, endpoint);
  try {
    await leave(room, endpoint);
  } finally {
    await moveGateway(room, sandbox, endpoint);
    await settle(room, sandbox);
  }
}

/** Another network becomes the way out, and publishes the ports. */
async function moveGateway(room: NetworkRoom, sandbox: SandboxRecord, former: EndpointRecord): Promise<void> {
  const way = gatewayEndpoint(sandbox);
  if (!way || sandbox.kind !== 'path') return;
  const routes = defaultRoutes(sandbox);
  if (routes.length > 0) await (await enterNamespace(sandbox.path)).configure(routes);
  if (former.published && !way.published) await publishPorts(room, sandbox, way);
}

async function settle(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  room.save(sandbox);
  await writeHostFiles(room, sandbox);
  room.names.register(sandbox);
}
