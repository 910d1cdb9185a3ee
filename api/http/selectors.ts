import { invalidParameter } from '@cleat/protocol/errors';
import type { Query } from './query.js';

/**
 * Parameters that narrow what a request is about, wherever Docker's API has them. To pass over one is to do more than
 * was asked for: `rmi --platform` once took the image of another platform.
 */
export const selectorNames = ['platform', 'platforms', 'filters', 'filter', 'manifests', 'identity'] as const;
export type SelectorName = (typeof selectorNames)[number];

/** The selectors that a route's handler heeds, and whether it heeds more than one value. */
export type Selectors = Readonly<Partial<Record<SelectorName, 'one' | 'many'>>>;

/** @throws InvalidParameter for a selector that the route would pass over */
export function refuseSelectors(query: Query, route: { method: string; path: string; selectors?: Selectors }): void {
  const { method, path, selectors = {} } = route;
  for (const name of selectorNames) {
    const values = query.all(name).filter((value) => value !== '');
    if (values.length === 0 || selectors[name] === 'many') continue;
    if (selectors[name] === undefined) {
      throw invalidParameter(`${method} ${path.replace(/:(\w+)/g, '{$1}')} has no parameter "${name}"`);
    }
    if (new Set(values).size > 1) throw invalidParameter(`only one value of "${name}" is supported`);
  }
}
