import { type Block, formatAddress, parseCidr } from '@cleat/protocol/cidr';
import { type ipamKind, ipamOption } from '@cleat/protocol/kinds/ipam';
import { netlabel } from '@cleat/protocol/kinds/network';
import { dockerMac } from '@cleat/protocol/mac';
import type { Static } from '@cleat/protocol/schema';
import { freshBlock, isCidr } from '../../verify/blocks.js';
import { Finding, type Said } from '../../verify/finding.js';
import { Inapplicable, type Trial } from '../../verify/trial.js';

export type IpamTrial = Trial<typeof ipamKind>;
type Message<M extends keyof (typeof ipamKind)['methods']> = Static<(typeof ipamKind.methods)[M]['request']>;

/** A pool as the plugin answered it. */
export interface Pool {
  readonly id: string;
  readonly block: Block;
  readonly data: Readonly<Record<string, string>>;
  /** Addresses that it gave, without their mask, until they are released. */
  readonly given: Set<string>;
  /** It need not be released at the end. */
  released: boolean;
}

/** The author's options for a pool; null, as dockerd sends it, when a user gives none. */
const options = (trial: IpamTrial): Record<string, string> | null =>
  trial.session.settings.ipamOptions ? { ...trial.session.settings.ipamOptions } : null;

/** The rest of a request for a pool. */
export interface PoolRequest {
  readonly SubPool?: string;
  readonly V6?: boolean;
  /** Beside the author's. */
  readonly Options?: Record<string, string>;
  /** Scope of the network; default: local. */
  readonly scope?: 'local' | 'global';
}

/** RequestPool as engines send it. @param requested CIDR, or empty: the plugin chooses */
export async function poolRequest(
  trial: IpamTrial,
  requested: string,
  { SubPool = '', V6 = false, Options, scope }: PoolRequest = {},
): Promise<Message<'RequestPool'>> {
  const spaces = await trial.succeeds('GetDefaultAddressSpaces', {}, 'its address spaces');
  const given = options(trial);
  return {
    AddressSpace: scope === 'global' ? spaces.GlobalDefaultAddressSpace : spaces.LocalDefaultAddressSpace,
    Pool: requested,
    SubPool,
    Options: Options ? { ...given, ...Options } : given,
    V6,
  };
}

/** A pool, given back at the end with all addresses of it. @throws Finding when it is refused */
export async function pooled(trial: IpamTrial, request: Message<'RequestPool'>): Promise<Pool> {
  const said = await trial.ask('RequestPool', request);
  return poolFrom(trial, trial.read('RequestPool', said, 'a pool'), said);
}

/** @returns undefined for a plugin that refuses, in words */
export async function pooledUnlessRefused(
  trial: IpamTrial,
  request: Message<'RequestPool'>,
): Promise<Pool | undefined> {
  const answer = await trial.doesOrRefuses('RequestPool', request);
  return answer && poolFrom(trial, answer, trial.calls.at(-1));
}

type PoolAnswer = Static<(typeof ipamKind)['methods']['RequestPool']['response']>;

/** The answered pool, given back at the end. */
function poolFrom(trial: IpamTrial, { PoolID, Pool: cidr, Data }: PoolAnswer, said: Said | undefined): Pool {
  if (!isCidr(cidr)) throw new Finding('a Pool such as 10.0.0.0/24', said);
  const pool: Pool = { id: PoolID, block: parseCidr(cidr).block, data: Data ?? {}, given: new Set(), released: false };
  trial.defer(async () => {
    for (const address of pool.given) await trial.ask('ReleaseAddress', { PoolID, Address: address });
    if (pool.released) return;
    const released = await trial.ask('ReleasePool', { PoolID });
    if (!trial.succeeded('ReleasePool', released)) throw new Error(`pool ${PoolID}`);
  });
  return pool;
}

/** A pool of 24 bits that the case chose, or the plugin itself where it takes no requests for one. */
export async function anyPool(trial: IpamTrial): Promise<Pool> {
  const requested = await pooledUnlessRefused(trial, await poolRequest(trial, freshBlock(trial.session)));
  return requested ?? (await pooled(trial, await poolRequest(trial, '')));
}

