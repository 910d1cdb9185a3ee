import { setTimeout as sleep } from 'node:timers/promises';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { invalidParameter } from '@cleat/protocol/errors';
import { plain, terminalWidth } from '../columns.js';
import { ask } from '../engine/ask.js';
import { type Endpoint, resolveEndpoint } from '../engine/endpoint.js';
import { engineOptions, engineOptionsHelp } from '../engine/options.js';
import { shell } from './shell.js';
import type { Shown, ShownLine } from './shown.js';
import { details, table } from './text.js';

export const extensionsHelp = `
  cleat extensions [ls]           all that the engine knows, a line each
  cleat extensions inspect NAME   everything of one
  cleat extensions logs NAME      its latest lines in the engine's log: what it printed where the engine started it,
                                  and what the engine said of it
  cleat extensions shell NAME [COMMAND…]
                                  a shell, or another command, in the sandbox of a managed plugin

NAME is a driver's name or, where several have it, the entry that "ls" shows.
      --kind KIND       The one of that kind, as VolumeDriver
      --json            As JSON; also --format json
  -f, --follow          logs: go on as lines come
  -n, --tail NUMBER     logs: only so many of the latest lines
${engineOptionsHelp}`;

/** How often a log that is followed is looked at, in ms. */
const followMs = 500;

/** Options of the command; shells complete them. */
export const extensionsOptions = {
  ...engineOptions,
  json: { type: 'boolean' },
  format: { type: 'string' },
  kind: { type: 'string' },
  follow: { type: 'boolean', short: 'f' },
  tail: { type: 'string', short: 'n' },
} as const satisfies ParseArgsConfig['options'];

/**
 * `cleat extensions`: what an engine knows of its extensions.
 * @throws InvalidParameter, NotFound, Unavailable
 */
export async function extensionsCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: extensionsOptions,
  });
  if (values.format !== undefined && values.format !== 'json') throw invalidParameter('--format knows json only');
  const json = values.json === true || values.format === 'json';
  const [verb = 'ls', name, ...more] = positionals;
  if (verb !== 'logs' && (values.follow || values.tail !== undefined)) {
    throw invalidParameter('--follow and --tail belong to: cleat extensions logs NAME');
  }
  if (verb === 'ls' && name === undefined) {
    const all = (await ask(resolveEndpoint(values), '/cleat/extensions')) as Shown[];
    print(json ? asJson(all) : table(all, terminalWidth()));
  } else if (verb === 'inspect' && name !== undefined && more.length === 0) {
    const one = await inspect(resolveEndpoint(values), name, values.kind);
    print(json ? asJson(one) : details(one));
  } else if (verb === 'logs' && name !== undefined && more.length === 0) {
    await logs(resolveEndpoint(values), name, { ...values, json });
  } else if (verb === 'shell' && name !== undefined) {
    return await shell(resolveEndpoint(values), name, more.length > 0 ? more : ['/bin/sh']);
  } else {
    throw invalidParameter(`use: cleat extensions [ls], inspect NAME, logs NAME or shell NAME\n${extensionsHelp}`);
  }
  return 0;
}

async function inspect(endpoint: Endpoint, name: string, kind: string | undefined): Promise<Shown> {
  return (await ask(endpoint, `/cleat/extensions/${encodeURIComponent(name)}${query({ kind })}`)) as Shown;
}

interface LogsOptions {
  readonly json: boolean;
  readonly kind?: string | undefined;
  readonly follow?: boolean | undefined;
  readonly tail?: string | undefined;
}

async function logs(endpoint: Endpoint, name: string, options: LogsOptions): Promise<void> {
  const { kind, json, tail = 'all' } = options;
  if (tail !== 'all' && !/^\d+$/.test(tail)) throw invalidParameter(`--tail takes a number or all, not ${tail}`);
  const path = `/cleat/extensions/${encodeURIComponent(name)}/logs`;
  const after = async (number: number): Promise<ShownLine[]> =>
    (await ask(endpoint, `${path}${query({ kind, after: String(number) })}`)) as ShownLine[];
  const show = (line: ShownLine): void => print(json ? `${JSON.stringify(line)}\n` : asText(line));
  const all = await after(0);
  for (const line of tail === 'all' ? all : all.slice(Math.max(0, all.length - Number(tail)))) show(line);
  if (all.length === 0) process.stderr.write(await whyNone(endpoint, name, kind));
  let last = all.at(-1)?.number ?? 0;
  while (options.follow) {
    await sleep(followMs);
    for (const line of await after(last)) {
      show(line);
      last = line.number;
    }
  }
}

/** The engine cannot know what a plugin prints that somebody else has started. */
async function whyNone(endpoint: Endpoint, name: string, kind: string | undefined): Promise<string> {
  const { entry, carrier, provider } = await inspect(endpoint, name, kind);
  const own = provider
    ? `It runs in a container: docker logs ${plain(provider.name)}`
    : 'The engine did not start it: what it prints goes where it was started, for example into journalctl.';
  return `The engine's log has no line of ${name} yet.\n${entry === undefined && carrier !== 'managed' ? `${own}\n` : ''}`;
}

/** A message may have lines of its own; none of them looks like a line of the log. */
function asText({ at, level, text }: ShownLine): string {
  return `${at} ${level.toUpperCase()} ${text.split('\n').map(plain).join('\n  ')}\n`;
}

function query(values: Readonly<Record<string, string | undefined>>): string {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined) given.set(key, value);
  return given.size === 0 ? '' : `?${given}`;
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}
