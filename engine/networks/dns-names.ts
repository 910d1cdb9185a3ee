import type { EndpointSettings } from '@cleat/protocol/api/network';
import { shortId } from '../ids.js';
import type { NetworkRecord, SandboxRecord } from './record.js';
import { isPredefined } from './resource.js';

/** The names that a container has on a network; none on predefined ones. The first is what its address is called. */
export function dnsNames(
  network: NetworkRecord,
  { containerName, containerId, hostname }: Pick<SandboxRecord, 'containerName' | 'containerId' | 'hostname'>,
  { Aliases }: Pick<EndpointSettings, 'Aliases'>,
): string[] {
  if (network.sandbox !== 'own' || isPredefined(network.name)) return [];
  return [...new Set([containerName, ...(Aliases ?? []), shortId(containerId), ...(hostname ? [hostname] : [])])];
}
