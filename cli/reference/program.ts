import { commands } from '../cleat/commands.js';
import { keyOf } from '../cleatd/options/option.js';
import { options } from '../cleatd/options/table.js';

/** An option as a shell completes it. */
export interface Completed {
  /** Without dashes. */
  readonly flag: string;
  readonly short?: string;
  readonly help: string;
  /** What follows it: nothing, a word, or the path of a file or directory. */
  readonly value: 'none' | 'word' | 'path';
  /** Words that may follow, where they are few. */
  readonly choices?: readonly string[];
}

const paths = /root|file|path|manifest|dir$|^tls(cacert|cert|key)$/;
const choices: Readonly<Record<string, readonly string[]>> = {
  'log-level': ['debug', 'info', 'warn', 'error', 'fatal'],
  'log-format': ['text', 'json'],
  'default-ipc-mode': ['private', 'shareable'],
  'default-cgroupns-mode': ['private', 'host'],
};

/** The options of cleatd, from their one table. */
export const daemonOptions: readonly Completed[] = options.flatMap((one): Completed[] => {
  if (one.type === 'json') return [];
  const { flag, short, help } = one;
  const value = one.type === 'bool' ? 'none' : paths.test(flag) && keyOf(one) !== 'runtimes' ? 'path' : 'word';
  return [{ flag, help, value, ...(short && { short }), ...(choices[flag] && { choices: choices[flag] }) }];
});

/** The commands of cleat, from theirs. */
export const toolCommands = Object.entries(commands).map(([name, { help, flags, verbs = [] }]) => ({
  name,
  help,
  words: [...verbs, ...flags, '--help'],
}));
