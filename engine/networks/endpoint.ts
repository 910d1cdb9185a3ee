import { createHash } from 'node:crypto';
import { CleatError, isClass, notFound } from '@cleat/protocol/errors';
import { outcomeUnknown } from '@cleat/protocol/kinds/kind';
import { netlabel } from '@cleat/protocol/kinds/network';
import { dockerMac } from '@cleat/protocol/mac';
import { newId } from '../ids.js';
import { Answer } from './answers.js';
import type { NetworksContext } from './context.js';
import { gatewayAux } from './create.js';
import { dnsNames } from './dns-names.js';
import { addressOptions } from './driver-request.js';
import { switchesIPv6Off, wantedName } from './endpoint-options.js';
import { readMac } from './mac-address.js';
import { parsePort } from './ports.js';
import type { EndpointRecord, NetworkRecord, RequestedEndpoint, Route, SandboxRecord } from './record.js';
import { endpointName } from './resource.js';
import { withDrivers } from './restore.js';
import { takeFreeAddress } from './unused-address.js';
import { freeName, isTaken, refuseTaken } from './wiring/interface-names.js';

/** The parts of an endpoint beyond its record, until it is configured. */
export interface Joined {
  endpoint: EndpointRecord;
  routes: readonly Route[];
  /** The driver made the interface inside already. */
  inSandbox: boolean;
}

export function newEndpoint(
  network: NetworkRecord,
  sandbox: SandboxRecord,
  requested: RequestedEndpoint,
): EndpointRecord {
  return {
    id: newId(),
    networkId: network.id,
    networkName: network.name,
    driver: network.driver,
    requested,
    ipv4: '',
    ipv6: '',
    pools: [],
    mac: readMac(requested.MacAddress ?? '') ?? '',
    gateway: '',
    gateway6: '',
    srcName: '',
    dstName: '',
    linkDies: false,
    stage: 'addressed',
    gatewayDisabled: false,
    defaultRoute: false,
    ...(network.internal ? { internal: true } : {}),
    published: false,
    ports: [],
    dnsNames: dnsNames(network, sandbox, requested),
  };
}

/**
 * Takes addresses and makes the endpoint: everything that needs no namespace. The record is part of the sandbox from
 * the first step on, so the undo finds what there is.
 */
export async function createEndpoint(
  context: NetworksContext,
  sandbox: SandboxRecord,
  network: NetworkRecord,
  endpoint: EndpointRecord,
): Promise<void> {
  const calls = context.callOptions(sandbox);
  // From here on it cannot be removed; it may have been, while another network was joined.
  if (!context.registry.byId(network.id)) throw notFound(`network ${network.name} not found`);
  sandbox.endpoints.push(endpoint);
  await context.outbox.settle(network.driver);
  if (network.sandbox === 'own') {
    await withDrivers(context, network, () => takeAddresses(context, sandbox, network, endpoint));
  }
  await asStage(context, sandbox, endpoint, 'created', async () => {
    const created = await withDrivers(context, network, async () => {
      const driver = await context.drivers.network(network.driver, calls);
      const { knowsEndpointNames, sharesNames, joinsInSandbox } = await context.drivers.networkCapabilities(
        network.driver,
      );
      if (!joinsInSandbox) context.links.expect(endpoint);
      const tellsNames = sharesNames && endpoint.dnsNames.length > 0;
      const request = {
        NetworkID: network.id,
        EndpointID: endpoint.id,
        Interface: { Address: endpoint.ipv4, AddressIPv6: endpoint.ipv6, MacAddress: endpoint.mac },
        Options: {
          ...createOptions(context, sandbox, network, endpoint),
          ...(knowsEndpointNames ? { [netlabel.endpointName]: endpointName(sandbox, endpoint) } : {}),
          ...(tellsNames ? { [netlabel.endpointNames]: endpoint.dnsNames } : {}),
        },
      };
      if (tellsNames) {
        endpoint.namesTold = true;
        // The driver may share names only since its last upgrade.
        void context.elsewhere.consider(network);
      }
      return driver.CreateEndpoint(request, calls);
    }).catch((error: unknown) => {
      throw inContext(error, `failed to create endpoint ${sandbox.containerName} on network ${network.name}`);
    });
    if (!created.Interface) return;
    const said = new Answer(network.driver, 'NetworkDriver.CreateEndpoint');
    const { ipv4, ipv6, mac } = said.filledIn(created.Interface, endpoint);
    endpoint.ipv4 = ipv4;
    endpoint.ipv6 = ipv6;
    endpoint.mac = mac;
  });
}

