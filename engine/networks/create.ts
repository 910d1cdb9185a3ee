import type { IpamConfig, NetworkCreateRequest } from '@cleat/protocol/api/network';
import { notManager } from '@cleat/protocol/api/swarm';
import { contains, formatBlock, overlaps, parseCidr, tryParseAddress } from '@cleat/protocol/cidr';
import { CleatError, conflict, forbidden, invalidParameter, notFound } from '@cleat/protocol/errors';
import { outcomeUnknown } from '@cleat/protocol/kinds/kind';
import { netlabel } from '@cleat/protocol/kinds/network';
import { type NetworkId, type NetworkName, newId } from '../ids.js';
import { refuseLargeRecord } from '../store/record-size.js';
import { goTime, nowNanos } from '../time.js';
import { poolRelease, takePool, unknownPoolRelease } from './addresses.js';
import { configurationFor, refuseConfigurationInUse } from './config-network.js';
import type { NetworksContext } from './context.js';
import { networkRequest, poolOptions } from './driver-request.js';
import type { DriverMessage } from './outbox.js';
import type { NetworkRecord } from './record.js';
import { endpointName, isPredefined } from './resource.js';

/** Settings of a predefined network, beyond those of a request. */
export interface CreateOptions {
  predefined?: boolean;
  madeFrom?: string;
}

/** The parts for making a network, step by step. */
type Making = Pick<NetworksContext, 'building' | 'drivers' | 'outbox'>;

/**
 * Makes a network: address pools first, then the driver's own part; what fails is undone.
 * @throws Conflict `network with name X already exists`, Forbidden, InvalidParameter, NotFound for an unknown driver
 */
export async function createNetwork(
  context: NetworksContext,
  request: NetworkCreateRequest,
  options: CreateOptions = {},
): Promise<NetworkRecord> {
  const name = request.Name?.trim() ?? '';
  checkRequest(context, name, request, options);
  const template = configurationFor(context, request);
  // A second request for the same name, while this one is on its way, must lose.
  context.creating.add(name);
  try {
    const record = await prepare(context, name, request, template, options);
    if (!record.configOnly) await build(context, record, template?.ipam.config ?? request.IPAM?.Config ?? []);
    context.registry.put(record);
    context.building.delete(record.id);
    return record;
  } finally {
    context.creating.delete(name);
  }
}

function checkRequest(
  context: Pick<NetworksContext, 'creating' | 'registry'>,
  name: string,
  request: NetworkCreateRequest,
  options: CreateOptions,
): void {
  if (!name) throw invalidParameter('invalid name: name is empty');
  refuseLargeRecord('the network', request);
  if (!options.predefined && isPredefined(name)) {
    throw forbidden(`operation is not permitted on predefined ${name} network `);
  }
  if (context.registry.byName(name) || context.creating.has(name)) {
    throw conflict(`network with name ${name} already exists`);
  }
  if (request.Scope === 'swarm' || request.Ingress) {
    throw forbidden(notManager);
  }
  const ipv4 = request.EnableIPv4 ?? true;
  if (!ipv4 && !request.EnableIPv6) throw invalidParameter('IPv4 or IPv6 must be enabled');
  checkIpam(request.IPAM?.Config ?? [], request.EnableIPv6 ?? false);
}

/** As moby `daemon/network.go` checks it. @throws InvalidParameter with all complaints, one a line */
function checkIpam(configs: readonly IpamConfig[], six: boolean): void {
  const complaints: string[] = [];
  for (const config of configs) {
    if (!config.Subnet) {
      if (config.Gateway || config.IPRange)
        complaints.push('every ip-range or gateway must have a corresponding subnet');
      continue;
    }
    const { block, address } = parseCidr(config.Subnet);
    if (block.family === 6 && !six) continue;
    if (address.value !== block.value)
      complaints.push(`invalid subnet ${config.Subnet}: it should be ${formatBlock(block)}`);
    if (config.IPRange) {
      const range = parseCidr(config.IPRange);
      const text = `invalid ip-range ${config.IPRange}:`;
      if (range.block.family !== block.family) complaints.push(`${text} parent subnet is an IPv${block.family} block`);
      else {
        if (range.block.prefix < block.prefix) {
          complaints.push(`${text} CIDR block is bigger than its parent subnet ${config.Subnet}`);
        }
        if (range.address.value !== range.block.value) {
          complaints.push(`${text} it should be ${formatBlock(range.block)}`);
        }
        if (!overlaps(block, range.block)) {
          complaints.push(`${text} parent subnet ${config.Subnet} doesn't contain ip-range`);
        }
      }
    }
    const auxiliary = Object.entries(config.AuxiliaryAddresses ?? config.AuxAddress ?? {});
    const named = [['gateway', config.Gateway ?? ''], ...auxiliary.map(([k, v]) => [`auxiliary address ${k}`, v])];
    for (const [what, text] of named) {
      if (!text) continue;
      const parsed = tryParseAddress(text);
      const reason = !parsed
        ? 'not an IP address'
        : parsed.family !== block.family
          ? `parent subnet is an IPv${block.family} block`
          : contains(block, parsed)
            ? ''
            : `parent subnet ${config.Subnet} doesn't contain this address`;
      if (reason) complaints.push(`invalid ${what === 'gateway' ? `gateway ${text}` : what}: ${reason}`);
    }
  }
  if (complaints.length > 0) throw invalidParameter(`invalid network config:\n${complaints.join('\n')}`);
}

