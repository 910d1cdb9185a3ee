import { invalidParameter } from '@cleat/protocol/errors';

/**
 * A JSON list of strings; undefined for what is no list.
 * @throws InvalidParameter for a list of something else (buildkit `parser/line_parsers.go`)
 */
export function jsonList(text: string): string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // As in a Dockerfile: what is no JSON is a line for the shell, or words.
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  return parsed.map((item) => {
    if (typeof item === 'string') return item;
    throw invalidParameter('when using JSON array syntax, arrays must be comprised of strings only');
  });
}

/** Words of a line; what quotes and backslashes hold together stays together, with them. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*(?:\\?$|")|'[^']*(?:'|$)|\\.|\\$|[^\s"'\\])+/gsu) ?? [];
  return words.map((word) => word.replace(/(?<!\\)((?:\\\\)*)\\$/s, '$1'));
}

/**
 * `a=1 b="2 3"`, or the old form `a 1`; quotes stay, to be removed when values are expanded.
 * @throws InvalidParameter
 */
export function pairsOf(rest: string, name: string): [key: string, value: string][] {
  const words = wordsOf(rest);
  const [first] = words;
  if (first === undefined) throw invalidParameter(`${name} requires at least one argument`);
  if (!first.includes('=')) {
    const space = /[\t\v\f\r ]+/.exec(rest);
    if (!space) throw invalidParameter(`${name} must have two arguments`);
    return [[named(rest.slice(0, space.index), name), rest.slice(space.index + space[0].length)]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      throw invalidParameter(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    }
    return [named(word.slice(0, equals), name), word.slice(equals + 1)];
  });
}

function named(key: string, name: string): string {
  if (key === '') throw invalidParameter(`${name} names can not be blank`);
  return key;
}

/** `["a", "b"]`, or words. @throws InvalidParameter */
export function listOf(rest: string, name: string): string[] {
  const list = jsonList(rest) ?? (rest === '' ? [] : rest.split(/[\t\v\f\r ]+/));
  if (list.length === 0) throw invalidParameter(`${name} requires at least one argument`);
  return list;
}

/** Everything that follows, as one. @throws InvalidParameter */
export function oneOf(rest: string, name: string): string {
  if (rest === '') throw invalidParameter(`${name} requires exactly one argument`);
  return rest;
}

/**
 * Flags of an instruction by name. @throws InvalidParameter for one that it has not (buildkit `instructions/bflag.go`)
 */
export function flagValues(flags: readonly string[], known: readonly string[] = []): Map<string, string> {
  const values = new Map<string, string>();
  for (const flag of flags) {
    const [shown = ''] = flag.split('=', 1);
    const name = shown.slice(2);
    if (!known.includes(name)) throw invalidParameter(`unknown flag: ${shown}`);
    if (values.has(name)) throw invalidParameter(`duplicate flag specified: ${shown}`);
    if (!flag.includes('=')) throw invalidParameter(`missing a value on flag: ${shown}`);
    values.set(name, flag.slice(shown.length + 1));
  }
  return values;
}
