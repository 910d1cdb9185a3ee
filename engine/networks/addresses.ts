import { usedBlocks } from '@cleat/linux/net/facts';
import type { IpamConfig } from '@cleat/protocol/api/network';
import {
  type Block,
  contains,
  formatAddress,
  formatBlock,
  overlaps,
  parseAddress,
  parseCidr,
  tryParseAddress,
} from '@cleat/protocol/cidr';
import { CleatError, unavailable } from '@cleat/protocol/errors';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import type { CallOptions } from '@cleat/protocol/kinds/kind';
import { abortable } from '../async/abortable.js';
import { saysExhausted } from '../driver-prose.js';
import { newId } from '../ids.js';
import { Answer } from './answers.js';
import type { Drivers } from './drivers.js';
import type { AddressCall, DriverMessage, NetworkOutbox } from './outbox.js';
import type { NetworkRecord, PoolRecord } from './record.js';

/** How often a driver that does not know what the host uses is asked for another pool. */
const maxTries = 16;

export interface RequestedPool {
  driver: string;
  addressSpace: string;
  options: Record<string, string> | null;
  /** For the addresses that the network itself has: of a driver that knows holders, that it is for the network. */
  own: Record<string, string>;
  six: boolean;
  config: IpamConfig;
  /** Pools that the network has already. */
  others: readonly PoolRecord[];
  /** The driver allocates no gateway of its own here. */
  skipGateway: boolean;
}

/**
 * Takes a pool, with its gateway and auxiliary addresses.
 * @param kept what was taken so far, after every step: the undo finds what there is
 * @throws what the IPAM driver says, for example `Pool overlaps with other one on this address space`
 */
export async function takePool(
  drivers: Drivers,
  outbox: NetworkOutbox,
  requested: RequestedPool,
  kept: (pool: PoolRecord) => void,
): Promise<PoolRecord> {
  const { pool, data } = await requestPool(drivers, outbox, requested);
  const record: PoolRecord = { ...pool, gateway: '', gatewayTaken: false, aux: {} };
  kept(record);
  const request = (address: string, options: Record<string, string> | null) =>
    requestAddress(drivers, outbox, requested.driver, pool, { address, options });
  const given = data[ipamOption.gatewayType];
  if (given && !requested.config.Gateway) {
    // On a routed network it need not be within the pool: 169.254.1.1, for example.
    record.gateway = new Answer(requested.driver, 'IpamDriver.RequestPool').interfaceAddress(
      given,
      requested.six ? 6 : 4,
    );
  } else if (!requested.skipGateway || requested.config.Gateway) {
    const gateway = requested.config.Gateway ?? '';
    const asked = request(gateway, { [ipamOption.requestAddressType]: ipamOption.gatewayType, ...requested.own });
    record.gateway = await asked.catch((error: unknown) => {
      throw rewritten(error, `failed to allocate gateway (${gateway})`);
    });
    record.gatewayTaken = record.gateway !== '';
    kept(record);
  }
  for (const [name, address] of Object.entries(
    requested.config.AuxiliaryAddresses ?? requested.config.AuxAddress ?? {},
  )) {
    await request(address, Object.keys(requested.own).length > 0 ? requested.own : null).catch((error: unknown) => {
      throw rewritten(error, `failed to allocate secondary ip address (${name}:${address})`);
    });
    record.aux[name] = address;
    kept(record);
  }
  return record;
}

/**
 * One address of a pool, as CIDR. An answer that makes no sense, or comes too late, is given back.
 * @returns empty when the pool stands for everything and its driver gives no addresses, as libnetwork's `null`
 */
