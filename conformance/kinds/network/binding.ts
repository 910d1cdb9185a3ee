import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { networkKind } from '@cleat/protocol/kinds/network';
import type { Session } from '../../verify/session.js';
import { Trial } from '../../verify/trial.js';
import { creation, type NetworkTrial, networkWith } from './networks.js';

/** By plugin, once it was asked. */
const known = new WeakMap<Session, Promise<Session | undefined>>();

/**
 * The address plugin whose subnets networks are made with: the author's word, or for a plugin that refuses subnets of
 * others and takes its own, the plugin itself.
 * @returns undefined where any subnet will do
 */
export async function ipamOf(trial: NetworkTrial): Promise<Session | undefined> {
  const { session } = trial;
  if (session.ipam !== undefined || !session.kinds.includes(ipamKind.name)) return session.ipam;
  const found = known.get(session) ?? findOut(trial);
  known.set(session, found);
  return await found;
}

async function findOut(trial: NetworkTrial): Promise<Session | undefined> {
  const { session } = trial;
  if (await takes(trial, undefined)) return undefined;
  return (await takes(trial, session)) ? session : undefined;
}

/** Whether a network with such a subnet can be made. It is removed again. */
async function takes(trial: NetworkTrial, ipam: Session | undefined): Promise<boolean> {
  const probe = new Trial(networkKind, trial.session, 'subnets');
  let made = false;
  await probe.during(async () => {
    const network = await networkWith(probe, ipam);
    made = (await probe.doesOrRefuses('CreateNetwork', creation(probe, network))) !== undefined;
    if (!made) return;
    probe.defer(async () => {
      const said = await probe.ask('DeleteNetwork', { NetworkID: network.id });
      if (!probe.succeeded('DeleteNetwork', said)) throw new Error(`network ${network.id}`);
    });
  });
  trial.leftBehind.push(...probe.leftBehind);
  return made;
}
