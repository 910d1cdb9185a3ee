import { randomBytes } from 'node:crypto';
import { type LinkFacts, linkFacts } from '@cleat/linux/net/facts';
import { conflict, invalidParameter, notFound } from '@cleat/protocol/errors';
import { netlabel } from '@cleat/protocol/kinds/network';
import type { PairSettings } from './links.js';
import { gatewayModeOption, inhibitIPv4 } from './modes.js';
import type { NetworkRecord } from './state.js';

/*
 * A bridge that somebody else made, for more than our containers: a network card of this host is on it, or virtual
 * machines. Containers are hosts of that network, whose router is another. The bridge is used as it is: it gets no address,
 * no setting and no rule, and it stays when the network goes.
 */

/**
 * Refuses what would change the bridge, or would be promised and not kept.
 * @throws Conflict, InvalidParameter with the options to be given, or left out
 */
export function checkBorrowing(network: NetworkRecord, { mtu }: LinkFacts): void {
  const { bridge, modes, internal, icc, subnets } = network;
  const needed = [
    ...(network.inhibitIPv4 ? [] : [`-o ${inhibitIPv4}=true`]),
    ...(modes?.ipv4 === 'routed' ? [] : [`-o ${gatewayModeOption('ipv4')}=routed`]),
  ];
  if (needed.length > 0) {
    throw conflict(
      `a bridge ${bridge} that this engine did not make exists already: choose another name or, for containers that are hosts of that bridge's network, with a router of its own, give ${needed.join(' ')}`,
    );
  }
  if (internal) throw invalidParameter(`the bridge ${bridge} leads wherever its other ports do: leave out --internal`);
  if (subnets.some((subnet) => subnet.includes(':'))) {
    throw invalidParameter(
      `the bridge ${bridge} is not this engine's: leave out --ipv6, which would give it an address`,
    );
  }
  if (!icc) {
    throw invalidParameter(
      `the hosts of the bridge ${bridge} reach each other, containers too: give -o ${netlabel.enableIcc}=true`,
    );
  }
  if (network.ownMtu && network.mtu > mtu) {
    throw invalidParameter(`the bridge ${bridge} carries packets of up to ${mtu}: leave out -o ${netlabel.mtu}`);
  }
}

/** @throws NotFound while the bridge is gone, Conflict when another device has its name */
export async function borrowedBridge({ bridge }: Pick<NetworkRecord, 'bridge'>): Promise<LinkFacts> {
  const facts = await linkFacts(bridge);
  if (!facts) throw notFound(`the bridge ${bridge}, which this engine did not make, is gone: make it again`);
  if (facts.kind !== 'bridge' || facts.alias.startsWith('cleat:')) {
    throw conflict(`the device ${bridge} is not the bridge that the network was made on`);
  }
  return facts;
}

/**
 * A port changes its bridge: the bridge takes the lowest MAC address of its ports for its own, and their smallest MTU,
 * unless somebody set it. So ours has a high one, and the bridge's MTU.
 */
export const pairOn = ({ mtu }: LinkFacts, network: NetworkRecord): PairSettings => ({
  mac: `fe:${randomBytes(5)
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$&:')}`,
  mtu,
  peerMtu: network.ownMtu ? Math.min(network.mtu, mtu) : mtu,
});
