import { type NodeDiscoveryData, netlabel, networkKind, nodeDiscovery } from '@cleat/protocol/kinds/network';
import { cases, type Need } from '../../verify/case.js';
import { answerText, Finding } from '../../verify/finding.js';
import { Inapplicable } from '../../verify/trial.js';
import { ipamOf } from './binding.js';
import { creation, networkAfter, networkWith } from './networks.js';
import {
  attached,
  deleted,
  deletedAtTheEnd,
  endpointCreation,
  joined,
  joining,
  made,
  newEndpoint,
  newNetwork,
  takenBack,
  takenBackAtTheEnd,
} from './steps.js';

const needs: readonly Need[] = ['changes'];

/** CreateNetwork and DeleteNetwork. */
export const making = cases(
  networkKind,
  {
    id: 'network/create',
    title: 'A network is made and deleted, and its subnet is free again',
    why: '`docker compose down` and `up` make a network of the same subnet again, under another ID.',
    needs,
    async run(trial) {
      const first = await made(trial);
      await deleted(trial, first);
      await deleted(trial, await made(trial, await networkAfter(trial, first)));
    },
  },
  {
    id: 'network/any-subnet',
    title: 'A network is made with a subnet of any IPAM driver',
    why: '`docker network create` without `--ipam-driver` has its subnet of the engine’s own one. A driver that takes those of one IPAM driver alone says so: its words are all that the user has to go by.',
    needs,
    async run(trial) {
      const network = await networkWith(trial, undefined);
      if (await trial.doesOrRefuses('CreateNetwork', creation(trial, network))) {
        deletedAtTheEnd(trial, network);
        await joined(trial, await attached(trial, network));
        return;
      }
      const said = trial.calls.at(-1);
      if (said && (await ipamOf(trial))) {
        throw new Inapplicable(`it takes subnets of one IPAM driver alone, and says so: ${answerText(said)}`);
      }
      throw new Finding(
        'a network to be made. If it takes subnets of one IPAM driver alone, name that: --ipam-driver',
        said,
      );
    },
  },
  {
    id: 'network/create-unknown-members',
    title: 'Options and members that the plugin does not know are ignored',
    why: 'Engines add their own to every call with their versions, as `com.docker.network.enable_ipv4`. A plugin that refuses them ends with the next upgrade.',
    needs,
    async run(trial) {
      const network = await newNetwork(trial);
      deletedAtTheEnd(trial, network);
      const more = { 'com.docker.network.next_version': { Yes: [1, null] } };
      const creating = { ...creation(trial, network, more), NextVersion: true };
      await trial.succeeds('CreateNetwork', creating, 'a network to be made');
      const endpoint = newEndpoint(trial, network);
      takenBackAtTheEnd(trial, endpoint);
      const attaching = { ...(await endpointCreation(endpoint)), NextVersion: [null], Options: more };
      await trial.succeeds('CreateEndpoint', attaching, 'an endpoint to be made');
      const connecting = { ...joining(endpoint), NextVersion: 1, Options: more };
      await trial.succeeds('Join', connecting, 'the endpoint to be joined');
    },
  },
  {
    id: 'network/create-internal',
    title: 'An internal network is made, or refused in words',
    why: '`docker network create --internal`: its user is to know whether there is a way out.',
    needs,
    async run(trial) {
      const network = await newNetwork(trial);
      const request = creation(trial, network, { [netlabel.internal]: true });
      if (await trial.doesOrRefuses('CreateNetwork', request)) deletedAtTheEnd(trial, network);
    },
  },
  {
    id: 'network/create-ipv6',
    title: 'A network with IPv6 takes endpoints with both addresses, or is refused in words',
    why: '`docker network create --ipv6` that succeeds and `docker run` that then fails leave a user with a riddle.',
    needs,
    async run(trial) {
      const network = await newNetwork(trial, 'six');
      if (!(await trial.doesOrRefuses('CreateNetwork', creation(trial, network)))) return;
      deletedAtTheEnd(trial, network);
      const endpoint = await attached(trial, network);
      await joined(trial, endpoint);
      await takenBack(trial, endpoint);
    },
  },
  {
    id: 'network/two-networks',
    title: 'A network that is deleted leaves the others alone',
    why: 'Each Compose project has one of its own, and they come and go.',
    needs,
    async run(trial) {
      const staying = await made(trial);
      const going = await made(trial);
      await deleted(trial, going);
      await joined(trial, await attached(trial, staying));
    },
  },
  {
    id: 'network/delete-again',
    title: 'A DeleteNetwork that is repeated, or of a network that is not there, does no harm',
    why: 'An engine that was killed, or got no answer, deletes what it cannot know to be gone.',
    needs,
    async run(trial) {
      const staying = await made(trial);
      const going = await made(trial);
      await deleted(trial, going);
      await trial.answers('DeleteNetwork', { NetworkID: going.id });
      await trial.answers('DeleteNetwork', { NetworkID: trial.freshId() });
      await joined(trial, await attached(trial, staying));
    },
  },
  {
    id: 'network/create-again',
    title: 'A CreateNetwork that is repeated leaves a network that works',
    why: 'dockerd sends a call again when the connection breaks before the answer. A plugin that takes back “the failed one” takes away what it had made.',
    needs,
    async run(trial) {
      const network = await made(trial);
      await trial.answers('CreateNetwork', creation(trial, network));
      const endpoint = await attached(trial, network);
      await joined(trial, endpoint);
      await takenBack(trial, endpoint);
      await deleted(trial, network);
    },
  },
  {
    id: 'network/create-again-succeeds',
    title: 'A CreateNetwork that is repeated succeeds',
    why: 'Where the first answer was lost, `docker network create` fails otherwise although the network is there, and dockerd never deletes it.',
    weight: 'should',
    needs,
    async run(trial) {
      const network = await made(trial);
      await trial.succeeds('CreateNetwork', creation(trial, network), 'success for the same network again');
    },
  },
  {
    id: 'network/create-at-once',
    title: 'Networks that are made at once are all there',
    why: 'Compose makes all networks of a project in parallel; a list that is read, changed and written without a turn loses some.',
    needs,
    async run(trial) {
      const networks = await Promise.all(Array.from({ length: 6 }, () => made(trial)));
      for (const network of networks) {
        const endpoint = await attached(trial, network);
        await trial.succeeds('DeleteEndpoint', endpoint.ids, 'the endpoint to be deleted');
      }
    },
  },
  {
    id: 'network/discovery',
    title: 'News of nodes are taken, also when they are repeated, or answered with status 404',
    why: 'dockerd tells every network plugin of the nodes of a swarm, and logs each refusal. Cleat tells those that connect globally of the nodes that its operator names, and goes on until they are heard.',
    weight: 'should',
    needs,
    async run(trial) {
      const news = (DiscoveryData: NodeDiscoveryData) => ({ DiscoveryType: nodeDiscovery, DiscoveryData });
      const self = news({ Address: '192.0.2.1', BindAddress: '192.0.2.1', Self: true });
      const other = news({ Address: '192.0.2.2', BindAddress: '', Self: false });
      for (const node of [self, other, other]) await trial.doesOrLacks('DiscoverNew', node);
      for (const node of [other, other]) await trial.doesOrLacks('DiscoverDelete', node);
    },
  },
);
