import { networkKind } from '@cleat/protocol/kinds/network';
import { cases, type Need } from '../../verify/case.js';
import { interfaceNames, remaining, Sandbox } from '../../verify/links.js';
import { Inapplicable } from '../../verify/trial.js';
import type { NetworkTrial } from './networks.js';
import { attached, deleted, type Endpoint, gone, joined, joining, linked, made, present, takenBack } from './steps.js';

const changes: readonly Need[] = ['changes'];
const host: readonly Need[] = ['changes', 'host'];

/** Leave and DeleteEndpoint after a Join, in whatever order and however often. */
export const leaving = cases(
  networkKind,
  {
    id: 'network/leave',
    title: 'After Leave and DeleteEndpoint the interface is gone',
    why: 'Engines remove none: what is left behind adds up, one for each `docker run`.',
    needs: host,
    async run(trial) {
      const { endpoint, link } = await linked(trial, await made(trial));
      await takenBack(trial, endpoint);
      await gone(trial, link, 'the interface to be gone');
    },
  },
  {
    id: 'network/leave-moved',
    title: 'An interface that was in a container is gone after Leave and DeleteEndpoint',
    why: 'dockerd calls Leave while the interface is in the container, then moves it back to the host, then calls DeleteEndpoint.',
    needs: host,
    async run(trial) {
      await using sandbox = await Sandbox.make();
      const { endpoint, link } = await linked(trial, await made(trial));
      await sandbox.takes(link);
      await trial.succeeds('Leave', endpoint.ids, 'the endpoint to be left');
      await sandbox.givesBack(link);
      await trial.succeeds('DeleteEndpoint', endpoint.ids, 'the endpoint to be deleted');
      await gone(trial, link, 'the interface to be gone');
    },
  },
  {
    id: 'network/leave-vanished',
    title: 'A network whose container’s interface vanished with the container can be deleted',
    why: 'A namespace that ends takes its interfaces along before anybody calls Leave: when a container is killed together with its engine, and when the host was booted.',
    needs: host,
    async run(trial) {
      const endpoint = await vanished(trial);
      await trial.answers('Leave', endpoint.ids);
      await trial.answers('DeleteEndpoint', endpoint.ids);
      await deleted(trial, endpoint.network);
    },
  },
  {
    id: 'network/leave-vanished-succeeds',
    title: 'Leave and DeleteEndpoint succeed where the interface is gone already',
    why: 'There is nothing left to do. Of an error dockerd writes a warning each time; an engine that owes the call repeats it.',
    weight: 'should',
    needs: host,
    run: async (trial) => await takenBack(trial, await vanished(trial)),
  },
  {
    id: 'network/leave-without-join',
    title: 'A Leave of an endpoint that was not joined leaves it as it is',
    why: 'A Join whose answer was lost is taken back, whether it was done or not.',
    needs: changes,
    async run(trial) {
      const endpoint = await attached(trial, await made(trial));
      await trial.answers('Leave', endpoint.ids);
      await trial.answers('Leave', { ...endpoint.ids, EndpointID: trial.freshId() });
      await joined(trial, endpoint);
    },
  },
  {
    id: 'network/leave-again',
    title: 'Leave and DeleteEndpoint that are repeated take nothing from another container',
    why: 'After its own restart an engine repeats what it does not know to be done.',
    needs: host,
    async run(trial) {
      const network = await made(trial);
      const staying = await linked(trial, network);
      const going = await linked(trial, network);
      await takenBack(trial, going.endpoint);
      await trial.answers('Leave', going.endpoint.ids);
      await trial.answers('DeleteEndpoint', going.endpoint.ids);
      present(trial, staying.link, 'the other one to keep its interface');
      await takenBack(trial, staying.endpoint);
      await deleted(trial, network);
    },
  },
  {
    id: 'network/delete-without-leave',
    title: 'DeleteEndpoint without a Leave removes the interface as well',
    why: 'dockerd, when it was killed, deletes endpoints whose containers it no longer finds, without a Leave.',
    needs: host,
    async run(trial) {
      const { endpoint, link } = await linked(trial, await made(trial));
      await trial.succeeds('DeleteEndpoint', endpoint.ids, 'the endpoint to be deleted');
      await gone(trial, link, 'the interface to be gone');
      await deleted(trial, endpoint.network);
    },
  },
  {
    id: 'network/join-again',
    title: 'A Join that is repeated leaves nothing behind after Leave and DeleteEndpoint',
    why: 'dockerd sends a call again when the connection breaks before the answer.',
    needs: host,
    async run(trial) {
      const { endpoint, link } = await linked(trial, await made(trial));
      const again = await trial.answers('Join', joining(endpoint));
      const second = trial.succeeded('Join', again) ? trial.read('Join', again).InterfaceName?.SrcName : undefined;
      if (second) endpoint.network.links.push(second);
      await takenBack(trial, endpoint);
      for (const name of new Set([link, second ?? link])) await gone(trial, name, 'both interfaces to be gone');
    },
  },
  {
    id: 'network/join-hang-up',
    title: 'A Join whose caller hangs up can be taken back, and leaves no interface',
    why: '`docker run` is interrupted, or the engine’s deadline passes: it then sends Leave and DeleteEndpoint, perhaps before the Join is done.',
    needs: host,
    async run(trial) {
      const network = await made(trial);
      const strange = await strangers(trial, network);
      for (const ms of [0, 1, 3, 10, 30]) {
        const endpoint = await attached(trial, network);
        const stop = new AbortController();
        const asked = trial.ask('Join', joining(endpoint), { signal: stop.signal });
        await new Promise((resolve) => setTimeout(resolve, ms));
        stop.abort();
        await asked;
        await trial.answers('Leave', endpoint.ids);
        await trial.answers('DeleteEndpoint', endpoint.ids);
      }
      const left = await remaining(trial.session, strange);
      trial.holds(left.length === 0, 'no interface to be left', undefined, `there is ${left.join(', ')}`);
      await deleted(trial, network);
    },
  },
);

/** An endpoint whose interface went with its container. */
async function vanished(trial: NetworkTrial): Promise<Endpoint> {
  const { endpoint, link } = await linked(trial, await made(trial));
  const sandbox = await Sandbox.make();
  let witness: string;
  try {
    await sandbox.takes(link);
    witness = await sandbox.witness();
  } finally {
    await sandbox[Symbol.asyncDispose]();
  }
  for (const one of [link, witness]) await gone(trial, one, 'the interface to vanish');
  return endpoint;
}

/**
 * How to find what a plugin made for an answer that nobody heard: of the interfaces that come from now on, those whose
 * names begin as its names do. Others make interfaces on this host, too.
 */
export async function strangers(trial: NetworkTrial, network: Endpoint['network']): Promise<() => string[]> {
  const samples = await Promise.all(Array.from({ length: 4 }, () => linked(trial, network)));
  const names = samples.map(({ link }) => link);
  const begin = commonBeginning(names);
  if (begin.length < 2) throw new Inapplicable('the names of its interfaces have nothing in common');
  for (const { endpoint } of samples) await takenBack(trial, endpoint);
  const left = await remaining(trial.session, () => names);
  const before = new Set([...interfaceNames(), ...left]);
  return () => [...interfaceNames()].filter((name) => name.startsWith(begin) && !before.has(name));
}

function commonBeginning([first = '', ...others]: readonly string[]): string {
  let length = first.length;
  for (const name of others) while (!name.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}
