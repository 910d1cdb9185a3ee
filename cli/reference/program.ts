import type { ParseArgsConfig } from 'node:util';
import { commands } from '../cleat/commands.js';
import { keyOf } from '../cleatd/options/option.js';
import { options } from '../cleatd/options/table.js';

/** An option as a shell completes it. */
export interface Completed {
  /** Without dashes. */
  readonly flag: string;
  readonly short?: string;
  readonly help: string;
  /** Its value: none, a word, or the path of a file or directory. */
  readonly value: 'none' | 'word' | 'path';
  /** Words that may follow, where they are few. */
  readonly choices?: readonly string[];
}

/** A command of `cleat` as a shell completes it. */
export interface CompletedCommand {
  readonly name: string;
  readonly help: string;
  readonly verbs: readonly string[];
  readonly options: readonly Completed[];
}

/** Options of these names take a path. */
const daemonPaths = /root|file|path|manifest|dir$|^tls(cacert|cert|key)$/;
const toolPaths = /^(output|data-root|exec-root|plugin-dir|packages|tls(cacert|cert|key))$/;

/** The options of cleatd, from their one table. */
export const daemonOptions: readonly Completed[] = options.flatMap((one): Completed[] => {
  if (one.type === 'json') return [];
  const { flag, short, help, choices } = one;
  const value = one.type === 'bool' ? 'none' : daemonPaths.test(flag) && keyOf(one) !== 'runtimes' ? 'path' : 'word';
  return [{ flag, help, value, ...(short && { short }), ...(choices && { choices }) }];
});

/** The commands of cleat, from theirs. */
export const toolCommands: readonly CompletedCommand[] = await Promise.all(
  Object.entries(commands).map(async ([name, { help, verbs = [], options: read }]) => ({
    name,
    help,
    verbs,
    options: Object.entries<Parsed>({ ...(await read()), help: { type: 'boolean', short: 'h' } }).map(toolOption),
  })),
);

type Parsed = NonNullable<ParseArgsConfig['options']>[string];

function toolOption([flag, { type, short }]: [string, Parsed]): Completed {
  const value = type === 'boolean' ? 'none' : toolPaths.test(flag) ? 'path' : 'word';
  return { flag, help: '', value, ...(short && { short }) };
}
