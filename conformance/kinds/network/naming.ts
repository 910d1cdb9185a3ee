import { messageOf } from '@cleat/protocol/errors';
import { type NamesElsewhere, namesElsewhereLimits, netlabel, networkKind } from '@cleat/protocol/kinds/network';
import { readNamesElsewhere } from '@cleat/protocol/names-elsewhere';
import { cases, type Need } from '../../verify/case.js';
import type { Said } from '../../verify/finding.js';
import { Inapplicable } from '../../verify/trial.js';
import { capabilities, type Network, type NetworkTrial } from './networks.js';
import { attached, endpointCreation, joined, made, newEndpoint, takenBackAtTheEnd } from './steps.js';

const needs: readonly Need[] = ['changes'];
/** Callers that hang up one after another. */
const watchers = 20;

/** Calls of drivers that carry names between hosts. */
export const naming = cases(
  networkKind,
  {
    id: 'network/names',
    title: 'WatchNames answers at once with a line that is the whole list',
    why: 'An engine that has just started takes the first line for all that there is. Without it names are those of before.',
    needs,
    async run(trial) {
      const network = await sharing(trial);
      const { line, said } = await firstLine(trial, network);
      const { Endpoints } = readLine(trial, line, said);
      const { line: longest, endpoints } = namesElsewhereLimits;
      trial.holds(Buffer.byteLength(line) <= longest, `a line of ${longest} bytes at most`, said);
      trial.holds(Endpoints.length <= endpoints, `at most ${endpoints} endpoints`, said);
    },
  },
  {
    id: 'network/names-of-others',
    title: 'WatchNames leaves out the endpoints of the engine that asks',
    why: 'They are known better here. A name that goes on after its container does leads nowhere.',
    weight: 'should',
    needs,
    async run(trial) {
      const network = await sharing(trial);
      const name = trial.fresh();
      const endpoint = newEndpoint(trial, network);
      takenBackAtTheEnd(trial, endpoint);
      const request = await endpointCreation(endpoint);
      const Options = { ...request.Options, [netlabel.endpointNames]: [name] };
      await trial.succeeds('CreateEndpoint', { ...request, Options }, 'an endpoint to be made');
      await joined(trial, endpoint);
      const { line, said } = await firstLine(trial, network);
      const names = readLine(trial, line, said).Endpoints.flatMap(({ Names }) => Names);
      trial.holds(!names.includes(name), `a list without ${name}, an endpoint of this host`, said, line);
    },
  },
  {
    id: 'network/names-unknown',
    title: 'WatchNames of a network that is not there is refused',
    why: 'A stream without an end would look like a network on which nobody is.',
    needs,
    async run(trial) {
      await sharing(trial);
      const { line, said } = await firstLine(trial, { id: trial.freshId() });
      trial.holds(said.status !== 0 && said.status !== 200, 'a refusal', said, line || undefined);
    },
  },
  {
    id: 'network/names-hang-up',
    title: 'Callers of WatchNames that hang up leave nothing behind',
    why: 'An engine asks anew after each minute of silence, for every network.',
    needs,
    async run(trial) {
      const network = await sharing(trial);
      for (let n = 0; n < watchers; n++) {
        const { line, said } = await firstLine(trial, network);
        readLine(trial, line, said);
      }
      await joined(trial, await attached(trial, network));
    },
  },
  {
    id: 'network/rename',
    title: 'RenameEndpoint may be repeated, and comes for endpoints that were made without names',
    why: 'A container is renamed while it runs; a driver that was away hears of it when it is back.',
    needs,
    async run(trial) {
      const network = await sharing(trial);
      const endpoint = await attached(trial, network);
      await joined(trial, endpoint);
      const Names = [trial.fresh(), 'alias'];
      for (const names of [Names, Names, ['another'], []]) {
        await trial.succeeds('RenameEndpoint', { ...endpoint.ids, Names: names }, 'the names to be taken');
      }
      const gone = { NetworkID: network.id, EndpointID: trial.freshId() };
      await trial.answers('RenameEndpoint', { ...gone, Names });
    },
  },
);

/** A network of a driver that shares names. @throws Inapplicable for others */
async function sharing(trial: NetworkTrial): Promise<Network> {
  const { SharesNames } = await capabilities(trial);
  if (!SharesNames) throw new Inapplicable('it does not declare SharesNames');
  return await made(trial);
}

/** The first line that comes, without its end; the caller hangs up then. */
async function firstLine(trial: NetworkTrial, { id }: Pick<Network, 'id'>): Promise<{ line: string; said: Said }> {
  const enough = new AbortController();
  let bytes = Buffer.alloc(0);
  const take = (chunk: Uint8Array) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.includes(10) || bytes.length > namesElsewhereLimits.line) enough.abort();
  };
  const said = await trial.ask('WatchNames', { NetworkID: id }, { take, signal: enough.signal });
  const [line = ''] = bytes.toString('utf8').split('\n', 1);
  return { line, said };
}

function readLine(trial: NetworkTrial, line: string, said: Said): NamesElsewhere {
  const expected = 'a line such as {"Endpoints":[{"Names":["web"],"Addresses":["10.9.0.2"]}]}';
  trial.holds(line !== '', expected, said);
  try {
    return readNamesElsewhere(line);
  } catch (error) {
    trial.holds(false, expected, said, messageOf(error));
    throw error;
  }
}
