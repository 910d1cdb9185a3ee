import { apiOptions } from './api.js';
import { containerOptions } from './containers.js';
import { extensionOptions } from './extensions.js';
import { generalOptions } from './general.js';
import { ignoredOptions } from './ignored.js';
import { imageOptions } from './images.js';
import { networkOptions } from './networks.js';
import { keyOf, type Option, type OptionType, type ValueOf } from './option.js';

/** Every option of the daemon, in the order of `--help`. */
const all = [
  ...generalOptions,
  ...apiOptions,
  ...extensionOptions,
  ...containerOptions,
  ...networkOptions,
  ...imageOptions,
  ...ignoredOptions,
] as const;

type Known = (typeof all)[number];
export type Flag = Known['flag'];

/** Every option's value, typed, by flag. */
export type Values = { [O in Known as O['flag']]: ValueOf<O['type']> };

export const options: readonly Option[] = all;
export const byFlag: ReadonlyMap<string, Option> = new Map(options.map((one) => [one.flag, one]));
export const byShort: ReadonlyMap<string, Option> = new Map(
  options.flatMap((one): [string, Option][] => (one.short === undefined ? [] : [[one.short, one]])),
);
export const byKey: ReadonlyMap<string, Option> = new Map(
  options.flatMap((one): [string, Option][] => {
    const key = keyOf(one);
    return key === null ? [] : [[key, one], ...(one.oldKeys ?? []).map((old): [string, Option] => [old, one])];
  }),
);

const zero: { [T in OptionType]: () => ValueOf<T> } = {
  bool: () => false,
  int: () => 0,
  string: () => '',
  list: () => [],
  map: () => ({}),
  bytes: () => 0,
  duration: () => 0,
  runtimes: () => ({}),
  ulimits: () => ({}),
  'driver-options': () => ({}),
  pools: () => [],
  extensions: () => ({}),
  json: () => undefined,
};

export function defaultOf(one: Option): unknown {
  return one.default ?? zero[one.type]();
}

/** Puts values that were set over the defaults. */
export function withDefaults(set: ReadonlyMap<string, unknown>): Values {
  const values = Object.fromEntries(options.map((one) => [one.flag, set.get(one.flag) ?? defaultOf(one)]));
  // The table's types and the parsers' results agree: `values.ts` returns ValueOf<T> for type T.
  return values as Values;
}
