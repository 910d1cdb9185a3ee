import type { MappedNetwork, NetworkMap } from './map.js';

/* Words for the things that a map of chosen networks does not show. */

/** For a network that is shown because containers lead there; empty where all containers on it are shown. */
export const moreOn = ({ notShown }: MappedNetwork, only: readonly string[]): string =>
  notShown === 0 ? '' : `and ${notShown} more, not on ${either(only)}`;

/** For the map as a whole, in sentences; none where it shows everything. */
export function leftOut({ only, notShown }: NetworkMap): string[] {
  const counts = [
    ...(notShown.networks > 0 ? [counted(notShown.networks, 'network')] : []),
    ...(notShown.containers > 0 ? [counted(notShown.containers, 'container')] : []),
  ];
  if (counts.length === 0) return [];
  return [`Only ${both(only)}, the containers there, and where else these are.`, `Not shown: ${counts.join(', ')}.`];
}

const counted = (count: number, thing: string): string => `${count} other ${thing}${count === 1 ? '' : 's'}`;
const both = (names: readonly string[]): string => new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
const either = (names: readonly string[]): string => new Intl.ListFormat('en', { type: 'disjunction' }).format(names);
