import { contains, parseCidr, tryParseAddress } from '@cleat/linux/net/cidr';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import { CleatError, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { netlabel, type PortBinding, type StaticRoute } from '@cleat/protocol/kinds/network';
import { newId, shortId } from '../ids.js';
import { takeAddress } from './addresses.js';
import { Failures } from './drivers.js';
import { mayPass } from './owed.js';
import { parsePort } from './ports.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.js';
import { isPredefined } from './resource.js';
import { withDrivers } from './restore.js';
import type { NetworkRoom } from './room.js';

/** What an endpoint needs beyond its record, until it is configured. */
export interface Joined {
  endpoint: EndpointRecord;
  routes: readonly StaticRoute[];
  /** The driver made the interface inside already. */
  inSandbox: boolean;
}

/** @throws InvalidParameter in Docker's words when the wishes cannot be met on that network */
export function checkWishes(name: string, network: NetworkRecord | undefined, wished: EndpointSettings): void {
  const { IPv4Address = '', IPv6Address = '' } = wished.IPAMConfig ?? {};
  const complaints: string[] = [];
  if (isPredefined(name)) {
    if (IPv4Address || IPv6Address) {
      complaints.push('user-specified IP address is supported on user-defined networks only');
    }
    if ((wished.Aliases?.length ?? 0) > 0) {
      complaints.push('network-scoped aliases are only supported for user-defined networks');
    }
  }
  for (const [text, family] of [
    [IPv4Address, 4],
    [IPv6Address, 6],
  ] as const) {
    if (!text) continue;
    const address = tryParseAddress(text);
    if (!address || address.family !== family) complaints.push(`invalid IPv${family} address: ${text}`);
    else if (network && ![...network.v4, ...network.v6].some(({ pool }) => contains(parseCidr(pool).block, address))) {
      complaints.push(`no configured subnet contains IP address ${text}`);
    }
  }
  if (wished.MacAddress && !/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(wished.MacAddress)) {
    complaints.push(`invalid MAC address: ${wished.MacAddress}`);
  }
  if (complaints.length > 0) throw invalidParameter(`invalid endpoint settings:\n${complaints.join('\n')}`);
}

export function newEndpoint(network: NetworkRecord, sandbox: SandboxRecord, wished: EndpointSettings): EndpointRecord {
  const named = network.sandbox === 'own' && !isPredefined(network.name);
  const names = [
    sandbox.containerName,
    ...(wished.Aliases ?? []),
    shortId(sandbox.containerId),
    ...(sandbox.hostname ? [sandbox.hostname] : []),
  ];
  return {
    id: newId(),
    networkId: network.id,
    networkName: network.name,
    driver: network.driver,
    wished,
    ipv4: '',
    ipv6: '',
    pools: [],
    mac: wished.MacAddress ?? '',
    gateway: '',
    gateway6: '',
    srcName: '',
    dstName: '',
    published: false,
    ports: [],
    dnsNames: named ? [...new Set(names)] : [],
    announced: false,
  };
}

/**
 * Takes addresses and makes the endpoint: everything that needs no namespace. The record is part of the sandbox from
 * the first step on, so whoever undoes it finds what there is.
 */
export async function createEndpoint(
  room: NetworkRoom,
  sandbox: SandboxRecord,
  network: NetworkRecord,
  endpoint: EndpointRecord,
): Promise<void> {
  const { wished } = endpoint;
  sandbox.endpoints.push(endpoint);
  if (network.sandbox === 'own') await withDrivers(room, network, () => takeAddresses(room, network, endpoint));
  room.save(sandbox);
  const driver = await room.drivers.network(network.driver);
  const ids = { NetworkID: network.id, EndpointID: endpoint.id };
  const Options = { ...wished.DriverOpts, ...portOptions(sandbox) };
  const own = network.sandbox === 'own';
  const request = {
    ...ids,
    Interface: own
      ? {
          ...(endpoint.ipv4 ? { Address: endpoint.ipv4 } : {}),
          ...(endpoint.ipv6 ? { AddressIPv6: endpoint.ipv6 } : {}),
          ...(endpoint.mac ? { MacAddress: endpoint.mac } : {}),
        }
      : null,
    Options,
  };
  const created = await withDrivers(room, network, () => driver.CreateEndpoint(request));
  // A driver may fill in what was left open, nothing else.
  endpoint.ipv4 ||= created.Interface?.Address ?? '';
  endpoint.ipv6 ||= created.Interface?.AddressIPv6 ?? '';
  endpoint.mac ||= created.Interface?.MacAddress ?? '';
}

/**
 * Has the driver join the endpoint to the sandbox.
 * @param sandboxPid a process in its namespace, for drivers that make their interface there; 0: there is none
 */
export async function joinEndpoint(
  room: NetworkRoom,
  sandbox: SandboxRecord,
  endpoint: EndpointRecord,
  sandboxPid: number,
): Promise<Joined> {
  const driver = await room.drivers.network(endpoint.driver);
  const { joinsInSandbox } = await room.drivers.networkCapabilities(endpoint.driver);
  const joined = await driver.Join({
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.id,
    SandboxKey: sandbox.path,
    Options: {
      ...endpoint.wished.DriverOpts,
      ...portOptions(sandbox),
      ...(joinsInSandbox && sandboxPid > 0 ? { [netlabel.sandboxPid]: sandboxPid } : {}),
    },
  });
  const network = room.registry.byId(endpoint.networkId);
  const { SrcName = '', DstPrefix, DstName } = joined.InterfaceName ?? {};
  endpoint.srcName = SrcName;
  endpoint.dstName = SrcName ? interfaceName(sandbox, endpoint, DstName ?? '', DstPrefix || 'eth') : '';
  endpoint.gateway = (network && gatewayOverride(network)) || (joined.Gateway ?? '');
  endpoint.gateway6 = joined.GatewayIPv6 ?? '';
  return { endpoint, routes: joined.StaticRoutes ?? [], inSandbox: joined.InterfaceName?.InSandbox ?? false };
}

async function takeAddresses(room: NetworkRoom, network: NetworkRecord, endpoint: EndpointRecord): Promise<void> {
  const { IPv4Address = '', IPv6Address = '' } = endpoint.wished.IPAMConfig ?? {};
  if (network.v4.length > 0 && !endpoint.ipv4) {
    const taken = await takeAddress(room.drivers, network, false, IPv4Address, endpoint.mac);
    endpoint.ipv4 = taken.address;
    endpoint.pools.push(taken);
  }
  if (network.v6.length > 0 && !endpoint.ipv6) {
    const taken = await takeAddress(room.drivers, network, true, IPv6Address, endpoint.mac);
    endpoint.ipv6 = taken.address;
    endpoint.pools.push(taken);
  }
}

/** `--default-gateway`. */
const gatewayOverride = (network: NetworkRecord): string =>
  network.v4.map(({ aux }) => aux.DefaultGatewayIPv4 ?? '').find(Boolean) ?? '';

function interfaceName(sandbox: SandboxRecord, endpoint: EndpointRecord, exact: string, prefix: string): string {
  if (exact) return exact;
  const used = new Set(sandbox.endpoints.filter((other) => other !== endpoint).map(({ dstName }) => dstName));
  let number = 0;
  while (used.has(`${prefix}${number}`)) number++;
  return `${prefix}${number}`;
}

function portOptions(sandbox: SandboxRecord): Record<string, unknown> {
  return {
    [netlabel.portMap]: sandbox.wishedPorts,
    [netlabel.exposedPorts]: sandbox.exposedPorts.map(parsePort),
  };
}

/** The endpoint through which a container reaches the rest of the world, and is reached by published ports. */
export function gatewayEndpoint(sandbox: SandboxRecord): EndpointRecord | undefined {
  const ways = sandbox.endpoints.filter(({ gateway, gateway6 }) => gateway || gateway6);
  const priority = ({ wished }: EndpointRecord) => wished.GwPriority ?? 0;
  const before = (a: EndpointRecord, b: EndpointRecord) =>
    priority(b) - priority(a) || (a.networkName < b.networkName ? -1 : 1);
  return ways.sort(before)[0];
}

/**
 * Has the driver publish the sandbox's ports on that endpoint, and remembers which it assigned.
 * @throws System `driver failed programming external connectivity on endpoint NAME (ID): …`
 */
export async function publishPorts(room: NetworkRoom, sandbox: SandboxRecord, endpoint: EndpointRecord): Promise<void> {
  const { servesPublishedPorts } = await room.drivers.networkCapabilities(endpoint.driver);
  // A driver of Docker's protocol is always told; one that speaks ours only when there is something to publish.
  if (servesPublishedPorts && sandbox.wishedPorts.length === 0) return;
  const driver = await room.drivers.network(endpoint.driver);
  const ids = { NetworkID: endpoint.networkId, EndpointID: endpoint.id };
  endpoint.published = true;
  try {
    await driver.ProgramExternalConnectivity({ ...ids, Options: portOptions(sandbox) });
    if (!servesPublishedPorts) return;
    const { Value } = await driver.EndpointOperInfo(ids);
    const assigned = Value?.[netlabel.portMap];
    endpoint.ports = Array.isArray(assigned) ? (assigned as PortBinding[]) : [];
  } catch (error) {
    throw systemError(
      `driver failed programming external connectivity on endpoint ${sandbox.containerName} (${endpoint.id}): ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** What of an endpoint may still be with its drivers; kept until they have taken it back. */
export type Leftover = Pick<EndpointRecord, 'id' | 'networkId' | 'driver' | 'pools' | 'published'> & {
  ipamDriver: string;
};

/** Revoke, leave, delete, give addresses back. Does all it can. @throws AggregateError */
export async function leaveEndpoint(room: NetworkRoom, leftover: Leftover): Promise<void> {
  const failures = new Failures();
  const ids = { NetworkID: leftover.networkId, EndpointID: leftover.id };
  await failures.attempt(async () => {
    const driver = await room.drivers.network(leftover.driver);
    if (leftover.published) await failures.attempt(() => driver.RevokeExternalConnectivity(ids));
    await failures.attempt(() => gone(driver.Leave(ids)));
    await failures.attempt(() => gone(driver.DeleteEndpoint(ids)));
  });
  for (const { id, address } of leftover.pools) {
    await failures.attempt(async () => {
      const driver = await room.drivers.ipam(leftover.ipamDriver);
      await gone(driver.ReleaseAddress({ PoolID: id, Address: address.split('/')[0] ?? '' }));
    });
  }
  failures.raise();
}

/**
 * {@link leaveEndpoint}, once more. What drivers refuse of a network that is gone they will never take back.
 * @throws AggregateError
 */
export async function giveBack(room: NetworkRoom, leftover: Leftover): Promise<void> {
  try {
    await leaveEndpoint(room, leftover);
  } catch (error) {
    if (mayPass(error) || room.registry.byId(leftover.networkId)) throw error;
  }
}

/** What the driver does not know of any more needs no removal. */
async function gone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof CleatError && error.class === 'NotFound')) throw error;
  }
}