async function prepare(
  context: Pick<NetworksContext, 'config' | 'drivers' | 'registry'>,
  name: string,
  request: NetworkCreateRequest,
  template: NetworkRecord | undefined,
  options: CreateOptions,
): Promise<NetworkRecord> {
  const driver = request.ConfigOnly
    ? 'null'
    : context.drivers.networkName(request.Driver || context.config.defaultNetworkDriver);
  const said = request.ConfigOnly ? undefined : await context.drivers.networkCapabilities(driver);
  const only = context.registry.all().find((network) => network.driver === driver && !network.configOnly);
  if (said && said.sandbox !== 'own' && only) {
    throw forbidden(`only one instance of "${driver}" network is allowed`);
  }
  return {
    v: 1,
    id: newId<NetworkId>(),
    name: name as NetworkName,
    driver,
    created: goTime(nowNanos()),
    scope: said?.scope ?? 'local',
    sandbox: said?.sandbox ?? 'none',
    enableIPv4: template?.enableIPv4 ?? request.EnableIPv4 ?? true,
    enableIPv6: template?.enableIPv6 ?? request.EnableIPv6 ?? false,
    internal: request.Internal ?? false,
    attachable: request.Attachable ?? false,
    ingress: false,
    configOnly: request.ConfigOnly ?? false,
    configFrom: template?.name ?? '',
    options: { ...(template?.options ?? request.Options) },
    labels: { ...template?.labels, ...request.Labels },
    ipam: {
      driver:
        template?.ipam.driver ?? context.drivers.ipamName(request.IPAM?.Driver || context.config.defaultIpamDriver),
      options: template?.ipam.options ?? request.IPAM?.Options ?? null,
      config: request.IPAM?.Config ?? [],
    },
    addressSpace: '',
    v4: [],
    v6: [],
    ...(options.madeFrom === undefined ? {} : { madeFrom: options.madeFrom }),
  };
}

/** Pools and the driver's part. The record is completed with what they gave, and kept after every step. */
async function build(context: Making, record: NetworkRecord, configs: readonly IpamConfig[]): Promise<void> {
  let asked = false;
  try {
    const driver = await context.drivers.network(record.driver);
    if (record.sandbox === 'own') await takePools(context, record, configs);
    context.building.put(record.id, record);
    await context.outbox.settle(record.driver);
    asked = true;
    await driver.CreateNetwork(networkRequest(record));
  } catch (error) {
    if (asked && outcomeUnknown(error)) await context.outbox.send([networkRemoval(record)]);
    await context.outbox.send(poolReleases(record));
    context.building.delete(record.id);
    throw error;
  }
}

const networkRemoval = ({ id, name, driver }: NetworkRecord): DriverMessage => ({
  id: `network ${id}`,
  extension: driver,
  about: `the network ${name}`,
  calls: [{ method: 'DeleteNetwork', request: { NetworkID: id } }],
});

const poolReleases = (record: NetworkRecord): DriverMessage[] => [
  ...[...record.v4, ...record.v6].map((pool) => poolRelease(record, pool)),
  ...(record.asking ? [unknownPoolRelease(record)] : []),
];

/** Takes away what a creation or a removal left that a kill of the engine cut short. */
export async function clearUnfinished(
  context: Pick<NetworksContext, 'building' | 'outbox' | 'registry'>,
): Promise<void> {
  for (const [id, record] of context.building.entries()) {
    if (!context.registry.byId(record.id)) await context.outbox.send([...poolReleases(record), networkRemoval(record)]);
    context.building.delete(id);
  }
}

