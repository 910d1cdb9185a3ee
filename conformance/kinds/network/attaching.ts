import { netlabel, networkKind } from '@cleat/protocol/kinds/network';
import { isCidr } from '../../verify/blocks.js';
import { cases, type Need } from '../../verify/case.js';
import { Finding } from '../../verify/finding.js';
import { Inapplicable } from '../../verify/trial.js';
import { capabilities, type Network, type NetworkTrial } from './networks.js';
import {
  attached,
  deleted,
  endpointCreation,
  joined,
  joining,
  made,
  newEndpoint,
  noInterface,
  noPorts,
  takenBack,
  takenBackAtTheEnd,
} from './steps.js';

const needs: readonly Need[] = ['changes'];

/** CreateEndpoint and DeleteEndpoint. */
export const attaching = cases(
  networkKind,
  {
    id: 'network/endpoint-unknown-network',
    title: 'CreateEndpoint on a network that is not there is refused in words',
    why: 'After a plugin lost its state, containers would start without a network, and nobody would be told.',
    weight: 'should',
    needs,
    async run(trial) {
      const { Sandbox = 'own' } = await capabilities(trial);
      if (Sandbox !== 'own') throw new Inapplicable(`it declares that its containers' sandbox is '${Sandbox}'`);
      const ids = { NetworkID: trial.freshId(), EndpointID: trial.freshId() };
      const refused = { ...ids, Interface: { ...noInterface, Address: '198.18.0.2/24' }, Options: {} };
      trial.defer(async () => void (await trial.ask('DeleteEndpoint', ids)));
      await trial.refuses('CreateEndpoint', refused, 'a network that does not exist to be refused');
    },
  },
  {
    id: 'network/endpoint-keeps-addresses',
    title: 'CreateEndpoint does not answer the addresses that the request had',
    why: 'dockerd takes any Address or MacAddress in the answer for a change, also the same one, and refuses to start the container.',
    needs,
    async run(trial) {
      const endpoint = newEndpoint(trial, await made(trial));
      takenBackAtTheEnd(trial, endpoint);
      const requested = '02:42:c6:12:00:07';
      const bytes = Buffer.from(requested.replaceAll(':', ''), 'hex').toString('base64');
      const request = await endpointCreation(endpoint);
      const withMac = {
        ...request,
        Interface: { ...request.Interface, MacAddress: requested },
        Options: { ...request.Options, [netlabel.macAddress]: bytes },
      };
      const done = await trial.doesOrRefuses('CreateEndpoint', withMac);
      trial.holds(!done?.Interface?.MacAddress, 'no MacAddress: the request had one');
      // A plugin may have MAC addresses of its own, and refuse those of users.
      const answer = done ?? (await trial.succeeds('CreateEndpoint', request, 'an endpoint to be made'));
      trial.holds(!answer.Interface?.Address, 'no Address: the request had one');
    },
  },
  {
    id: 'network/endpoint-chosen-mac',
    title: 'MAC addresses that the plugin chooses are valid, and another one for each endpoint',
    why: 'dockerd refuses what is none; of two containers with the same one, each gets half of the packets.',
    needs,
    async run(trial) {
      const network = await made(trial);
      const chosen = [await macOf(trial, network), await macOf(trial, network)].filter((mac) => mac !== '');
      for (const mac of chosen) {
        const valid = /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(mac) && Number.parseInt(mac.slice(0, 2), 16) % 2 === 0;
        trial.holds(valid, 'a MacAddress of one host, such as 02:42:ac:11:00:02, or none', undefined, `it is ${mac}`);
      }
      trial.holds(new Set(chosen).size === chosen.length, 'another MacAddress than that of the first endpoint');
    },
  },
  {
    id: 'network/endpoint-without-address',
    title:
      'An endpoint without an address is made, or refused in words; an address that the plugin chooses has its mask',
    why: 'With `--ipam-driver null` nobody else chooses one. dockerd reads the answer as CIDR, and takes nothing else.',
    needs,
    async run(trial) {
      const endpoint = newEndpoint(trial, await made(trial));
      takenBackAtTheEnd(trial, endpoint);
      const said = await trial.ask('CreateEndpoint', { ...endpoint.ids, Interface: noInterface, Options: {} });
      if (!trial.succeeded('CreateEndpoint', said)) return;
      const { Interface } = trial.read('CreateEndpoint', said);
      for (const address of [Interface?.Address, Interface?.AddressIPv6]) {
        if (address && !isCidr(address)) throw new Finding('an address with its mask, such as 10.0.0.2/24', said);
      }
    },
  },
  {
    id: 'network/options-null',
    title: 'Options of CreateEndpoint and Join may be null or missing',
    why: 'Engines written in Go send null where there are none.',
    needs,
    async run(trial) {
      const network = await made(trial);
      for (const Options of [null, undefined]) {
        const endpoint = newEndpoint(trial, network);
        takenBackAtTheEnd(trial, endpoint);
        await trial.succeeds(
          'CreateEndpoint',
          { ...(await endpointCreation(endpoint)), Options },
          'an endpoint to be made',
        );
        await trial.succeeds('Join', { ...joining(endpoint), Options }, 'the endpoint to be joined');
      }
    },
  },
  {
    id: 'network/oper-info',
    title: 'EndpointOperInfo of an endpoint answers a Value that is an object, or none',
    why: 'dockerd asks when a container starts and for every `docker inspect` of one that runs.',
    needs,
    async run(trial) {
      const endpoint = await attached(trial, await made(trial));
      await trial.succeeds('EndpointOperInfo', endpoint.ids, 'facts of an endpoint that was made');
      await joined(trial, endpoint);
      await trial.succeeds('EndpointOperInfo', endpoint.ids, 'facts of an endpoint that is joined');
    },
  },
  {
    id: 'network/endpoint-again',
    title: 'A CreateEndpoint that is repeated leaves an endpoint that works',
    why: 'dockerd sends a call again when the connection breaks before the answer.',
    needs,
    async run(trial) {
      const network = await made(trial);
      const endpoint = newEndpoint(trial, network);
      takenBackAtTheEnd(trial, endpoint);
      const request = await endpointCreation(endpoint);
      await trial.succeeds('CreateEndpoint', request, 'an endpoint to be made');
      await trial.answers('CreateEndpoint', request);
      await joined(trial, endpoint);
      await takenBack(trial, endpoint);
      await deleted(trial, network);
    },
  },
  {
    id: 'network/endpoint-delete-again',
    title: 'A DeleteEndpoint that is repeated, or of an endpoint that is not there, does no harm',
    why: 'An engine that was killed, or got no answer, deletes what it cannot know to be gone.',
    needs,
    async run(trial) {
      const network = await made(trial);
      const staying = await attached(trial, network);
      const going = await attached(trial, network);
      await trial.succeeds('DeleteEndpoint', going.ids, 'the endpoint to be deleted');
      await trial.answers('DeleteEndpoint', going.ids);
      await trial.answers('DeleteEndpoint', { ...going.ids, EndpointID: trial.freshId() });
      await joined(trial, staying);
    },
  },
  {
    id: 'network/endpoints-at-once',
    title: 'Eight containers that start at once are all connected, each by an interface of its own',
    why: 'After a boot, and with every `docker compose up`, they all come together.',
    needs,
    async run(trial) {
      const network = await made(trial);
      const each = Array.from({ length: 8 }, async () => {
        const endpoint = await attached(trial, network);
        await joined(trial, endpoint);
        return endpoint;
      });
      const endpoints = await Promise.all(each);
      const { links } = network;
      trial.holds(new Set(links).size === links.length, 'eight interfaces', undefined, `they are ${links.join(', ')}`);
      await Promise.all(endpoints.map((endpoint) => takenBack(trial, endpoint)));
      await deleted(trial, network);
    },
  },
  {
    id: 'network/external-connectivity',
    title: 'Calls about published ports are taken, also when they are repeated, or answered with status 404',
    why: 'dockerd makes them for the network that leads a container out, before and after it runs. What it reads from a refusal is that the container cannot start.',
    needs,
    async run(trial) {
      const endpoint = await attached(trial, await made(trial));
      await joined(trial, endpoint);
      await trial.doesOrLacks('ProgramExternalConnectivity', { ...endpoint.ids, Options: noPorts });
      await trial.doesOrLacks('RevokeExternalConnectivity', endpoint.ids);
      await trial.doesOrLacks('RevokeExternalConnectivity', endpoint.ids);
    },
  },
);

/** The MAC address that the plugin chooses for a new endpoint; empty: none. */
async function macOf(trial: NetworkTrial, network: Network): Promise<string> {
  const endpoint = newEndpoint(trial, network);
  takenBackAtTheEnd(trial, endpoint);
  const request = await endpointCreation(endpoint);
  const { Interface } = await trial.succeeds('CreateEndpoint', request, 'an endpoint to be made');
  return Interface?.MacAddress ?? '';
}
