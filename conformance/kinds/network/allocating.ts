import { isDeepStrictEqual } from 'node:util';
import { netlabel, networkKind } from '@cleat/protocol/kinds/network';
import { cases, type Need } from '../../verify/case.js';
import { Inapplicable } from '../../verify/trial.js';
import { capabilities, creation, type Network, type NetworkTrial, networkAfter } from './networks.js';
import {
  attached,
  deleted,
  deletedAtTheEnd,
  endpointCreation,
  joined,
  made,
  newEndpoint,
  newNetwork,
  takenBack,
  takenBackAtTheEnd,
} from './steps.js';

const needs: readonly Need[] = ['changes'];

/** Calls and options that only a driver gets that declares them. */
export const allocating = cases(
  networkKind,
  {
    id: 'network/allocate',
    title: 'AllocateNetwork, CreateNetwork with what it answered, DeleteNetwork and FreeNetwork follow each other',
    why: 'Cleat asks a driver for it that declares AllocatesNetworks, and refuses to make a network where it fails.',
    needs,
    async run(trial) {
      const network = await declared(trial);
      const options = await allocated(trial, network);
      deletedAtTheEnd(trial, network);
      await trial.succeeds('CreateNetwork', creationWith(trial, network, options), 'a network to be made');
      const endpoint = await attached(trial, network);
      await joined(trial, endpoint);
      await takenBack(trial, endpoint);
      await deleted(trial, network);
      await trial.succeeds('FreeNetwork', { NetworkID: network.id }, 'the network to be freed');
    },
  },
  {
    id: 'network/allocate-again',
    title: 'An AllocateNetwork that is repeated answers the same',
    why: 'An engine that lost the first answer asks again. Two answers are two networks of one name.',
    weight: 'should',
    needs,
    async run(trial) {
      const network = await declared(trial);
      const first = await allocated(trial, network);
      const second = await trial.succeeds('AllocateNetwork', allocation(trial, network), 'the same answer');
      trial.holds(isDeepStrictEqual(first, second.Options ?? {}), `the same Options: ${JSON.stringify(first)}`);
    },
  },
  {
    id: 'network/free',
    title: 'What FreeNetwork gives back can be reserved again',
    why: 'An engine frees a network that could not be made. Its user makes it again, with the same subnet.',
    needs,
    async run(trial) {
      const network = await declared(trial);
      await allocated(trial, network);
      await trial.succeeds('FreeNetwork', { NetworkID: network.id }, 'the network to be freed');
      await allocated(trial, await networkAfter(trial, network));
    },
  },
  {
    id: 'network/free-again',
    title: 'A FreeNetwork that is repeated, or of a network that is not there, does no harm',
    why: 'An engine that was killed, or got no answer, frees what it cannot know to be free.',
    needs,
    async run(trial) {
      const staying = await declared(trial);
      const going = await newNetwork(trial);
      const options = await allocated(trial, staying);
      await allocated(trial, going);
      for (const NetworkID of [going.id, going.id, trial.freshId()]) await trial.answers('FreeNetwork', { NetworkID });
      deletedAtTheEnd(trial, staying);
      await trial.succeeds('CreateNetwork', creationWith(trial, staying, options), 'a network to be made');
      await joined(trial, await attached(trial, staying));
    },
  },
  {
    id: 'network/endpoint-name',
    title: 'A plugin that declares KnowsEndpointNames takes endpoints with a name, and without one',
    why: 'Cleat tells it the container’s name; a stock dockerd does not.',
    needs,
    async run(trial) {
      const { KnowsEndpointNames } = await capabilities(trial);
      if (!KnowsEndpointNames) throw new Inapplicable('it does not declare KnowsEndpointNames');
      const network = await made(trial);
      for (const named of [{ [netlabel.endpointName]: trial.fresh() }, {}]) {
        const endpoint = newEndpoint(trial, network);
        takenBackAtTheEnd(trial, endpoint);
        const request = await endpointCreation(endpoint);
        const Options = { ...request.Options, ...named };
        await trial.succeeds('CreateEndpoint', { ...request, Options }, 'an endpoint to be made');
        await joined(trial, endpoint);
      }
    },
  },
);

/** A network for a driver that reserves. @throws Inapplicable for others */
async function declared(trial: NetworkTrial): Promise<Network> {
  const { AllocatesNetworks } = await capabilities(trial);
  if (!AllocatesNetworks) throw new Inapplicable('it does not declare AllocatesNetworks');
  return await newNetwork(trial);
}

/** AllocateNetwork as engines send it. */
function allocation(trial: NetworkTrial, network: Network) {
  const { NetworkID, IPv4Data, IPv6Data } = creation(trial, network);
  const Options = { ...trial.session.settings.options, [netlabel.networkName]: network.name };
  return { NetworkID, Options, IPv4Data, IPv6Data };
}

/** Has a network reserved, which is freed at the end. */
async function allocated(trial: NetworkTrial, network: Network): Promise<Record<string, string>> {
  trial.defer(async () => void (await trial.ask('FreeNetwork', { NetworkID: network.id })));
  const said = await trial.succeeds('AllocateNetwork', allocation(trial, network), 'a network to be reserved');
  return said.Options ?? {};
}

function creationWith(trial: NetworkTrial, network: Network, options: Record<string, string>) {
  return creation(trial, network, { [netlabel.generic]: { ...trial.session.settings.options, ...options } });
}
