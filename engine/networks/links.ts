import type { ContainerId } from '../ids.js';
import type { EndpointLink, RequestedEndpoint } from './record.js';

/** `container:alias`, as Docker's links are written; without alias the name itself. */
export function splitLink(link: string): { name: string; alias: string } {
  const parts = link.split(':');
  const name = (parts[0] ?? '').replace(/^\//, '');
  return { name, alias: (parts[1] ?? name).split('/').pop() || name };
}

/**
 * The requested settings, with links to containers, as far as they are there; those that it meant before stay the same.
 */
export function linkedRequest(
  requested: RequestedEndpoint,
  idOf: (name: string) => ContainerId | undefined,
): RequestedEndpoint {
  const { linked: known = [], ...plain } = requested;
  const linked = (plain.Links ?? []).map((link): EndpointLink => {
    const { name, alias } = splitLink(link);
    const same = known.find((other) => other.name === name && other.alias === alias);
    const containerId = same?.containerId ?? idOf(name);
    return containerId === undefined ? { name, alias } : { name, alias, containerId };
  });
  return linked.length > 0 ? { ...plain, linked } : plain;
}
