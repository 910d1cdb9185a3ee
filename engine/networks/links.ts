import type { EndpointSettings } from '@cleat/protocol/api/network';
import type { ContainerId } from '../ids.js';
import type { EndpointLink } from './record.js';

/** `container:alias`, as Docker's links are written; without alias the name itself. */
export function splitLink(link: string): { name: string; alias: string } {
  const parts = link.split(':');
  const name = (parts[0] ?? '').replace(/^\//, '');
  return { name, alias: (parts[1] ?? name).split('/').pop() || name };
}

/** The links of a network of the user's own. */
export function endpointLinks(
  wished: EndpointSettings,
  idOf: (name: string) => ContainerId | undefined,
): EndpointLink[] | undefined {
  const links = (wished.Links ?? []).map((link) => {
    const split = splitLink(link);
    const containerId = idOf(split.name);
    return containerId === undefined ? split : { ...split, containerId };
  });
  return links.length > 0 ? links : undefined;
}