async function takePools(context: Making, record: NetworkRecord, configs: readonly IpamConfig[]): Promise<void> {
  const { addressSpace, skip4, skip6 } = await gatewayChecks(context, record);
  record.addressSpace = addressSpace;
  await context.outbox.settle(record.ipam.driver);
  const capabilities = await context.drivers.ipamCapabilities(record.ipam.driver);
  if (capabilities.knowsHolders) {
    record.asking = true;
    context.building.put(record.id, record);
  }
  const sixOf = (config: IpamConfig) => config.Subnet?.includes(':') ?? false;
  const effective: IpamConfig[] = [];
  for (const six of [false, true]) {
    if (!(six ? record.enableIPv6 : record.enableIPv4)) continue;
    const own = configs.filter((config) => Boolean(config.Subnet) && sixOf(config) === six);
    for (const config of own.length > 0 ? own : [{}]) {
      const options = poolOptions(record, capabilities);
      const requested = { driver: record.ipam.driver, options, six, config, skipGateway: six ? skip6 : skip4 };
      const list = six ? record.v6 : record.v4;
      const pool = await takePool(context.drivers, context.outbox, requested, (taken) => {
        if (!list.includes(taken)) list.push(taken);
        context.building.put(record.id, record);
      });
      const gateway = pool.gateway.split('/')[0];
      effective.push({ Subnet: pool.pool, ...config, ...(gateway ? { Gateway: gateway } : {}) });
    }
  }
  record.ipam.config = effective;
  delete record.asking;
}

async function gatewayChecks(context: Pick<NetworksContext, 'drivers'>, record: NetworkRecord) {
  const [{ localSpace }, { checksGateway }] = await Promise.all([
    context.drivers.ipamCapabilities(record.ipam.driver),
    context.drivers.networkCapabilities(record.driver),
  ]);
  if (!checksGateway) return { addressSpace: localSpace, skip4: false, skip6: false };
  const driver = await context.drivers.network(record.driver);
  const said = await driver.GwAllocCheck({ Options: { [netlabel.generic]: record.options } });
  return { addressSpace: localSpace, skip4: said?.SkipIPv4 ?? false, skip6: said?.SkipIPv6 ?? false };
}

/** Names of the auxiliary address that overrides the containers' gateway (moby `daemon/libnetwork/network.go`). */
export const defaultGatewayAux = 'DefaultGatewayIPv4';

/**
 * Removes a network whose containers have all left. What its drivers cannot be told now is pending, so that a
 * network whose driver is gone can be removed, too.
 * @throws Forbidden for predefined ones, and while endpoints are active
 */
export async function removeNetwork(
  context: NetworksContext,
  record: NetworkRecord,
  predefined = false,
): Promise<void> {
  if (isPredefined(record.name) && !predefined) {
    throw forbidden(`${record.name} is a pre-defined network and cannot be removed`);
  }
  refuseActive(context, record);
  refuseConfigurationInUse(context, record);
  if (record.configOnly) return context.registry.delete(record.id);
  await context.outbox.settle(record.driver);
  // Meanwhile somebody may have removed it, or joined it.
  if (!context.registry.byId(record.id)) throw notFound(`network ${record.name} not found`);
  refuseActive(context, record);
  // As far as it has come, a kill of the engine cannot undo it.
  context.building.put(record.id, record);
  context.registry.delete(record.id);
  await context.outbox.send(poolReleases(record));
  await context.outbox.send([networkRemoval(record)]);
  context.building.delete(record.id);
}

/** @throws Forbidden while containers are on the network */
function refuseActive(context: Pick<NetworksContext, 'endpointsOn'>, record: NetworkRecord): void {
  const active = context.endpointsOn(record.id);
  if (active.length > 0) {
    const names = active.map(
      ({ sandbox, endpoint }) => `name:"${endpointName(sandbox, endpoint)}" id:"${endpoint.id.slice(0, 12)}"`,
    );
    throw forbidden(`error while removing network: network ${record.name} has active endpoints (${names.join(', ')})`);
  }
}

/** For the log: the class of a failure that start-up survives. */
export const isMissing = (error: unknown): error is CleatError =>
  error instanceof CleatError && (error.class === 'NotFound' || error.class === 'Unavailable');
