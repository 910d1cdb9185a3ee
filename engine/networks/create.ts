import type { IpamConfig, NetworkCreateRequest } from '@cleat/protocol/api/network';
import { formatBlock, parseCidr } from '@cleat/protocol/cidr';
import { CleatError, forbidden, notFound } from '@cleat/protocol/errors';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import { outcomeUnknown } from '@cleat/protocol/kinds/kind';
import { type NetworkId, type NetworkName, newId } from '../ids.js';
import { goTime, nowNanos } from '../time.js';
import { poolRelease, takePool, unknownPoolRelease } from './addresses.js';
import { allocate } from './allocate.js';
import { checkCreation } from './check-creation.js';
import { configurationFor, refuseConfigurationInUse } from './config-network.js';
import type { NetworksContext } from './context.js';
import { networkRequest, poolOptions } from './driver-request.js';
import { withDefaults } from './network-defaults.js';
import type { DriverMessage, NetworkCall } from './outbox.js';
import type { NetworkRecord } from './record.js';
import { endpointName, isPredefined } from './resource.js';

/** Settings of a predefined network, beyond those of a request. */
export interface CreateOptions {
  predefined?: boolean;
  madeFrom?: string;
  /** An event tells of it. */
  told?: boolean;
}

/** The parts for making a network, step by step. */
type Making = Pick<NetworksContext, 'building' | 'drivers' | 'outbox'>;

/**
 * Makes a network: address pools first, then the driver's own part; what fails is undone.
 * @throws Conflict `network with name X already exists`, Forbidden, InvalidParameter, NotFound for an unknown driver
 */
export async function createNetwork(
  context: NetworksContext,
  asked: NetworkCreateRequest,
  options: CreateOptions = {},
): Promise<NetworkRecord> {
  const request = options.predefined ? asked : withDefaults(context, asked);
  const name = request.Name?.trim() ?? '';
  checkCreation(context, name, request, options.predefined ?? false);
  const template = configurationFor(context, request);
  // A second request for the same name, while this one is on its way, must lose.
  context.creating.add(name);
  try {
    const record = await prepare(context, name, request, template, options);
    if (!record.configOnly) await build(context, record, template?.ipam.config ?? request.IPAM?.Config ?? []);
    context.events.together(() => {
      if (options.told) context.emit('create', record);
      context.registry.put(record);
    });
    context.building.delete(record.id);
    return record;
  } finally {
    context.creating.delete(name);
  }
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
  if (request.Scope === 'local' && said?.scope === 'global') {
    throw forbidden(`cannot downgrade network scope for ${driver} networks`);
  }
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
    await allocate(context, record);
    asked = true;
    await driver.CreateNetwork(networkRequest(record));
  } catch (error) {
    await context.outbox.send([networkRemoval(record, asked && outcomeUnknown(error))]);
    await context.outbox.send(poolReleases(record));
    context.building.delete(record.id);
    throw error;
  }
}

/** @param created false: the driver certainly did not make it, so only what it reserved before is given back */
function networkRemoval({ id, name, driver, allocation }: NetworkRecord, created = true): DriverMessage {
  const request = { NetworkID: id };
  const calls: NetworkCall[] = [
    ...(created ? [{ method: 'DeleteNetwork', request } as const] : []),
    ...(allocation ? [{ method: 'FreeNetwork', request } as const] : []),
  ];
  return { id: `network ${id}`, extension: driver, about: `the network ${name}`, calls };
}

const poolReleases = (record: NetworkRecord): DriverMessage[] => [
  ...[...record.v4, ...record.v6].map((pool) => poolRelease(record, pool)),
  ...(record.asking ? [unknownPoolRelease(record)] : []),
];

/** Takes away what a creation or a removal left that a kill of the engine cut short. */
export async function clearUnfinished(
  context: Pick<NetworksContext, 'building' | 'emit' | 'events' | 'outbox' | 'registry'>,
): Promise<void> {
  for (const [id, record] of context.building.entries()) {
    if (context.registry.byId(record.id)) {
      context.building.delete(id);
      continue;
    }
    await context.outbox.send([...poolReleases(record), networkRemoval(record)]);
    forgetUnfinished(context, record);
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
  const own: Record<string, string> = capabilities.knowsHolders ? { [ipamOption.holder]: record.id } : {};
  const sixOf = (config: IpamConfig) => config.Subnet?.includes(':') ?? false;
  const effective: IpamConfig[] = [];
  for (const six of [false, true]) {
    const asked = configs.filter((config) => Boolean(config.Subnet) && sixOf(config) === six);
    if (!(six ? record.enableIPv6 : record.enableIPv4)) {
      // Shown as it was given: clients compare that with what they would ask for.
      effective.push(...asked);
      continue;
    }
    for (const config of asked.length > 0 ? asked : [{}]) {
      const options = poolOptions(record, capabilities);
      const skipGateway = six ? skip6 : skip4;
      const list = six ? record.v6 : record.v4;
      const { driver } = record.ipam;
      const requested = { driver, addressSpace, options, own, six, config, skipGateway, others: [...list] };
      const pool = await takePool(context.drivers, context.outbox, requested, (taken) => {
        if (!list.includes(taken)) list.push(taken);
        context.building.put(record.id, record);
      });
      const gateway = pool.gateway.split('/')[0];
      // The user's word, unless the driver insists on another pool.
      const Subnet =
        config.Subnet && formatBlock(parseCidr(config.Subnet).block) === pool.pool ? config.Subnet : pool.pool;
      effective.push({ ...config, Subnet, ...(gateway ? { Gateway: gateway } : {}) });
    }
  }
  record.ipam.config = effective;
  delete record.asking;
}

async function gatewayChecks(context: Pick<NetworksContext, 'drivers'>, record: NetworkRecord) {
  const [{ spaces }, { checksGateway }] = await Promise.all([
    context.drivers.ipamCapabilities(record.ipam.driver),
    context.drivers.networkCapabilities(record.driver),
  ]);
  const addressSpace = spaces[record.scope === 'global' ? 'global' : 'local'];
  if (!checksGateway) return { addressSpace, skip4: false, skip6: false };
  const driver = await context.drivers.network(record.driver);
  const said = await driver.GwAllocCheck({ Options: networkRequest(record).Options });
  return { addressSpace, skip4: said?.SkipIPv4 ?? false, skip6: said?.SkipIPv6 ?? false };
}

/** Names of the auxiliary addresses that override the containers' gateways (moby `drivers/bridge/labels.go`). */
export const gatewayAux = { four: 'DefaultGatewayIPv4', six: 'DefaultGatewayIPv6' } as const;

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
  // Docker tells of a configuration's beginning alone.
  if (record.configOnly) return context.registry.delete(record.id);
  await context.outbox.settle(record.driver);
  // Meanwhile somebody may have removed it, or joined it.
  if (!context.registry.byId(record.id)) throw notFound(`network ${record.name} not found`);
  refuseActive(context, record);
  // As far as it has come, a kill of the engine cannot undo it.
  const leaving: NetworkRecord = { ...record, ...(!predefined && { leaving: true }) };
  context.building.put(record.id, leaving);
  context.registry.delete(record.id);
  context.elsewhere.forget(record.id);
  await context.outbox.send(poolReleases(record));
  await context.outbox.send([networkRemoval(record)]);
  forgetUnfinished(context, leaving);
}

/** A network that was to leave has left: that is told now. */
function forgetUnfinished(context: Pick<NetworksContext, 'building' | 'emit' | 'events'>, record: NetworkRecord): void {
  context.events.together(() => {
    if (record.leaving) context.emit('destroy', record);
    context.building.delete(record.id);
  });
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