/**
 * Has a driver make a step. A kill of the engine meanwhile leaves a record that says "everything may be done"; a step
 * that the driver certainly did not do needs not be taken back.
 */
async function asStage(
  context: Pick<NetworksContext, 'save'>,
  sandbox: SandboxRecord,
  endpoint: EndpointRecord,
  stage: EndpointRecord['stage'],
  step: () => Promise<void>,
): Promise<void> {
  const { stage: before } = endpoint;
  if (before === 'addressed') {
    endpoint.stage = 'joined';
    context.save(sandbox);
  }
  endpoint.stage = stage;
  try {
    await step();
  } catch (error) {
    if (!outcomeUnknown(error) && !isClass(error, 'Cancelled')) endpoint.stage = before;
    throw error;
  }
}

/** The same error, with what was being done. */
function inContext(cause: unknown, doing: string): unknown {
  if (!(cause instanceof CleatError)) return cause;
  return new CleatError(cause.class, `${doing}: ${cause.message}`, { cause, details: cause.details });
}

/**
 * Has the driver join the endpoint to the sandbox.
 * @param sandboxPid a process in its namespace, for drivers that make their interface there; 0: there is none
 */
export async function joinEndpoint(
  context: NetworksContext,
  sandbox: SandboxRecord,
  endpoint: EndpointRecord,
  sandboxPid: number,
): Promise<Joined> {
  const result: Joined = { endpoint, routes: [], inSandbox: false };
  // Before a driver makes anything.
  refuseTaken(sandbox, endpoint, wantedName(endpoint.requested));
  await asStage(context, sandbox, endpoint, 'joined', async () => {
    const calls = context.callOptions(sandbox);
    const driver = await context.drivers.network(endpoint.driver, calls);
    const { joinsInSandbox, linksDieWithSandbox, servesPublishedPorts } = await context.drivers.networkCapabilities(
      endpoint.driver,
    );
    const request = {
      NetworkID: endpoint.networkId,
      EndpointID: endpoint.id,
      SandboxKey: sandbox.path,
      Options: {
        ...portOptions(sandbox),
        ...(joinsInSandbox && sandboxPid > 0 ? { [netlabel.sandboxPid]: sandboxPid } : {}),
      },
    };
    const joined = await driver.Join(request, calls);
    endpoint.linkDies = linksDieWithSandbox;
    if (servesPublishedPorts) endpoint.showsPorts = true;
    const said = new Answer(endpoint.driver, 'NetworkDriver.Join');
    const { SrcName = '', DstPrefix, DstName, InSandbox } = joined.InterfaceName ?? {};
    result.inSandbox = joinsInSandbox && (InSandbox ?? false);
    if (SrcName) {
      const wanted = freeName(sandbox, endpoint, wantedName(endpoint.requested) || (DstName ?? ''), DstPrefix || 'eth');
      const inside = said.interfaceName(wanted, 'the name inside');
      const name = said.interfaceName(SrcName, 'the interface');
      if (!result.inSandbox) context.links.claim(name, { sandbox, endpoint });
      else if (isTaken(sandbox, endpoint, name)) throw said.wrong(`the interface ${name}, which is not its own`);
      endpoint.dstName = inside;
      endpoint.srcName = name;
    }
    const network = context.registry.byId(endpoint.networkId);
    endpoint.gateway = said.address(joined.Gateway ?? '', 'the gateway', 4);
    if (network) endpoint.gateway = gatewayOverride(network) || endpoint.gateway;
    const six = said.address(joined.GatewayIPv6 ?? '', 'the IPv6 gateway', 6);
    endpoint.gateway6 = endpoint.ipv6 ? (network && gatewayOverride6(network)) || six : '';
    endpoint.gatewayDisabled = joined.DisableGatewayService ?? false;
    const routes = said.routes(joined.StaticRoutes ?? [], endpoint);
    const leadsTo = (destination: string) => routes.filter((route) => route.destination === destination);
    const everywhere = [...leadsTo('0.0.0.0/0'), ...leadsTo('::/0')];
    endpoint.defaultRoute = leadsTo('0.0.0.0/0').length > 0;
    endpoint.defaultRoute6 = leadsTo('::/0').length > 0;
    if (everywhere.length > 0) endpoint.everywhere = everywhere;
    result.routes = routes.filter((route) => !everywhere.includes(route));
  });
  return result;
}

