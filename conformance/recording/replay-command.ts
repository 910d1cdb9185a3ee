import { resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import { fitted, usageComplaint } from '@cleat/protocol/usage';
import { serveUntilSignal } from '@cleat/sdk/server';
import { pluginDirectories, reach, socketOfName } from '../reach.js';
import { readRecording } from './parse.js';
import { exchangesOf, type Recording } from './recording.js';
import { type ReplayResult, replay } from './replay.js';
import { type StandIn, standIn } from './stand-in.js';
import { checkThere } from './there.js';

export const replayHelp = `Usage: cleat replay FILE PLUGIN [--ignore KEY]... [--speed N] [--json]
       cleat replay FILE --serve NAME|PATH [--any-order] [--timing] [--ignore KEY]...

The first form asks a plugin what was recorded, in the same order, and compares its answers. PLUGIN is a name, an
address (unix:///path, tcp://host:port), or the path of a socket, .spec or .json.

  --speed N        1: no call comes sooner than it was recorded, 2: twice as fast, ...
                   Default: as fast as the order permits
  --ignore KEY     Values of this key may differ, at any depth, in any case; repeatable
  --json           The result as JSON

The second form answers an engine as the recorded plugin did, until Ctrl-C, and says at the end what was asked that the
recording does not have, and what was not asked.

  --serve NAME|PATH  Where: the name of a plugin, which makes ${pluginDirectories[0]}/NAME.sock, or a path
  --any-order        Calls may come in another order than the recorded one
  --timing           Answers take as long as they took
  --ignore KEY       Values of this key in requests may differ

Exit codes: 0 all went as recorded, 1 something did not, 2 it could not be tried.

In the file the order of lines is the order of what happens. Values may be changed, lines moved and taken out; "<any>"
stands for any value, also within a text, and "<any:NAME>" for one that is the same wherever NAME is said.
What is made anew each time need not be marked: what takes the place of a recorded mount ID, network ID, endpoint ID,
container ID, sandbox key, FIFO, mount point, pool ID, interface or MAC address takes it everywhere; moments may differ.
`;

/** `cleat replay`. Never throws: what keeps it from being tried is told on stderr. @returns the exit code */
export async function replayCommand(args: string[]): Promise<number> {
  try {
    return await command(args);
  } catch (error) {
    process.stderr.write(`cleat replay: ${usageComplaint(error) ?? messageOf(error)}\n`);
    return 2;
  }
}

/** Options of the command; shells complete them. */
export const replayOptions = {
  serve: { type: 'string' },
  'any-order': { type: 'boolean' },
  timing: { type: 'boolean' },
  ignore: { type: 'string', multiple: true },
  speed: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

/** @throws InvalidParameter, NotFound, Conflict */
async function command(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: replayOptions,
  });
  if (values.help) {
    process.stdout.write(fitted(replayHelp, process.stdout.columns));
    return 0;
  }
  const [file, plugin, ...more] = positionals;
  const { serve, ignore = [] } = values;
  if (file === undefined || more.length > 0 || (plugin === undefined) === (serve === undefined)) {
    throw invalidParameter('name a recording, and either a plugin or --serve: see cleat replay --help');
  }
  const recording = readRecording(file);
  if (exchangesOf(recording).size === 0) throw invalidParameter(`${file} holds no call: there is nothing to replay`);
  if (serve !== undefined) {
    const { 'any-order': anyOrder, timing } = values;
    return serveRecording(recording, serve, { anyOrder: anyOrder === true, timing: timing === true, ignore });
  }
  await checkThere(reach(plugin ?? ''));
  const result = await replay(recording, plugin ?? '', { ignore, speed: speedOf(values.speed) });
  process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : replayReport(result));
  return result.differences.length === 0 ? 0 : 1;
}

/** @throws InvalidParameter */
function speedOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const speed = Number(text);
  if (!(speed > 0 && speed < Infinity)) throw invalidParameter(`--speed takes a number above 0, not '${text}'`);
  return speed;
}

async function serveRecording(
  recording: Recording,
  where: string,
  how: { anyOrder: boolean; timing: boolean; ignore: readonly string[] },
): Promise<number> {
  const socket = where.includes('/') ? resolve(where) : socketOfName('--serve', where);
  const one = await serveUntilSignal(async () => {
    const served = await standIn({ recording, socket, ...how });
    process.stderr.write(`standing in for ${readable(recording.plugin, 200)} at ${socket}; Ctrl-C ends it\n`);
    return served;
  });
  process.stdout.write(standInReport(one));
  if (one.calls === 0) return 1;
  return one.strange.length + one.neverAsked.length === 0 ? 0 : 1;
}

/** For people. */
export function replayReport({ calls, differences }: ReplayResult): string {
  if (differences.length === 0) return `${calls} calls went as recorded.\n`;
  const each = differences.map(({ call, method, request, what }) => {
    const lines = what.map((one) => `  ${one}\n`).join('');
    return `call ${call}: ${method} ${readable(request, 300)}\n${lines}`;
  });
  return `${each.join('')}${differences.length} of ${calls} calls did not go as recorded.\n`;
}

/** For people. */
export function standInReport({ calls, strange, neverAsked }: StandIn): string {
  // The same as of a recording of nothing: it would look as if all was well.
  if (calls === 0) return 'nothing was asked, so nothing is known: engines keep connections that they have open\n';
  const lines = [...strange, ...neverAsked].map((one) => `${readable(one, 1_000)}\n`).join('');
  const sum = strange.length + neverAsked.length;
  return `${lines}${calls} calls were made; ${sum === 0 ? 'all went as recorded' : `${sum} did not go as recorded`}.\n`;
}
