import { parseDuration } from '@cleat/protocol/go-duration';
import { isRecord } from '@cleat/protocol/json-text';
import type { ExtensionValue, Option, OptionType, RuntimeValue, ValueOf } from './option.js';

/** Why a value does not fit; completes "invalid argument … : …". */
export class BadValue extends Error {}

/**
 * One text from the command line onto what the flag holds already.
 * @throws BadValue
 */
export function addText<T extends OptionType>(type: T, before: ValueOf<T> | undefined, text: string): ValueOf<T> {
  const add: (before: ValueOf<T> | undefined, text: string) => ValueOf<T> = texts[type];
  return add(before, text);
}

/**
 * A value of `daemon.json`.
 * @throws BadValue
 */
export function fromJson(one: Option, value: unknown): unknown {
  return jsons[one.type](value);
}

const texts: { [T in OptionType]: (before: ValueOf<T> | undefined, text: string) => ValueOf<T> } = {
  bool: (_, text) => parseBool(text),
  int: (_, text) => parseInteger(text),
  string: (_, text) => text,
  list: (before = [], text) => [...before, text],
  map: (before = {}, text) => ({ ...before, ...pair(text) }),
  bytes: (_, text) => parseBytes(text),
  duration: (_, text) => durationOf(text),
  runtimes: (before = {}, text) => ({ ...before, ...runtime(text) }),
  ulimits: (before = {}, text) => ({ ...before, ...ulimit(text) }),
  'driver-options': (before = {}, text) => withDriverOption(before, text),
  pools: (before = [], text) => [...before, pool(text)],
  extensions: (before = {}, text) => ({ ...before, ...extension(text) }),
  json: (_, text) => text,
};

const jsons: { [T in OptionType]: (value: unknown) => ValueOf<T> } = {
  bool: (value) => (typeof value === 'boolean' ? value : fail('a boolean', value)),
  int: (value) => (typeof value === 'number' && Number.isInteger(value) ? value : fail('an integer', value)),
  string: (value) => (typeof value === 'string' ? value : fail('a string', value)),
  // dockerd 28 turned `host-gateway-ip` (a string) into a list: both are taken.
  list: (value) => {
    if (typeof value === 'string') return [value];
    if (isRecord(value)) return Object.entries(value).map(([key, item]) => `${key}=${String(item)}`);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : fail('strings', value);
  },
  map: (value) => {
    if (!isRecord(value)) return fail('an object of strings', value);
    const entries = Object.entries(value);
    if (!entries.every(([, item]) => typeof item === 'string')) return fail('an object of strings', value);
    return Object.fromEntries(entries.map(([key, item]) => [key, String(item)]));
  },
  bytes: (value) =>
    typeof value === 'number'
      ? parseBytes(String(value))
      : typeof value === 'string'
        ? parseBytes(value)
        : fail('a size', value),
  duration: (value) => (typeof value === 'string' ? durationOf(value) : fail('a duration', value)),
  runtimes: (value) => (isRecord(value) ? mapObject(value, runtimeOf) : fail('an object of runtimes', value)),
  ulimits: (value) => (isRecord(value) ? mapObject(value, ulimitOf) : fail('an object of limits', value)),
  'driver-options': (value) =>
    isRecord(value) ? mapObject(value, driverOptionsOf) : fail('an object of options', value),
  pools: (value) => (Array.isArray(value) ? value.map(poolOf) : fail('a list of pools', value)),
  extensions: (value) => (isRecord(value) ? mapObject(value, extensionOf) : fail('an object of extensions', value)),
  json: (value) => value,
};

/** As Go's strconv.ParseBool. */
export function parseBool(text: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw new BadValue(`strconv.ParseBool: parsing "${text}": invalid syntax`);
}

function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new BadValue(`strconv.ParseInt: parsing "${text}": invalid syntax`);
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new BadValue(`strconv.ParseInt: parsing "${text}": value out of range`);
  return number;
}

/** `64m`, `1g`, `1024`; as docker/go-units' RAMInBytes. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kKmMgGtTpP])?(?:i?[bB])?$/.exec(text);
  if (!match) throw new BadValue(`invalid size: '${text}'`);
  const [, digits, unit = ''] = match;
  const power = unit === '' ? 0 : 'kmgtp'.indexOf(unit.toLowerCase()) + 1;
  const bytes = Math.floor(Number(digits) * 1024 ** power);
  if (!Number.isSafeInteger(bytes)) throw new BadValue(`invalid size: '${text}'`);
  return bytes;
}

/** In ms; none is below 0. */
function durationOf(text: string): number {
  const nanos = parseDuration(text);
  if (nanos === undefined || nanos < 0n) throw new BadValue(`invalid duration: '${text}'; write it as 36h or 90m`);
  return Number(nanos / 1_000_000n);
}

function pair(text: string): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new BadValue(`'${text}' is not of the form key=value`);
  return { [text.slice(0, at)]: text.slice(at + 1) };
}

function withDriverOption(before: ValueOf<'driver-options'>, text: string): ValueOf<'driver-options'> {
  const [[driver = '', rest = ''] = []] = Object.entries(pair(text));
  return { ...before, [driver]: { ...before[driver], ...pair(rest) } };
}

