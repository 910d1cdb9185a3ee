import { tryParseCidr } from '@cleat/protocol/cidr';
import { parseBinarySize } from '@cleat/protocol/size';
import { type Setting, settings } from '../authz/demand.js';
import { imagePattern } from './image-names.js';
import { type Pattern, pattern } from './patterns.js';
import type { Reader } from './reader.js';

/** Names of objects that a rule may bound. */
const objectLimits = ['containers', 'images', 'networks', 'volumes'] as const;
export type ObjectLimit = (typeof objectLimits)[number];

/** The bounds within which a rule grants, or lets pass where it denies. */
export interface Limits {
  /**
   * Objects are the caller's own: they carry the owner's label, new ones get it, and lists are filtered by it. `self`: the
   * caller as a label has it; else one of these values.
   */
  readonly owner?: 'self' | readonly Pattern[];
  /** Names of objects that are used. */
  readonly objects: Readonly<Partial<Record<ObjectLimit, readonly Pattern[]>>>;
  /** Names that new objects may get. */
  readonly names?: readonly Pattern[];
  /** Names that images may get, or be pushed by. */
  readonly imageNames?: readonly Pattern[];
  /** undefined: any value. */
  readonly settings: Readonly<Partial<Record<Setting, readonly Pattern[]>>>;
  /** Bytes. */
  readonly memory?: number;
  readonly cpus?: number;
  readonly pids?: number;
}

/** The values that a rule grants which says nothing of a setting: a container within its own walls. */
const walls: Readonly<Partial<Record<Setting, readonly string[]>>> = {
  'security-options': ['no-new-privileges*'],
  'log-drivers': ['json-file', 'local', 'none', 'journald'],
  propagation: ['slave', 'rslave'],
  'volume-drivers': ['local'],
  'storage-options': ['size=*'],
  'network-drivers': ['bridge'],
  ports: ['*'],
};

const settingNames = Object.keys(settings) as Setting[];
const members = ['owner', ...objectLimits, 'names', 'image-names', ...settingNames, 'memory', 'cpus', 'pids'] as const;

/** Every member of `within` and `unless`, for documents and their test. */
export const limitNames: readonly string[] = members;

/**
 * @param isGrant what is not said has the bounds of `walls`; else it has none
 * @throws InvalidParameter
 */
export function limitsOf(reader: Reader, isGrant: boolean): Limits {
  const found = reader.members(members);
  const patterns = (one: Reader): readonly Pattern[] | undefined => {
    if (!one.isThere) return undefined;
    if (one.value === true || one.value === 'any') return [pattern('*')];
    if (one.value === false || one.value === 'none') return [];
    return one.texts().map(pattern);
  };
  const bound = (name: Setting): readonly Pattern[] | undefined =>
    patterns(found[name]) ?? (isGrant ? (walls[name] ?? []).map(pattern) : undefined);
  for (const text of patterns(found.subnets)?.map((one) => one.text) ?? []) {
    if (text !== '*' && !tryParseCidr(text)) throw found.subnets.fail(`${text} is no subnet: write it as 10.66.0.0/16`);
  }
  const images = (one: Reader) => {
    const given = patterns(one);
    return given?.map(({ text }) => pattern(imagePattern(text)));
  };
  const owner = found.owner.value === 'self' ? 'self' : patterns(found.owner);
  const number = (one: Reader, read: (text: string) => number | undefined): number | undefined => {
    if (!one.isThere) return undefined;
    const value = read(one.text());
    if (value === undefined || !(value > 0)) throw one.fail('it must be a number above 0, such as 2, 512m or 1.5g');
    return value;
  };
  return withoutUndefined({
    owner,
    objects: withoutUndefined(
      Object.fromEntries(objectLimits.map((name) => [name, (name === 'images' ? images : patterns)(found[name])])),
    ),
    names: patterns(found.names),
    imageNames: images(found['image-names']),
    settings: withoutUndefined(Object.fromEntries(settingNames.map((name) => [name, bound(name)]))),
    memory: number(found.memory, parseBinarySize),
    cpus: number(found.cpus, (text) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined)),
    pids: number(found.pids, (text) => (/^\d+$/.test(text) ? Number(text) : undefined)),
  }) as Limits;
}

function withoutUndefined(given: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
