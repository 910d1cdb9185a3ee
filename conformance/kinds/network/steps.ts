import { type EndpointInterface, netlabel } from '@cleat/protocol/kinds/network';
import { dockerMac } from '@cleat/protocol/mac';
import { isThere, remaining } from '../../verify/links.js';
import { Inapplicable } from '../../verify/trial.js';
import { ipamOf } from './binding.js';
import { creation, type Families, type Message, type Network, type NetworkTrial, networkWith } from './networks.js';
import type { Given, Holder } from './subnets.js';

export interface Endpoint {
  readonly network: Network;
  readonly ids: Message<'Leave'>;
  readonly holder: Holder;
  /** Its addresses. */
  readonly given: Given[];
}

/** The interface's part of a request as engines write it: what is not known is empty. */
export const noInterface = { Address: '', AddressIPv6: '', MacAddress: '' };
/** Ports of a container that has none. */
export const noPorts = { [netlabel.exposedPorts]: [], [netlabel.portMap]: [] };

/** A network that is to be made, with subnets that the plugin takes. */
export const newNetwork = async (trial: NetworkTrial, families: Families = 'four'): Promise<Network> =>
  await networkWith(trial, await ipamOf(trial), families);

/** A new network, which is deleted at the end. */
export async function made(trial: NetworkTrial, planned?: Network): Promise<Network> {
  const network = planned ?? (await newNetwork(trial));
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
export function newEndpoint(trial: NetworkTrial, network: Network): Endpoint {
  const id = trial.freshId();
  const holder = { id, name: trial.fresh(), mac: dockerMac(trial.freshId()) };
  return { network, ids: { NetworkID: network.id, EndpointID: id }, holder, given: [] };
}

/** CreateEndpoint as engines send it, with an address of each of the network's subnets. */
export async function endpointCreation(
  { network: { four, six }, ids, holder, given }: Endpoint,
  more: EndpointInterface = {},
): Promise<Message<'CreateEndpoint'>> {
  const addresses = [await four.give(holder), ...(six ? [await six.give(holder)] : [])];
  given.push(...addresses);
  const [Address = '', AddressIPv6 = ''] = addresses.map(({ cidr }) => cidr);
  const MacAddress = addresses.find(({ mac }) => mac !== '')?.mac ?? '';
  return { ...ids, Interface: { Address, AddressIPv6, MacAddress, ...more }, Options: noPorts };
}

/** A new endpoint, which is taken back at the end. */
export async function attached(trial: NetworkTrial, network: Network): Promise<Endpoint> {
  const endpoint = newEndpoint(trial, network);
  takenBackAtTheEnd(trial, endpoint);
  await trial.succeeds('CreateEndpoint', await endpointCreation(endpoint), 'an endpoint to be made');
  return endpoint;
}

export function takenBackAtTheEnd(trial: NetworkTrial, { ids }: Endpoint): void {
  // Twice does no harm, as cases of their own make sure.
  trial.defer(async () => {
    await trial.ask('Leave', ids);
    await trial.ask('DeleteEndpoint', ids);
  });
}

export const joining = ({ ids }: Pick<Endpoint, 'ids'>): Message<'Join'> => ({
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
export async function takenBack(trial: NetworkTrial, { ids, given }: Endpoint): Promise<void> {
  await trial.succeeds('Leave', ids, 'the endpoint to be left');
  await trial.succeeds('DeleteEndpoint', ids, 'the endpoint to be deleted');
  for (const address of given.splice(0)) await address.takeBack();
}
