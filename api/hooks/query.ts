import { decodeFilters } from '../decode/filters.js';
import { Query } from '../http/query.js';

/** A query as hooks see it. Each parameter is a text, or a list where it is given several times; filters are decoded. */
export function queryValues(query: Query): Record<string, unknown> {
  const values = query.names().map((name): [string, unknown] => {
    const all = query.all(name);
    return [name, all.length === 1 ? (name === 'filters' ? filters(all[0] ?? '') : all[0]) : all];
  });
  return Object.fromEntries(values);
}

function filters(text: string): unknown {
  try {
    return text === '' ? text : decodeFilters(text);
  } catch {
    return text; // the handler says what is wrong with it
  }
}

/** The query that hooks made; what they left alone is as it was written. */
export function queryOf(values: Readonly<Record<string, unknown>>, before: Query): Query {
  const old = queryValues(before);
  const pairs = Object.entries(values).flatMap(([name, value]): [string, string][] => {
    const texts = JSON.stringify(value) === JSON.stringify(old[name]) ? before.all(name) : [value].flat().map(text);
    return texts.map((one) => [name, one]);
  });
  return Query.of(pairs);
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
