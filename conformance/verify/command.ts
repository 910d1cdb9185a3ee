import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { invalidParameter, isClass, messageOf } from '@cleat/protocol/errors';
import { fitted, usageComplaint } from '@cleat/protocol/usage';
import { jsonReport } from '../report/json.js';
import { junitReport } from '../report/junit.js';
import type { Report } from '../report/report.js';
import { tapReport } from '../report/tap.js';
import { textReport } from '../report/text.js';
import { allCases, type VerifyOptions, verify } from './verify.js';

export const verifyHelp = `Usage: cleat verify PLUGIN [OPTION…]

Tests a Docker plugin, in any language, through its socket, kind by kind, with the calls that engines really make.
PLUGIN is the path of a socket, of a .spec or .json file, an address (unix:///…, tcp://…), or a name. "cleat verify" also
takes a package, NAME.tar of "cleat package": a Cleat engine of this host runs it in its sandbox.

  --read-only           change nothing: for a plugin in production
  --start COMMAND       the command that starts the plugin and stays in front; it is killed and started again, to see
                        what a crash costs. Not with a plugin that somebody else started
  --elsewhere           paths and interfaces that it answers are not of this host (it runs in a container): do not look
                        at them
  --opt KEY=VALUE       an option that it needs to make something; repeatable. For a provider of secrets, secret=NAME
                        is one that there is, and the others are its labels
  --ipam-opt KEY=VALUE  an option that it needs to give a subnet; repeatable
  --ipam-driver PLUGIN  networks get their subnets and addresses from that address plugin. Default: from the verifier; if
                        the plugin refuses those and is an address plugin, too, from itself
  --only ID, --skip ID  cases, or the beginning of their names (volume/); or with * in them; several with commas, or
                        repeated. With --list: show these
  --timeout SECONDS     how long one call may take; default 20
  --plugin-dir DIR      where names are looked up; repeatable; default: where engines look
  --strict              a warning counts as a failure
  --format FORMAT       text (default), tap, junit or json
  --output FILE         write the report there
  -H, --host HOST       of "cleat verify", for a package: unix:///PATH of the engine; else as the docker CLI finds it
  --verbose             show every call of a case that failed
  --list                show the cases

Exit status: 0 it is what engines expect, 1 it is not, 2 it could not be found out, 130 it was interrupted.
`;

const reports: Record<string, (verbose: boolean, toFile: boolean) => Report> = {
  text: (verbose, toFile) =>
    textReport({ verbose, colour: !toFile && process.stdout.isTTY === true && !process.env.NO_COLOR }),
  tap: tapReport,
  junit: junitReport,
  json: jsonReport,
};