/** @throws Inapplicable for a plugin that takes no requests for one */
export async function requestedPool(trial: IpamTrial, requested: string): Promise<Pool> {
  const pool = await pooledUnlessRefused(trial, await poolRequest(trial, requested));
  if (pool === undefined) throw new Inapplicable(`it does not give the subnet ${requested}`);
  return pool;
}

/** RequestAddress as engines send it. @param requested without a mask; empty: the plugin chooses */
export async function addressRequest(
  trial: IpamTrial,
  { id }: Pool,
  requested = '',
  more: Record<string, string> = {},
): Promise<Message<'RequestAddress'>> {
  const { RequiresMACAddress } = await capabilities(trial);
  const mac: Record<string, string> = RequiresMACAddress ? { [netlabel.macAddress]: dockerMac(trial.freshId()) } : {};
  return { PoolID: id, Address: requested, Options: { ...mac, ...more } };
}

/** Option of the request for a network's gateway. */
export const forGateway = { [ipamOption.requestAddressType]: ipamOption.gatewayType };

/** An address of the pool. @returns it without its mask @throws Finding when it is refused, or is none */
export async function addressed(
  trial: IpamTrial,
  pool: Pool,
  requested = '',
  more: Record<string, string> = {},
): Promise<string> {
  return withoutMask(await addressedWithMask(trial, pool, requested, more));
}

/** The same, as it was answered. */
export async function addressedWithMask(
  trial: IpamTrial,
  pool: Pool,
  requested: string,
  more: Record<string, string>,
): Promise<string> {
  const said = await trial.ask('RequestAddress', await addressRequest(trial, pool, requested, more));
  const { Address } = trial.read('RequestAddress', said, 'an address');
  addressFrom(pool, Address, said);
  return Address;
}

export const withoutMask = (cidr: string): string => cidr.replace(/\/.*/, '');

/** @returns undefined for a plugin that refuses, in words */
export async function addressedUnlessRefused(
  trial: IpamTrial,
  pool: Pool,
  requested = '',
  more: Record<string, string> = {},
): Promise<string | undefined> {
  const answer = await trial.doesOrRefuses('RequestAddress', await addressRequest(trial, pool, requested, more));
  return answer && addressFrom(pool, answer.Address, trial.calls.at(-1));
}

/** Notes that the pool gave it. @returns the address without its mask @throws Inapplicable where it gives none at all */
function addressFrom(pool: Pool, cidr: string, said: Said | undefined): string {
  if (cidr === '' && pool.block.prefix === 0)
    throw new Inapplicable('its pools stand for everything, and it gives no address');
  if (!isCidr(cidr)) throw new Finding('an Address with its mask, such as 10.0.0.2/24', said);
  const address = withoutMask(cidr);
  pool.given.add(address);
  return address;
}

/** The pool's address of that number. */
export const at = ({ block }: Pick<Pool, 'block'>, number: bigint): string =>
  formatAddress({ family: block.family, value: block.value + number });

/** @throws Inapplicable for a plugin that takes no requests for one */
export async function requestedAddress(trial: IpamTrial, pool: Pool, requested: string): Promise<string> {
  const address = await addressedUnlessRefused(trial, pool, requested);
  if (address === undefined) throw new Inapplicable(`it does not give the address ${requested}`);
  return address;
}

export async function addressReleased(trial: IpamTrial, pool: Pool, address: string): Promise<void> {
  await trial.succeeds('ReleaseAddress', { PoolID: pool.id, Address: address }, 'the address to be released');
  pool.given.delete(address);
}

export async function poolReleased(trial: IpamTrial, pool: Pool): Promise<void> {
  await trial.succeeds('ReleasePool', { PoolID: pool.id }, 'the pool to be released');
  pool.released = true;
}

/** Its capabilities; an error, or no such method, declares nothing. */
export async function capabilities(trial: IpamTrial) {
  const said = await trial.ask('GetCapabilities', {});
  return trial.succeeded('GetCapabilities', said) ? trial.read('GetCapabilities', said) : {};
}

/** For cases about a crash. @throws Inapplicable where the plugin says that it forgets */
export async function remembering(trial: IpamTrial): Promise<void> {
  const { RequiresRequestReplay } = await capabilities(trial);
  if (RequiresRequestReplay) throw new Inapplicable('it declares RequiresRequestReplay: it is to be told again');
}