async function requestAddress(
  drivers: Drivers,
  outbox: NetworkOutbox,
  driver: string,
  { id: PoolID, pool }: Pick<PoolRecord, 'id' | 'pool'>,
  requested: { address: string; options: Record<string, string> | null; calls?: CallOptions },
): Promise<string> {
  const ipam = await drivers.ipam(driver, requested.calls);
  const release = async (text: string) => {
    const address = tryParseAddress(text.split('/')[0] ?? '');
    if (address)
      await outbox.send([addressRelease(driver, newId(), [{ id: PoolID, address: formatAddress(address) }])]);
  };
  // Not ended by the signal: the driver may have taken an address by then, and only its answer says which.
  const asked = ipam.RequestAddress({ PoolID, Address: requested.address, Options: requested.options });
  outbox.holdPool(driver, PoolID, asked);
  const { signal } = requested.calls ?? {};
  const { Address } = signal ? await abortable(asked, signal, (late) => release(late.Address)) : await asked;
  if (!Address && !requested.address && isEverything(pool)) return '';
  try {
    const said = new Answer(driver, 'IpamDriver.RequestAddress');
    const given = said.addressIn(pool, Address);
    if (requested.address && !isSameAddress(given, requested.address)) {
      throw said.wrong(`the address ${given}, where it was asked for ${requested.address}`);
    }
    return given;
  } catch (error) {
    await release(Address);
    throw error;
  }
}

const isSameAddress = (cidr: string, address: string): boolean =>
  parseCidr(cidr).address.value === parseAddress(address).value;

/** Calls that give addresses of an endpoint back. @param of tells it from others' */
export function addressRelease(
  driver: string,
  of: string,
  addresses: readonly { id: string; address: string }[],
): DriverMessage {
  const calls = addresses.map(
    ({ id, address }): AddressCall => ({
      method: 'ReleaseAddress',
      request: { PoolID: id, Address: address.split('/')[0] ?? '' },
    }),
  );
  const about = `the address ${addresses.map(({ address }) => address.split('/')[0]).join(' and ')}`;
  return { id: `addresses ${of}`, extension: driver, about, calls };
}

/** Calls that give back all addresses of an endpoint, by a driver that knows holders. */
export function unknownAddressRelease({ ipam, v4, v6 }: NetworkRecord, endpoint: string): DriverMessage {
  const Options = { [ipamOption.holder]: endpoint };
  const calls = [...v4, ...v6].map(
    ({ id }): AddressCall => ({ method: 'ReleaseAddress', request: { PoolID: id, Address: '', Options } }),
  );
  const about = 'an address that an endpoint may have been given';
  return { id: `holder ${endpoint}`, extension: ipam.driver, about, calls };
}

/** Calls that give back all pools of a network, by a driver that knows holders. */
export function unknownPoolRelease({ id, name, ipam }: NetworkRecord): DriverMessage {
  const request = { PoolID: '', Options: { [ipamOption.holder]: id } };
  return {
    id: `holder ${id}`,
    extension: ipam.driver,
    about: `a pool that network ${name} may have been given`,
    calls: [{ method: 'ReleasePool', request }],
  };
}

/** The same error with Docker's words before it. */
function rewritten(cause: unknown, before: string): unknown {
  if (!(cause instanceof CleatError)) return cause;
  return new CleatError(cause.class, `${before}: ${cause.message}`, { cause, details: cause.details });
}

/**
 * An engine that is killed between the driver's answer and the network's record leaves the pool with a driver that keeps
 * its own books: only the answer has the pool's ID, and the protocol has neither a key that the engine could choose
 * beforehand and ask with again, nor a list of pools to compare.
 */
async function requestPool(drivers: Drivers, outbox: NetworkOutbox, requested: RequestedPool) {
  const driver = await drivers.ipam(requested.driver);
  const { avoidsBlocksInUse, spaces } = await drivers.ipamCapabilities(requested.driver);
  const explicit = Boolean(requested.config.Subnet);
  // Moby's rule: pools of a cluster's space, or of a network that others rule, may be what this host is in already.
  const own = !explicit && requested.addressSpace !== spaces.global;
  const used = own ? usedBlocks() : [];
  const inUse = { [ipamOption.inUse]: used.map(formatBlock).join(',') };
  const rejected: string[] = [];
  try {
    for (let tries = 0; tries < maxTries; tries++) {
      const answer = await driver.RequestPool({
        AddressSpace: requested.addressSpace,
        Pool: requested.config.Subnet ?? '',
        SubPool: requested.config.IPRange ?? '',
        Options: { ...requested.options, ...(avoidsBlocksInUse && own ? inUse : {}) },
        V6: requested.six,
      });
      const pool = await poolOf(outbox, requested, answer);
      if (!own || isEverything(pool.pool) || free(pool.pool, used)) return { pool, data: answer.Data ?? {} };
      // Kept until the end, so that the driver's next answer is another one.
      rejected.push(pool.id);
    }
    throw unavailable(
      `IPAM driver ${requested.driver} offers only address pools that this host uses already: give a subnet`,
    );
  } finally {
    await outbox.send(rejected.map((id) => poolMessage(requested.driver, newId(), id)));
  }
}

