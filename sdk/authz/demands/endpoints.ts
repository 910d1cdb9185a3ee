import type { HostConfig } from '@cleat/protocol/api/container';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import type { Demand } from '../demand.js';
import { object, setting } from './words.js';

/** The network that a container is connected to by its mode; one of the host's or of a container's is told elsewhere. */
export function networkOf({ NetworkMode = '' }: HostConfig): Demand[] {
  const mode = NetworkMode.trim();
  if (mode === 'none' || mode === 'host' || mode.startsWith('container:')) return [];
  return [object('network', mode === '' || mode === 'default' ? 'bridge' : mode, 'use')];
}

/** Further networks, and how it is connected to each. */
export function endpointDemands(endpoints: Readonly<Record<string, EndpointSettings | null>>): Demand[] {
  return Object.entries(endpoints).flatMap(([network, settings]) => [
    ...(network === 'none' || network.startsWith('container:') ? [] : [networkDemand(network)]),
    // The name may be any, and the network is the one of this ID.
    ...(settings?.NetworkID ? [networkDemand(settings.NetworkID)] : []),
    ...endpointOptions(settings),
  ]);
}

export function endpointOptions(settings: EndpointSettings | null | undefined): Demand[] {
  return [
    ...Object.entries(settings?.DriverOpts ?? {}).map(([key, value]) => setting('network-options', `${key}=${value}`)),
    ...(settings?.Links ?? []).map((link) => object('container', link.split(':', 1)[0] ?? '', 'change')),
  ];
}

function networkDemand(name: string): Demand {
  if (name === 'host') return setting('namespaces', 'network');
  return object('network', name === 'default' || name === '' ? 'bridge' : name, 'use');
}
