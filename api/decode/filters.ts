import type { Filters } from '@cleat/engine/events/service';
import { invalidParameter } from '@cleat/protocol/errors';
import { parseJson } from '@cleat/protocol/json';

/**
 * The `filters` query in both of Docker's notations, `{"label":{"a=b":true}}` and, from clients before 1.22,
 * `{"label":["a=b"]}`. Which keys mean something is for the service to say.
 * @throws InvalidParameter
 */
export function decodeFilters(text: string): Filters {
  if (text === '') return {};
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw invalidParameter('invalid filter', { cause });
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw invalidParameter('invalid filter');
  return Object.fromEntries(Object.entries(value).map(([key, values]) => [key, decodeValues(values)]));
}

function decodeValues(values: unknown): string[] {
  if (values === null) return [];
  if (Array.isArray(values)) {
    if (!values.every((item): item is string => typeof item === 'string')) throw invalidParameter('invalid filter');
    return [...new Set(values)];
  }
  if (typeof values !== 'object' || !Object.values(values).every((flag) => typeof flag === 'boolean')) {
    throw invalidParameter('invalid filter');
  }
  return Object.keys(values);
}