function driverOptionsOf(driver: string, value: unknown): Record<string, string> {
  if (!isRecord(value)) return fail(`an object as options of ${driver}`, value);
  return mapObject(value, (key, item) => (typeof item === 'string' ? item : fail(`a string as ${key}`, item)));
}

function runtime(text: string): Record<string, RuntimeValue> {
  const at = text.indexOf('=');
  if (at === -1) throw new BadValue(`invalid runtime argument: ${text}`);
  const name = text.slice(0, at).trim().toLowerCase();
  const path = text.slice(at + 1).trim();
  if (name === '' || path === '') throw new BadValue(`invalid runtime argument: ${text}`);
  return { [name]: { path } };
}

function runtimeOf(name: string, value: unknown): RuntimeValue {
  if (!isRecord(value) || typeof value.path !== 'string' || value.path === '')
    return fail(`an object with a path for runtime ${name}`, value);
  const args = value.runtimeArgs;
  if (args === undefined || args === null) return { path: value.path };
  if (!Array.isArray(args)) return fail(`a list as runtimeArgs of ${name}`, args);
  return { path: value.path, runtimeArgs: args.map(String) };
}

function ulimit(text: string): ValueOf<'ulimits'> {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (!match) throw new BadValue(`invalid ulimit argument: ${text}`);
  const [, name = '', soft, hard] = match;
  return { [name]: checkUlimit({ Name: name, Soft: Number(soft), Hard: Number(hard ?? soft) }) };
}

function ulimitOf(name: string, value: unknown): ValueOf<'ulimits'>[string] {
  if (!isRecord(value)) return fail(`an object with Soft and Hard for limit ${name}`, value);
  const { Soft: soft, Hard: hard } = value;
  if (typeof soft !== 'number' || typeof hard !== 'number') return fail(`numbers for limit ${name}`, value);
  return checkUlimit({ Name: name, Soft: soft, Hard: hard });
}

/** Those of setrlimit(2), as go-units `ulimit.go` names them. */
const limits = 'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
  ' ',
);

function checkUlimit(limit: ValueOf<'ulimits'>[string]): ValueOf<'ulimits'>[string] {
  if (!limits.includes(limit.Name)) throw new BadValue(`invalid ulimit type: ${limit.Name}`);
  if (![limit.Soft, limit.Hard].every((one) => Number.isInteger(one) && one >= -1)) {
    throw new BadValue(`limit ${limit.Name} must be a whole number, or -1 for none`);
  }
  if (limit.Hard !== -1 && (limit.Soft === -1 || limit.Soft > limit.Hard)) {
    throw new BadValue(`ulimit soft limit must be less than or equal to hard limit: ${limit.Soft} > ${limit.Hard}`);
  }
  return limit;
}

function pool(text: string): { base: string; size: number } {
  const parts = Object.fromEntries(text.split(',').map((part) => part.trim().split('=', 2)));
  return poolOf({ base: parts.base, size: Number(parts.size) });
}

function poolOf(value: unknown): { base: string; size: number } {
  if (!isRecord(value) || typeof value.base !== 'string' || !/^[\da-fA-F.:]+\/\d+$/.test(value.base)) {
    return fail('a pool with base (a CIDR) and size', value);
  }
  if (typeof value.size !== 'number' || !Number.isInteger(value.size)) return fail('a number as size of a pool', value);
  return { base: value.base, size: value.size };
}

const modes: Record<string, ExtensionValue> = {
  'in-process': { enabled: true, carrier: 'in-process' },
  process: { enabled: true, carrier: 'process' },
  on: { enabled: true },
  off: { enabled: false },
};

function extension(text: string): Record<string, ExtensionValue> {
  const [[name = '', mode = ''] = []] = Object.entries(pair(text));
  return { [name]: extensionOf(name, mode) };
}

function extensionOf(name: string, value: unknown): ExtensionValue {
  if (typeof value === 'string') {
    const mode = modes[value];
    if (mode === undefined) throw new BadValue(`extension ${name} runs as in-process, process or off, not '${value}'`);
    return mode;
  }
  if (!isRecord(value)) return fail(`in-process, process, off or an object for extension ${name}`, value);
  const { enabled, carrier, options, deadlines, ...unknown } = value;
  const strange = Object.keys(unknown)[0];
  if (strange !== undefined) throw new BadValue(`extension ${name} has no setting '${strange}'`);
  if (enabled !== undefined && typeof enabled !== 'boolean') return fail(`a boolean as enabled of ${name}`, enabled);
  if (carrier !== undefined && carrier !== 'in-process' && carrier !== 'process') {
    return fail(`in-process or process as carrier of ${name}`, carrier);
  }
  if (options !== undefined && !isRecord(options)) return fail(`an object as options of ${name}`, options);
  if (deadlines !== undefined && !isRecord(deadlines)) return fail(`an object as deadlines of ${name}`, deadlines);
  const milliseconds =
    deadlines &&
    mapObject(deadlines, (method, ms) => (typeof ms === 'number' ? ms : fail(`milliseconds for ${method}`, ms)));
  return { enabled, carrier, options, deadlines: milliseconds };
}

function mapObject<T>(value: Record<string, unknown>, to: (key: string, item: unknown) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, to(key, item)]));
}

function fail(wanted: string, value: unknown): never {
  throw new BadValue(`expected ${wanted}, found ${JSON.stringify(value)}`);
}
