import { didYouMean, fault } from './fault.js';

/** The value of a flag: nothing or true/false, one value, or several by being repeated. */
type Form = 'flag' | 'value' | 'values';

export type Flags<D extends Readonly<Record<string, Form>>> = {
  readonly [N in keyof D]?: D[N] extends 'flag' ? boolean : D[N] extends 'value' ? string : readonly string[];
};

/** Reads an instruction's flags: what is not declared is refused (BuildKit `instructions/bflag.go`). @throws DockerfileFault */
export function readFlags<const D extends Readonly<Record<string, Form>>>(
  given: readonly string[],
  declared: D,
): Flags<D> {
  const found = new Map<string, boolean | string | string[]>();
  for (const flag of given) {
    const at = flag.indexOf('=');
    const shown = at < 0 ? flag : flag.slice(0, at);
    const name = shown.slice(2);
    const value = at < 0 ? undefined : flag.slice(at + 1);
    const form = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (form === undefined) throw fault(`unknown flag: ${shown}${didYouMean(name, Object.keys(declared))}`);
    const before = found.get(name);
    if (before !== undefined && form !== 'values') throw fault(`duplicate flag specified: ${shown}`);
    if (form === 'flag') found.set(name, boolean(shown, value));
    else if (value === undefined) throw fault(`missing a value on flag: ${shown}`);
    else found.set(name, form === 'value' ? value : [...(Array.isArray(before) ? before : []), value]);
  }
  return Object.fromEntries(found) as Flags<D>;
}

function boolean(shown: string, value: string | undefined): boolean {
  if (value === '') throw fault(`missing a value on flag: ${shown}`);
  const text = value?.toLowerCase() ?? 'true';
  if (text !== 'true' && text !== 'false') {
    throw fault(`expecting boolean value for flag ${shown}, not: ${value}`);
  }
  return text === 'true';
}
