import { type EndpointInterface, netlabel, type networkKind } from '@cleat/protocol/kinds/network';
import type { Static } from '@cleat/protocol/schema';
import { freshBlock, freshBlockSix } from '../../verify/blocks.js';
import { isThere, remaining } from '../../verify/links.js';
import { Inapplicable, type Trial } from '../../verify/trial.js';

export type NetworkTrial = Trial<typeof networkKind>;
type Message<M extends keyof (typeof networkKind)['methods']> = Static<(typeof networkKind.methods)[M]['request']>;

/** A network that is to be made. */
export interface Network {
  readonly id: string;
  /** CIDR of 24 bits. */
  readonly block: string;
  /** CIDR of 64 bits. */
  readonly six: string | undefined;
  /** How many addresses have been given to endpoints. */
  given: number;
  /** Interfaces that Join answered. */
  readonly links: string[];
  /** The plugin said so. */
  deleted: boolean;
}

export interface Endpoint {
  readonly network: Network;
  readonly ids: Message<'Leave'>;
}

/** The interface's part of a request as engines write it: what is not known is empty. */
export const noInterface = { Address: '', AddressIPv6: '', MacAddress: '' };
/** Ports of a container that has none. */
export const noPorts = { [netlabel.exposedPorts]: [], [netlabel.portMap]: [] };

export const newNetwork = (trial: NetworkTrial, six: 'six' | 'four' = 'four'): Network => ({
  id: trial.freshId(),
  block: freshBlock(trial.session),
  six: six === 'six' ? freshBlockSix(trial.session) : undefined,
  given: 1,
  links: [],
  deleted: false,
});

/** CreateNetwork as engines send it. */
export function creation(trial: NetworkTrial, { id, block, six }: Network, more = {}): Message<'CreateNetwork'> {
  const gateway = (cidr: string) => cidr.replace('.0/', '.1/').replace('::/', '::1/');
  const data = (cidr: string) => ({ AddressSpace: 'LocalDefault', Pool: cidr, Gateway: gateway(cidr) });
  return {
    NetworkID: id,
    Options: {
      [netlabel.enableIPv6]: six !== undefined,
      [netlabel.generic]: { ...trial.session.settings.options },
      ...more,
    },
    IPv4Data: [data(block)],
    IPv6Data: six === undefined ? [] : [data(six)],
  };
}

/** A new network, which is deleted at the end. */
export async function made(trial: NetworkTrial, network = newNetwork(trial)): Promise<Network> {
  deletedAtTheEnd(trial, network);
  await trial.succeeds('CreateNetwork', creation(trial, network), 'a network to be made');
  return network;
}

/** However the case ends. */
export function deletedAtTheEnd(trial: NetworkTrial, network: Network): void {
  const { session } = trial;
  trial.defer(async () => {
    const left = session.settings.elsewhere ? [] : await remaining(session, () => network.links);
    if (left.length > 0) throw new Error(`interface ${left.join(', ')}`);
  });
  trial.defer(async () => {
    const said = await trial.ask('DeleteNetwork', { NetworkID: network.id });
    // A repetition may be refused.
    if (!network.deleted && !trial.succeeded('DeleteNetwork', said)) throw new Error(`network ${network.id}`);
  });
}

export async function deleted(trial: NetworkTrial, network: Network): Promise<void> {
  await trial.succeeds('DeleteNetwork', { NetworkID: network.id }, 'the network to be deleted');
  network.deleted = true;
}

/** An endpoint that is to be made. */
export const newEndpoint = (trial: NetworkTrial, network: Network): Endpoint => ({
  network,
  ids: { NetworkID: network.id, EndpointID: trial.freshId() },
});

/** CreateEndpoint as engines send it, with the network's next address. */
export function endpointCreation({ network, ids }: Endpoint, more: EndpointInterface = {}): Message<'CreateEndpoint'> {
  const last = ++network.given;
  const Address = network.block.replace('.0/', `.${last}/`);
  const AddressIPv6 = network.six?.replace('::/', `::${last.toString(16)}/`) ?? '';
  return { ...ids, Interface: { ...noInterface, Address, AddressIPv6, ...more }, Options: noPorts };
}

/** A new endpoint, which is taken back at the end. */
export async function attached(trial: NetworkTrial, network: Network): Promise<Endpoint> {
  const endpoint = newEndpoint(trial, network);
  takenBackAtTheEnd(trial, endpoint);
  await trial.succeeds('CreateEndpoint', endpointCreation(endpoint), 'an endpoint to be made');
  return endpoint;
}

export function takenBackAtTheEnd(trial: NetworkTrial, { ids }: Endpoint): void {
  // Twice does no harm, as cases of their own make sure.
  trial.defer(async () => {
    await trial.ask('Leave', ids);
    await trial.ask('DeleteEndpoint', ids);
  });
}

export const joining = ({ ids }: Endpoint): Message<'Join'> => ({
  ...ids,
  SandboxKey: `/var/run/docker/netns/${ids.EndpointID.slice(0, 12)}`,
  Options: noPorts,
});

/** Joins it. @returns the interface that the engine is to move; empty: there is none */
export async function joined(trial: NetworkTrial, endpoint: Endpoint): Promise<string> {
  const { InterfaceName } = await trial.succeeds('Join', joining(endpoint), 'the endpoint to be joined');
  const link = InterfaceName?.SrcName ?? '';
  if (link !== '') endpoint.network.links.push(link);
  return link;
}

/** An endpoint with an interface on this host. @throws Inapplicable for a driver that has none */
export async function linked(trial: NetworkTrial, network: Network): Promise<{ endpoint: Endpoint; link: string }> {
  const endpoint = await attached(trial, network);
  const link = await joined(trial, endpoint);
  if (link === '') throw new Inapplicable('it answers Join without an interface');
  present(trial, link);
  return { endpoint, link };
}

/** @throws Finding unless the interface is on this host */
export function present(trial: NetworkTrial, link: string, expected = 'an interface of this host'): void {
  trial.holds(isThere(link), `${expected}: ${link}`, undefined, 'there is none of that name (see --elsewhere)');
}

/** @throws Finding unless the interface goes */
export async function gone(trial: NetworkTrial, link: string, expected: string): Promise<void> {
  const left = await remaining(trial.session, () => [link]);
  trial.holds(left.length === 0, `${expected}: ${link}`, undefined, 'it is still there');
}

/** As an engine ends what it began. @throws Finding when it is refused */
export async function takenBack(trial: NetworkTrial, { ids }: Endpoint): Promise<void> {
  await trial.succeeds('Leave', ids, 'the endpoint to be left');
  await trial.succeeds('DeleteEndpoint', ids, 'the endpoint to be deleted');
}

/** Its capabilities. */
export async function capabilities(trial: NetworkTrial) {
  const said = await trial.ask('GetCapabilities', {});
  return trial.succeeded('GetCapabilities', said) ? trial.read('GetCapabilities', said) : {};
}