async function takeAddresses(
  context: NetworksContext,
  sandbox: SandboxRecord,
  network: NetworkRecord,
  endpoint: EndpointRecord,
): Promise<void> {
  if (network.v4.length + network.v6.length === 0) return;
  const calls = context.callOptions(sandbox);
  await context.drivers.ipam(network.ipam.driver, calls);
  // A driver that has just come is told first what is in use, and what no longer is.
  await context.replaying.get(network.ipam.driver);
  await context.outbox.settle(network.ipam.driver);
  const capabilities = await context.drivers.ipamCapabilities(network.ipam.driver);
  if (capabilities.requiresMac) endpoint.mac ||= lastingMac(sandbox, endpoint);
  const options = addressOptions(sandbox, endpoint, sandbox.containerName, capabilities);
  if (capabilities.knowsHolders) {
    endpoint.asking = true;
    context.save(sandbox);
  }
  const { IPv4Address = '', IPv6Address = '' } = endpoint.requested.IPAMConfig ?? {};
  const take = async (six: boolean, address: string) => {
    const taken = await takeFreeAddress(context, network, { six, address, options, calls });
    if (taken.address) endpoint.pools.push(taken);
    return taken.address;
  };
  if (network.v4.length > 0 && !endpoint.ipv4) endpoint.ipv4 = await take(false, IPv4Address);
  const six = !sandbox.withoutIPv6 && !switchesIPv6Off(endpoint.requested);
  if (six && network.v6.length > 0 && !endpoint.ipv6) {
    context.save(sandbox);
    endpoint.ipv6 = await take(true, IPv6Address);
  }
  delete endpoint.asking;
}

/**
 * Locally administered and for one receiver only; the same at each start of the container, because a DHCP server knows the
 * container again by it.
 */
function lastingMac({ containerId }: SandboxRecord, { networkId }: EndpointRecord): string {
  const digest = createHash('sha256').update(`${containerId} ${networkId}`).digest('hex');
  return dockerMac(digest);
}

/** `--default-gateway`, `--default-gateway-v6`. */
const gatewayOverride = (network: NetworkRecord): string =>
  network.v4.map(({ aux }) => aux[gatewayAux.four] ?? '').find(Boolean) ?? '';
const gatewayOverride6 = (network: NetworkRecord): string =>
  network.v6.map(({ aux }) => aux[gatewayAux.six] ?? '').find(Boolean) ?? '';

/** Ports are of no use on an internal network, and only one network is to publish them. */
function createOptions(
  context: Pick<NetworksContext, 'config' | 'registry'>,
  sandbox: SandboxRecord,
  network: NetworkRecord,
  endpoint: EndpointRecord,
): Record<string, unknown> {
  const { DriverOpts, MacAddress } = endpoint.requested;
  const others = sandbox.endpoints.filter((other) => other !== endpoint);
  const dns = sandbox.dns.length > 0 ? sandbox.dns : context.config.dns;
  return {
    ...DriverOpts,
    ...(network.internal || others.some((other) => mayPublish(context, sandbox, other)) ? {} : portOptions(sandbox)),
    ...(network.internal || dns.length === 0 ? {} : { [netlabel.dnsServers]: dns }),
    // As Go writes bytes.
    ...(MacAddress
      ? { [netlabel.macAddress]: Buffer.from(MacAddress.replace(/[:.-]/g, ''), 'hex').toString('base64') }
      : {}),
  };
}

/** It said that it does, or has not been asked yet. */
function mayPublish(
  context: Pick<NetworksContext, 'registry'>,
  { exposedPorts }: SandboxRecord,
  other: EndpointRecord,
): boolean {
  if (exposedPorts.length === 0 || context.registry.byId(other.networkId)?.internal) return false;
  return other.ports.length > 0 || !other.published;
}

/** A sandbox's ports for a driver. */
export function portOptions(sandbox: SandboxRecord): Record<string, unknown> {
  return {
    [netlabel.portMap]: sandbox.requestedPorts,
    [netlabel.exposedPorts]: sandbox.exposedPorts.map(parsePort),
  };
}
