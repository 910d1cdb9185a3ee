import { forbidden } from '@cleat/protocol/errors';
import { isRecord, parseJson } from '@cleat/protocol/json';
import type { Demand } from '../demand.js';
import type { Seen } from '../seen.js';
import type { Query } from '../target.js';

const lists: Readonly<Record<string, Extract<Demand, { what: 'all' }>['type']>> = {
  'container:list': 'container',
  'container:prune': 'container',
  'image:list': 'image',
  'image:prune': 'image',
  'network:list': 'network',
  'network:prune': 'network',
  'volume:list': 'volume',
  'volume:prune': 'volume',
  'system:events': 'event',
  'system:df': 'any',
  'build:prune': 'any',
  'build:cancel': 'any',
};

/** Lists, streams of events and prunes are about all objects that the filters let through. */
export function listDemands({ action, query }: Seen): Demand[] {
  const type = lists[action.name];
  return type === undefined ? [] : [{ what: 'all', type, labels: type === 'any' ? [] : labelFilters(query) }];
}

/**
 * The values of the filter `label`, in both notations. An object must fit each of them.
 * @throws Forbidden for what engines do not read alike
 */
function labelFilters(query: Query): string[] {
  const text = query.one('filters');
  if (text === '') return [];
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw forbidden('the filters of the request are not JSON', { cause });
  }
  if (value === null) return [];
  if (!isRecord(value)) throw forbidden('the filters of the request are no JSON object');
  const written = text.replace(/"(?:[^"\\]|\\.)*"/gs, '').split(':').length - 1;
  const members = Object.values(value).reduce<number>(
    (sum, inner) => sum + (isRecord(inner) ? Object.keys(inner).length : 0),
    Object.keys(value).length,
  );
  if (members !== written) throw forbidden('a key occurs twice in the filters of the request');
  const { label } = value;
  if (Array.isArray(label)) return label.filter((item): item is string => typeof item === 'string');
  if (!isRecord(label)) return [];
  return Object.keys(label).filter((key) => label[key] === true);
}
