import { writeFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { ContainerSummary } from '@cleat/protocol/api/container';
import type { NetworkResource } from '@cleat/protocol/api/network';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { ask } from '../engine/ask.js';
import { type Endpoint, resolveEndpoint } from '../engine/endpoint.js';
import { engineOptions, engineOptionsHelp } from '../engine/options.js';
import { mapOf } from './map/map.js';
import { svg } from './map/svg.js';
import { text } from './map/text.js';

export const networksHelp = `
  cleat networks map [NETWORK…]   which container is on which network, with which addresses and published ports;
                                  NETWORK is a name or an ID: only these, and the containers on them

  -a, --all               Containers that do not run, too: without addresses
      --svg               As a picture, in SVG
  -o, --output FILE       Written to a file; a name that ends in .svg means --svg
      --json              As JSON
${engineOptionsHelp}`;

/** Options of the command; shells complete them. */
export const networksOptions = {
  ...engineOptions,
  all: { type: 'boolean', short: 'a' },
  svg: { type: 'boolean' },
  output: { type: 'string', short: 'o' },
  json: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

/**
 * `cleat networks map`: a picture of an engine's networks. Any engine with Docker's API will do.
 * @throws InvalidParameter, NotFound, Unavailable
 */
export async function networksCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: networksOptions });
  const [verb, ...wanted] = positionals;
  if (verb !== 'map') throw invalidParameter(`use: cleat networks map [NETWORK…]\n${networksHelp}`);
  const { all = false, output, json = false } = values;
  const drawn = values.svg ?? (!json && output?.endsWith('.svg') === true);
  if (json && drawn) throw invalidParameter('--json and --svg are two forms of the same: choose one');
  const map = mapOf(...(await look(resolveEndpoint(values), all)), wanted);
  const made = drawn ? svg(map) : json ? `${JSON.stringify(map, null, 2)}\n` : text(map);
  if (output === undefined) process.stdout.write(made);
  else write(output, made);
  return 0;
}

/** Both lists at once, so that they are of about the same moment. */
async function look(endpoint: Endpoint, all: boolean): Promise<[NetworkResource[], ContainerSummary[]]> {
  const [networks, containers] = await Promise.all([
    ask(endpoint, '/networks'),
    ask(endpoint, `/containers/json?all=${all}`),
  ]);
  return [networks as NetworkResource[], containers as ContainerSummary[]];
}

function write(file: string, made: string): void {
  try {
    writeFileSync(file, made);
  } catch (error) {
    throw invalidParameter(`cannot write the map: ${messageOf(error)}`);
  }
}
