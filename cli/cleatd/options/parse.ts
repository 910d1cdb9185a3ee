import { nearest } from '@cleat/protocol/nearest';
import { keyOf, type Option } from './option.js';
import { byFlag, byShort, options } from './table.js';
import { addText, BadValue } from './values.js';

/** A mistake on the command line or in the file: one readable line, shown without a stack. */
export class UsageError extends Error {}

/**
 * Reads flags as dockerd (pflag) does: `--x=v`, `--x v`, `-x v`, `-xv`, `-x=v`, grouped short booleans; a boolean takes
 * a value only after `=`.
 * @returns what was set, by flag.
 * @throws UsageError
 */
export function parseFlags(argv: readonly string[]): Map<string, unknown> {
  const set = new Map<string, unknown>();
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word.startsWith('--') && word.length > 2) long(word, rest, set);
    else if (word.startsWith('-') && word.length > 1 && word !== '--') short(word, rest, set);
    else if (word !== '--' || rest.length > 0) throw new UsageError(`"cleatd" accepts no arguments, found: ${word}`);
  }
  return set;
}

function long(word: string, rest: string[], set: Map<string, unknown>): void {
  const at = word.indexOf('=');
  const name = at === -1 ? word.slice(2) : word.slice(2, at);
  const one = byFlag.get(name);
  // Keys such as `proxies` and `features` exist in the file only.
  if (one === undefined || one.type === 'json') throw new UsageError(`unknown flag: --${name}${hint(name)}`);
  const value = at === -1 ? next(one, `--${name}`, rest) : word.slice(at + 1);
  put(one, `--${name}`, value, set);
}

function short(word: string, rest: string[], set: Map<string, unknown>): void {
  let letters = word.slice(1);
  while (letters !== '') {
    const letter = letters.charAt(0);
    const one = byShort.get(letter);
    if (one === undefined) throw new UsageError(`unknown shorthand flag: '${letter}' in ${word}`);
    const label = `-${letter}, --${one.flag}`;
    letters = letters.slice(1);
    if (letters.startsWith('=')) {
      put(one, label, letters.slice(1), set);
      return;
    }
    if (one.type !== 'bool') {
      put(one, label, letters || next(one, `-${letter}`, rest), set);
      return;
    }
    put(one, label, 'true', set);
  }
}

function next(one: Option, label: string, rest: string[]): string {
  if (one.type === 'bool') return 'true';
  const value = rest.shift();
  if (value === undefined) throw new UsageError(`flag needs an argument: ${label}`);
  return value;
}

function put(one: Option, label: string, text: string, set: Map<string, unknown>): void {
  try {
    const before = set.get(one.flag) as never;
    set.set(one.flag, addText(one.type, before, text));
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    throw new UsageError(`invalid argument "${text}" for "${label}" flag: ${error.message}`);
  }
}

function hint(name: string): string {
  const flagOf = new Map(
    options.flatMap((one) => [one.flag, keyOf(one) ?? one.flag].map((known) => [known, one.flag])),
  );
  const near = nearest(name, [...flagOf.keys()]);
  return near === undefined ? '' : ` (did you mean --${flagOf.get(near)}?)`;
}
