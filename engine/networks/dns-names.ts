import type { EndpointSettings } from '@cleat/protocol/api/network';
import { shortId } from '../ids.js';
import type { NetworkRecord, SandboxRecord } from './record.js';
import { isPredefined } from './resource.js';

/** Whether containers find each other by name there: on networks of their users' own. */
export const resolvesNames = ({ sandbox, name }: Pick<NetworkRecord, 'sandbox' | 'name'>): boolean =>
  sandbox === 'own' && !isPredefined(name);

/** The names that a container has on a network; none on predefined ones. The first is what its address is called. */
export function dnsNames(
  network: NetworkRecord,
  { containerName, containerId, hostname }: Pick<SandboxRecord, 'containerName' | 'containerId' | 'hostname'>,
  { Aliases }: Pick<EndpointSettings, 'Aliases'>,
): string[] {
  if (!resolvesNames(network)) return [];
  return [...new Set([containerName, ...(Aliases ?? []), shortId(containerId), ...(hostname ? [hostname] : [])])];
}
