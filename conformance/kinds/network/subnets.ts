import { formatBlock, parseCidr } from '@cleat/protocol/cidr';
import { ipamOption, type NetworkOfPool } from '@cleat/protocol/kinds/ipam';
import { freshBlock, freshBlockSix } from '../../verify/blocks.js';
import type { Session } from '../../verify/session.js';
import { Inapplicable } from '../../verify/trial.js';
import {
  addressedWithMask,
  addressReleased,
  at,
  capabilities,
  forGateway,
  type IpamTrial,
  type Pool,
  type PoolRequest,
  pooled,
  pooledUnlessRefused,
  poolReleased,
  poolRequest,
  withoutMask,
} from '../ipam/steps.js';

/** A network as an address plugin hears of it. */
export interface Owner {
  readonly id: string;
  readonly name: string;
}

/** An endpoint as an address plugin hears of it. */
export interface Holder {
  readonly id: string;
  /** The container's. */
  readonly name: string;
  readonly mac: string;
}

/** An endpoint's address. */
export interface Given {
  /** With its mask. */
  readonly cidr: string;
  /** Empty: the network plugin may choose one. */
  readonly mac: string;
  takeBack(): Promise<void>;
}

/** A subnet of a network, and the addresses in it. */
export interface Subnet {
  readonly cidr: string;
  readonly addressSpace: string;
  /** With its mask; empty: it has none. */
  readonly gateway: string;
  give(holder: Holder): Promise<Given>;
  /** Gives it up, and has it again for another network. @throws Inapplicable where its plugin chooses all subnets */
  again(owner: Owner): Promise<Subnet>;
}

/** A subnet of the verifier's choice, as another IPAM driver might have given it. */
export function chosenSubnet(session: Session, six: boolean): Subnet {
  const cidr = six ? freshBlockSix(session) : freshBlock(session);
  const { block } = parseCidr(cidr);
  const address = (number: bigint) => `${at({ block }, number)}/${block.prefix}`;
  let last = 1n;
  const subnet: Subnet = {
    cidr,
    addressSpace: 'LocalDefault',
    gateway: address(1n),
    give: async () => ({ cidr: address(++last), mac: '', takeBack: async () => {} }),
    again: async () => subnet,
  };
  return subnet;
}

/** The network's part of a request to an address plugin. */
export interface Use {
  readonly owner: Owner;
  /** The network plugin's name, and the author's options for networks. */
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly scope: 'local' | 'global';
  readonly six: boolean;
  /** The network plugin wants no address for its gateway. */
  readonly skipGateway: boolean;
}

/**
 * A subnet of an address plugin, with the calls of an engine that makes a network; given back at the end.
 * @throws Finding when none is given; Inapplicable for a plugin that gives none of that family
 */
export async function givenSubnet(trial: IpamTrial, use: Use): Promise<Subnet> {
  return await subnetOf(trial, use, await takePool(trial, await requestFor(trial, use)));
}

async function subnetOf(trial: IpamTrial, use: Use, { pool, isRequested }: Taken): Promise<Subnet> {
  const { KnowsHolders = false, RequiresMACAddress = false } = await capabilities(trial);
  const heldBy = (id: string): Record<string, string> => (KnowsHolders ? { [ipamOption.holder]: id } : {});
  const cidr = formatBlock(pool.block);
  const gateway =
    pool.data[ipamOption.gatewayType] ??
    (use.skipGateway ? '' : await addressedWithMask(trial, pool, '', { ...forGateway, ...heldBy(use.owner.id) }));
  const { AddressSpace: addressSpace } = await poolRequest(trial, '', { scope: use.scope });
  return {
    cidr,
    addressSpace,
    gateway,
    async give({ id, name, mac }) {
      const options: Record<string, string> = {
        [ipamOption.endpointName]: name,
        ...(RequiresMACAddress ? { [ipamOption.macAddress]: mac } : {}),
        ...heldBy(id),
      };
      const address = await addressedWithMask(trial, pool, '', options);
      return {
        cidr: address,
        mac: RequiresMACAddress ? mac : '',
        takeBack: () => addressReleased(trial, pool, withoutMask(address)),
      };
    },
    async again(owner) {
      if (!isRequested) throw new Inapplicable('its IPAM driver chooses all subnets');
      for (const address of [...pool.given]) await addressReleased(trial, pool, address);
      await poolReleased(trial, pool);
      const next = { ...use, owner };
      const again = await pooled(trial, await poolRequest(trial, cidr, await requestFor(trial, next)));
      return await subnetOf(trial, next, { pool: again, isRequested });
    },
  };
}

async function requestFor(trial: IpamTrial, { owner, driver, options, scope, six }: Use): Promise<PoolRequest> {
  const { KnowsHolders, KnowsNetworks } = await capabilities(trial);
  const network: NetworkOfPool = { Name: owner.name, Driver: driver, Options: { ...options } };
  const told = {
    ...(KnowsHolders ? { [ipamOption.holder]: owner.id } : {}),
    ...(KnowsNetworks ? { [ipamOption.network]: JSON.stringify(network) } : {}),
  };
  return { V6: six, scope, ...(Object.keys(told).length > 0 ? { Options: told } : {}) };
}

interface Taken {
  readonly pool: Pool;
  /** It is the one that was asked for. */
  readonly isRequested: boolean;
}

/** A subnet that is asked for, or where none is given on request, one of the plugin's choice. */
async function takePool(trial: IpamTrial, request: PoolRequest): Promise<Taken> {
  const { session } = trial;
  const wanted = request.V6 ? freshBlockSix(session) : freshBlock(session);
  const pool = await pooledUnlessRefused(trial, await poolRequest(trial, wanted, request));
  if (pool !== undefined) {
    return { pool, isRequested: formatBlock(pool.block) === formatBlock(parseCidr(wanted).block) };
  }
  if (!request.V6) return { pool: await pooled(trial, await poolRequest(trial, '', request)), isRequested: false };
  const chosen = await pooledUnlessRefused(trial, await poolRequest(trial, '', request));
  if (chosen === undefined) throw new Inapplicable('the IPAM driver gives no subnet of IPv6');
  return { pool: chosen, isRequested: false };
}
