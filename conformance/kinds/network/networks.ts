import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { netlabel, type networkKind } from '@cleat/protocol/kinds/network';
import type { Static } from '@cleat/protocol/schema';
import type { Session } from '../../verify/session.js';
import type { Trial } from '../../verify/trial.js';
import { chosenSubnet, givenSubnet, type Owner, type Subnet, type Use } from './subnets.js';

export type NetworkTrial = Trial<typeof networkKind>;
export type Message<M extends keyof (typeof networkKind)['methods']> = Static<
  (typeof networkKind.methods)[M]['request']
>;

export type Families = 'four' | 'six';

/** A network that is to be made. */
export interface Network extends Owner {
  readonly four: Subnet;
  /** Beside the other one. */
  readonly six: Subnet | undefined;
  /** Interfaces that Join answered. */
  readonly links: string[];
  /** The plugin said so. */
  deleted: boolean;
}

/** Its capabilities. */
export async function capabilities(trial: NetworkTrial) {
  const said = await trial.ask('GetCapabilities', {});
  return trial.succeeded('GetCapabilities', said) ? trial.read('GetCapabilities', said) : {};
}

/** @param ipam the plugin that gives its subnets; undefined: they are of the verifier's choice */
export async function networkWith(
  trial: NetworkTrial,
  ipam: Session | undefined,
  families: Families = 'four',
): Promise<Network> {
  const owner = newOwner(trial);
  const subnets = ipam ? await givenSubnets(trial, ipam, owner, families) : chosenSubnets(trial, families);
  return { ...owner, ...subnets, links: [], deleted: false };
}

/** Another network, with the subnets of one that was deleted. @throws Inapplicable */
export async function networkAfter(trial: NetworkTrial, { four, six, links }: Network): Promise<Network> {
  const owner = newOwner(trial);
  return { ...owner, four: await four.again(owner), six: await six?.again(owner), links, deleted: false };
}

const newOwner = (trial: NetworkTrial): Owner => ({ id: trial.freshId(), name: trial.fresh() });

const chosenSubnets = ({ session }: NetworkTrial, families: Families) => ({
  four: chosenSubnet(session, false),
  six: families === 'six' ? chosenSubnet(session, true) : undefined,
});

async function givenSubnets(trial: NetworkTrial, ipam: Session, owner: Owner, families: Families) {
  const { Scope, GwAllocChecker } = await capabilities(trial);
  const Options = networkOptions(trial, families);
  const skips: { SkipIPv4?: boolean; SkipIPv6?: boolean } = GwAllocChecker
    ? await trial.succeeds('GwAllocCheck', { Options }, 'which gateways it needs')
    : {};
  const use = {
    owner,
    driver: trial.session.name,
    options: trial.session.settings.options ?? {},
    scope: Scope === 'global' ? 'global' : 'local',
  } satisfies Partial<Use>;
  const addresses = trial.beside(ipamKind, ipam);
  const given = (six: boolean, skipGateway = false) => givenSubnet(addresses, { ...use, six, skipGateway });
  return {
    four: await given(false, skips.SkipIPv4),
    six: families === 'six' ? await given(true, skips.SkipIPv6) : undefined,
  };
}

/** Options of CreateNetwork as engines send them. */
export const networkOptions = (trial: NetworkTrial, families: Families, more: Record<string, unknown> = {}) => ({
  [netlabel.enableIPv6]: families === 'six',
  [netlabel.generic]: { ...trial.session.settings.options },
  ...more,
});

/** CreateNetwork as engines send it. */
export function creation(trial: NetworkTrial, { id, four, six }: Network, more = {}): Message<'CreateNetwork'> {
  const data = ({ addressSpace, cidr, gateway }: Subnet) => ({
    AddressSpace: addressSpace,
    Pool: cidr,
    ...(gateway === '' ? {} : { Gateway: gateway }),
  });
  return {
    NetworkID: id,
    Options: networkOptions(trial, six === undefined ? 'four' : 'six', more),
    IPv4Data: [data(four)],
    IPv6Data: six === undefined ? [] : [data(six)],
  };
}
