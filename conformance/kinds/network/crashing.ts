import { networkKind } from '@cleat/protocol/kinds/network';
import { cases, type Need } from '../../verify/case.js';
import { remaining } from '../../verify/links.js';
import { strangers } from './leaving.js';
import { creation, networkAfter } from './networks.js';
import { attached, deleted, gone, joined, joining, linked, made, newNetwork, present, takenBack } from './steps.js';

const needs: readonly Need[] = ['changes', 'restart'];
const host: readonly Need[] = [...needs, 'host'];

/** When to kill it, in milliseconds after a call: on a busy machine, as far into the call as on one that rests. */
async function momentsIn(call: () => Promise<unknown>): Promise<number[]> {
  const began = performance.now();
  await call();
  const took = performance.now() - began;
  return [0, Math.max(2, took / 4), Math.max(5, took / 2), Math.max(10, (took * 3) / 4)];
}

/** Cases about what a plugin knows after it was killed, and what it leaves alone. */
export const crashing = cases(
  networkKind,
  {
    id: 'network/crash-keeps-networks',
    title: 'Killed and started again, it knows its networks',
    why: 'An engine does not make them anew: no container of a network that is forgotten starts again.',
    needs,
    async run(trial) {
      const network = await made(trial);
      await trial.restart();
      const endpoint = await attached(trial, network);
      await joined(trial, endpoint);
      await takenBack(trial, endpoint);
      await deleted(trial, network);
    },
  },
  {
    id: 'network/crash-keeps-deletions',
    title: 'Killed and started again, it does not bring back a network that was deleted',
    why: 'Its subnet would be taken for ever: the engine no longer knows of it.',
    needs,
    async run(trial) {
      const first = await made(trial);
      await deleted(trial, first);
      await trial.restart();
      await deleted(trial, await made(trial, await networkAfter(trial, first)));
    },
  },
  {
    id: 'network/crash-keeps-interfaces',
    title: 'Killed and started again, it leaves the interfaces of running containers alone',
    why: 'Containers run on. A plugin that begins by clearing up cuts all of them off.',
    needs: host,
    async run(trial) {
      const { link } = await linked(trial, await made(trial));
      await trial.restart();
      present(trial, link, 'the container’s interface to be there');
    },
  },
  {
    id: 'network/crash-while-joined',
    title: 'Killed while a container is connected, it takes its Leave and DeleteEndpoint afterwards',
    why: 'Plugins that begin at zero know nothing of the endpoint, and its interface stays.',
    needs: host,
    async run(trial) {
      const { endpoint, link } = await linked(trial, await made(trial));
      await trial.restart();
      await takenBack(trial, endpoint);
      await gone(trial, link, 'the interface to be gone');
      await deleted(trial, endpoint.network);
    },
  },
  {
    id: 'network/crash-before-join',
    title: 'Killed between CreateEndpoint and Join, it lets the endpoint go, and the next one come',
    why: 'The engine takes back the start of that container, and its user starts it again.',
    needs,
    async run(trial) {
      const network = await made(trial);
      const endpoint = await attached(trial, network);
      await trial.restart();
      await trial.doesOrRefuses('Join', joining(endpoint));
      await trial.answers('Leave', endpoint.ids);
      await trial.answers('DeleteEndpoint', endpoint.ids);
      const next = await attached(trial, network);
      await joined(trial, next);
      await takenBack(trial, next);
      await deleted(trial, network);
    },
  },
  {
    id: 'network/crash-in-a-create',
    title: 'Killed in the middle of CreateNetwork, it has the network as a whole or not at all',
    why: 'dockerd sends the call again, other engines delete what may have been made. A network that is half there takes its subnet for ever.',
    needs,
    async run(trial) {
      const first = await newNetwork(trial);
      for (const ms of await momentsIn(() => made(trial, first))) {
        const network = await newNetwork(trial);
        const asked = trial.ask('CreateNetwork', creation(trial, network));
        await new Promise((resolve) => setTimeout(resolve, ms));
        await trial.kill();
        await asked;
        await trial.start();
        await trial.answers('DeleteNetwork', { NetworkID: network.id });
        await deleted(trial, await made(trial, await networkAfter(trial, network)));
      }
    },
  },
  {
    id: 'network/crash-in-a-join',
    title: 'Killed in the middle of Join, it leaves no interface after Leave and DeleteEndpoint',
    why: 'Nobody else knows of what it had made.',
    needs: host,
    async run(trial) {
      const network = await made(trial);
      const strange = await strangers(trial, network);
      const first = await attached(trial, network);
      const moments = await momentsIn(() => joined(trial, first));
      await takenBack(trial, first);
      for (const ms of moments) {
        const endpoint = await attached(trial, network);
        const asked = trial.ask('Join', joining(endpoint));
        await new Promise((resolve) => setTimeout(resolve, ms));
        await trial.kill();
        await asked;
        await trial.start();
        await trial.answers('Leave', endpoint.ids);
        await trial.answers('DeleteEndpoint', endpoint.ids);
      }
      const left = await remaining(trial.session, strange);
      trial.holds(left.length === 0, 'no interface to be left', undefined, `there is ${left.join(', ')}`);
      await deleted(trial, network);
    },
  },
);
