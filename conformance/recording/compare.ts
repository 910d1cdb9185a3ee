import { stringify } from '@cleat/protocol/json';
import { readable } from '@cleat/protocol/untrusted';
import type { Aliases } from './aliases.js';
import { redacted, unwrapped, wrapped } from './redact.js';

/** In a recording: any value, also as a part of a text. With a name, `<any:NAME>`, the same one wherever it stands. */
export const anyValue = '<any>';
const anyParts = /<any>|<redacted>/;
const namedAny = /^<any:[\w.-]+>$/;

/**
 * Members of a message that need not be as recorded. Keys are in lower case, as keys match in any case.
 */
export interface Rules {
  /** Their values may be any. */
  readonly free: ReadonlySet<string>;
  /** Their texts are made anew each time: another one takes the place of a recorded one, then everywhere. */
  readonly anew: ReadonlySet<string>;
}

const lower = (...keys: string[]): ReadonlySet<string> => new Set(keys.map((key) => key.toLowerCase()));

/** Values that engines make anew: IDs, names that nobody chose, and paths below their own directories. */
const ofEngines = lower(
  ...['ID', 'NetworkID', 'EndpointID', 'SandboxKey', 'ContainerID', 'TaskID', 'NodeID', 'File', 'LogPath'],
  ...['ContainerName', 'ServiceName', 'TaskName'],
  ...['io.cleat.ipam.holder', 'io.cleat.sandbox.pid', 'com.docker.network.endpoint.macaddress'],
);
/** Values that differ between any two engines, or moments. */
const freeOfEngines = lower(
  ...['ContainerCreated', 'ContainerImageID', 'DaemonName', 'ServiceHostname', 'io.cleat.ipam.in-use'],
  ...['RequestHeaders', 'ResponseHeaders', 'ResponseBody', 'RequestPeerCertificates'],
);
/** Values that plugins make anew. */
const ofPlugins = lower('Mountpoint', 'PoolID', 'SrcName', 'MacAddress');
const freeOfPlugins = lower('CreatedAt', 'time_nano');

/** For what an engine asks. */
export const requestRules = (ignored: readonly string[] = []): Rules => ({
  free: new Set([...freeOfEngines, ...lower(...ignored)]),
  anew: ofEngines,
});

/** For what a plugin answers. */
export const answerRules = (ignored: readonly string[] = []): Rules => ({
  free: new Set([...freeOfPlugins, ...lower(...ignored)]),
  anew: ofPlugins,
});

/** A place in a message where what is said now is not what was recorded. */
export interface Difference {
  /** For example `Volumes[0].Name`; empty for the whole. */
  readonly where: string;
  /** JSON, or `nothing`. */
  readonly recorded: string;
  readonly now: string;
}

/** Compares two JSON values as an engine reads them: keys in any case, null as if it were not there. Learns aliases. */
export function compare(recorded: unknown, now: unknown, rules: Rules, aliases: Aliases): Difference[] {
  return [...differences(recorded, now, { rules, aliases, where: '', key: '' })];
}

interface Place {
  readonly rules: Rules;
  readonly aliases: Aliases;
  readonly where: string;
  readonly key: string;
}

function* differences(recorded: unknown, now: unknown, place: Place): Generator<Difference> {
  const { rules, aliases, where, key } = place;
  if (recorded === anyValue || recorded === redacted) return;
  if (rules.free.has(key)) {
    learnFreely(recorded, now, aliases);
    return;
  }
  if (typeof recorded === 'string' && typeof now === 'string') {
    const [inside, insideNow] = wrapped.has(key) ? [unwrapped(recorded), unwrapped(now)] : [];
    if (inside !== undefined && insideNow !== undefined) {
      yield* differences(inside, insideNow, { ...place, key: '' });
      return;
    }
    if (sameText(recorded, now, place)) return;
  } else if (Array.isArray(recorded) && Array.isArray(now)) {
    for (let at = 0; at < Math.max(recorded.length, now.length); at++) {
      yield* differences(recorded[at], now[at], { ...place, where: `${where}[${at}]` });
    }
    return;
  } else if (isObject(recorded) && isObject(now)) {
    yield* membersDiffer(recorded, now, place);
    return;
  } else if (recorded === now || (isNothing(recorded, key) && isNothing(now, key))) return;
  yield { where, recorded: shown(recorded), now: shown(now) };
}

function* membersDiffer(recorded: object, now: object, place: Place): Generator<Difference> {
  const those = folded(recorded);
  const these = folded(now);
  for (const [key, [name, value]] of those) {
    const where = place.where === '' ? name : `${place.where}.${name}`;
    yield* differences(value, these.get(key)?.[1], { ...place, where, key });
  }
  for (const [key, [name, value]] of these) {
    if (those.has(key)) continue;
    const where = place.where === '' ? name : `${place.where}.${name}`;
    yield* differences(undefined, value, { ...place, where, key });
  }
}

/** If keys differ only in case, the last one counts, as in Go. */
function folded(value: object): Map<string, [name: string, value: unknown]> {
  return new Map(Object.entries(value).map(([name, part]) => [name.toLowerCase(), [name, part]]));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Go leaves out, or writes null; and an error of no words is none. */
function isNothing(value: unknown, key: string): boolean {
  return value === undefined || value === null || (value === '' && (key === 'err' || key === 'error'));
}

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

function sameText(recorded: string, now: string, { rules, aliases, key }: Place): boolean {
  if (namedAny.test(recorded)) return aliases.pair(recorded, now);
  const parts = recorded.split(anyParts);
  if (parts.length > 1) return fits(parts, now);
  if (recorded === '' || now === '') return recorded === now;
  if (rules.anew.has(key)) {
    if (!aliases.pair(recorded, now)) return false;
    aliases.pairInside(recorded, now);
    return true;
  }
  if (aliases.apply(recorded) === now || aliases.pairInside(recorded, now)) return true;
  return time.test(recorded) && time.test(now);
}

/** Whether the parts occur in this order, the first at the beginning and the last at the end. */
function fits(parts: readonly string[], text: string): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** A value that is not compared is still asked for later: an address, also without the length of its network. */
function learnFreely(recorded: unknown, now: unknown, aliases: Aliases): void {
  if (typeof recorded !== 'string' || typeof now !== 'string' || recorded === '' || recorded === now) return;
  aliases.learn(recorded, now);
  const [those, these] = [recorded, now].map((text) => /^(.+)\/\d+$/.exec(text)?.[1]);
  if (those !== undefined && these !== undefined) aliases.learn(those, these);
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : readable(stringify(value), 500);
}