/** `cleat verify`. @returns the exit status */
export async function verifyCommand(args: string[]): Promise<number> {
  try {
    return await verifyFrom(args);
  } catch (error) {
    process.stderr.write(`cleat verify: ${messageOf(error)}\n`);
    return isClass(error, 'Cancelled') ? 130 : 2;
  }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C, as long as this is not disposed: the plugin that was started, and what was made at it, must not be left behind. */
class Interruption implements Disposable {
  readonly #stop = new AbortController();
  readonly #onSignal = () => this.#stop.abort();

  constructor() {
    for (const name of signals) process.once(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  [Symbol.dispose](): void {
    for (const name of signals) process.removeListener(name, this.#onSignal);
  }
}

/** The reader of what is printed may be gone: what was begun is finished nevertheless. */
function onPrintError(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

async function verifyFrom(args: string[]): Promise<number> {
  const { values, positionals } = parsed(args);
  if (values.help) {
    process.stdout.write(fitted(verifyHelp, process.stdout.columns));
    return 0;
  }
  if (values.list) {
    process.stdout.write(listOfCases(selectionOf(values)));
    return 0;
  }
  const [plugin, ...more] = positionals;
  if (plugin === undefined || more.length > 0) throw invalidParameter('name one plugin, or see cleat verify --help');
  const made = reports[values.format ?? 'text'];
  if (!made) throw invalidParameter(`--format knows ${Object.keys(reports).join(', ')}, not '${values.format}'`);
  if (values.output !== undefined) checkWritable(values.output);
  const report = made(values.verbose === true, values.output !== undefined);
  let written = '';
  const print = (text = '') => {
    if (values.output === undefined) process.stdout.write(text);
    else written += text;
  };
  // It stays: what is printed last may fail late.
  if (!process.stdout.listeners('error').includes(onPrintError)) process.stdout.on('error', onPrintError);
  using interruption = new Interruption();
  const verdict = await verify(plugin, {
    ...optionsOf(values),
    signal: interruption.signal,
    onResult: (result) => print(report.result?.(result)),
  });
  print(report.verdict(verdict));
  if (values.output !== undefined) writeFileSync(values.output, written);
  if (verdict.results.every(({ outcome }) => outcome === 'skipped')) return 2;
  const warned = verdict.results.some(({ outcome }) => outcome === 'warned');
  return verdict.conformant && !(values.strict && warned) ? 0 : 1;
}

/** Options of the command; shells complete them. */
export const verifyOptions = {
  'read-only': { type: 'boolean' },
  start: { type: 'string' },
  elsewhere: { type: 'boolean' },
  opt: { type: 'string', multiple: true },
  'ipam-opt': { type: 'string', multiple: true },
  'ipam-driver': { type: 'string' },
  only: { type: 'string', multiple: true },
  skip: { type: 'string', multiple: true },
  timeout: { type: 'string' },
  'plugin-dir': { type: 'string', multiple: true },
  strict: { type: 'boolean' },
  format: { type: 'string' },
  output: { type: 'string', short: 'o' },
  verbose: { type: 'boolean', short: 'v' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: verifyOptions,
    });
  } catch (cause) {
    throw invalidParameter(usageComplaint(cause) ?? messageOf(cause), { cause });
  }
}

function optionsOf(values: ReturnType<typeof parsed>['values']): VerifyOptions {
  const seconds = Number(values.timeout ?? 20);
  if (!(seconds > 0)) throw invalidParameter(`--timeout takes seconds, not '${values.timeout}'`);
  if (values.start !== undefined && values['read-only'])
    throw invalidParameter('--start kills the plugin: not with --read-only');
  return {
    readOnly: values['read-only'] === true,
    elsewhere: values.elsewhere === true,
    deadlineMs: seconds * 1000,
    ...(values.start === undefined ? {} : { start: values.start }),
    ...(values.opt === undefined ? {} : { options: keyValues('--opt', values.opt) }),
    ...(values['ipam-opt'] === undefined ? {} : { ipamOptions: keyValues('--ipam-opt', values['ipam-opt']) }),
    ...(values['ipam-driver'] === undefined ? {} : { ipamDriver: values['ipam-driver'] }),
    ...selectionOf(values),
    ...(values['plugin-dir'] === undefined ? {} : { directories: values['plugin-dir'] }),
  };
}

/** @throws InvalidParameter for a flag that names nothing: what a script left empty is not everything */
function selectionOf({ only, skip }: { only?: string[] | undefined; skip?: string[] | undefined }) {
  const words = (flag: string, list: readonly string[]): string[] => {
    const named = list.flatMap((text) => text.split(',')).map((word) => word.trim());
    if (named.every((word) => word === '')) throw invalidParameter(`${flag} names no case; --list shows them`);
    return named.filter(Boolean);
  };
  return {
    ...(only === undefined ? {} : { only: words('--only', only) }),
    ...(skip === undefined ? {} : { skip: words('--skip', skip) }),
  };
}

/** Before minutes are spent on a report that nobody gets. @throws InvalidParameter */
function checkWritable(file: string): void {
  try {
    if (existsSync(file) && statSync(file).isDirectory()) throw new Error('it is a directory');
    accessSync(existsSync(file) ? file : dirname(resolve(file)), constants.W_OK);
  } catch (cause) {
    throw invalidParameter(`cannot write ${file}: ${messageOf(cause)}`, { cause });
  }
}

function keyValues(flag: string, list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw invalidParameter(`${flag} takes KEY=VALUE, not '${text}'`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function listOfCases(selection: ReturnType<typeof selectionOf>): string {
  const all = allCases(selection);
  const width = Math.max(...all.map(({ id }) => id.length));
  return all
    .map(({ id, title, weight, needs = [] }) => {
      const notes = [...(weight === 'should' ? ['advice'] : []), ...(needs.includes('changes') ? [] : ['read-only'])];
      return `${id.padEnd(width)}  ${title}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}\n`;
    })
    .join('');
}