/** A pool that makes no sense is given back. */
async function poolOf(outbox: NetworkOutbox, requested: RequestedPool, answer: { PoolID: string; Pool: string }) {
  const id = answer.PoolID;
  try {
    const said = new Answer(requested.driver, 'IpamDriver.RequestPool');
    const pool = said.pool(answer.Pool);
    if (pool.includes(':') !== requested.six) throw said.wrong(`the pool ${pool}, which is of the wrong family`);
    const other = isEverything(pool) ? undefined : requested.others.find((known) => !free(known.pool, [blockIn(pool)]));
    if (other) throw said.wrong(`the pool ${pool}, which overlaps with ${other.pool} of the same network`);
    return { id, pool };
  } catch (error) {
    const isHeld = requested.others.some((known) => known.id === id);
    if (!isHeld) await outbox.send([poolMessage(requested.driver, newId(), id)]);
    throw error;
  }
}

/** No subnet at all: the driver gives single addresses, and others route them (moby `daemon/libnetwork/network.go`). */
const isEverything = (cidr: string): boolean => parseCidr(cidr).block.prefix === 0;

const free = (cidr: string, used: readonly Block[]): boolean => !used.some((block) => overlaps(block, blockIn(cidr)));

const blockIn = (cidr: string): Block => parseCidr(cidr).block;

/** Calls that give a network's pool back, with all addresses that the network itself holds. */
export function poolRelease(network: NetworkRecord, pool: PoolRecord): DriverMessage {
  const own = [...(pool.gatewayTaken ? [pool.gateway.split('/')[0] ?? ''] : []), ...Object.values(pool.aux)];
  const unknown = { PoolID: pool.id, Address: '', Options: { [ipamOption.holder]: network.id } };
  return {
    ...poolMessage(network.ipam.driver, network.id, pool.id),
    calls: [
      ...own.map((Address): AddressCall => ({ method: 'ReleaseAddress', request: { PoolID: pool.id, Address } })),
      ...(network.asking ? [{ method: 'ReleaseAddress', request: unknown } as const] : []),
      { method: 'ReleasePool', request: { PoolID: pool.id } },
    ],
  };
}

const poolMessage = (driver: string, of: string, id: string): DriverMessage => ({
  id: `pool ${of} ${id}`,
  extension: driver,
  about: `the address pool ${id}`,
  calls: [{ method: 'ReleasePool', request: { PoolID: id } }],
});

/**
 * Takes an address for an endpoint. @returns it as CIDR, with the pool that it is from; empty: see {@link requestAddress}
 * @param options of the request, such as the endpoint's MAC address
 * @throws Unavailable `no available IPv4 addresses on this network's address pools: NAME (ID)`
 */
export async function takeAddress(
  drivers: Drivers,
  outbox: NetworkOutbox,
  network: NetworkRecord,
  requested: { six: boolean; address: string; options: Record<string, string>; calls: CallOptions },
): Promise<{ id: string; address: string }> {
  const { six, address, options, calls } = requested;
  const all = six ? network.v6 : network.v4;
  const pools = address ? all.filter(({ pool }) => holds(pool, address)) : all;
  let failure: unknown;
  for (const pool of pools) {
    try {
      const asked = { address, options, calls };
      return { id: pool.id, address: await requestAddress(drivers, outbox, network.ipam.driver, pool, asked) };
    } catch (error) {
      failure = error;
      // Another pool of the network may have one.
      if (address || !saysExhausted(error)) throw error;
    }
  }
  throw unavailable(
    `no available IPv${six ? 6 : 4} addresses on this network's address pools: ${network.name} (${network.id})`,
    { cause: failure },
  );
}

const holds = (pool: string, address: string): boolean => contains(parseCidr(pool).block, parseAddress(address));
