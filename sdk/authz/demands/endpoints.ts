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

/**
 * Further networks, and how it is connected to each. The key `default` is the network of the mode, on Cleat; on a stock
 * engine only where the mode is the default one.
 */
export function endpointDemands(
  endpoints: Readonly<Record<string, EndpointSettings | null>>,
  { mode, isNormalised }: { mode: string; isNormalised: boolean },
): Demand[] {
  const isDefault = ['', 'default'].includes(mode);
  return Object.entries(endpoints).flatMap(([network, settings]) => [
    ...(network === 'default' && (isNormalised || isDefault) ? [] : networkDemand(network)),
    // The key may be any, and the network is the one of this ID.
    ...(settings?.NetworkID ? networkDemand(settings.NetworkID) : []),
    ...endpointOptions(settings),
  ]);
}

export function endpointOptions(settings: EndpointSettings | null | undefined): Demand[] {
  return [
    ...Object.entries(settings?.DriverOpts ?? {}).map(([key, value]) => setting('network-options', `${key}=${value}`)),
    ...(settings?.Links ?? []).map((link) => object('container', link.split(':', 1)[0] ?? '', 'change')),
  ];
}

function networkDemand(name: string): Demand[] {
  if (name === 'none' || name.startsWith('container:')) return [];
  return [name === 'host' ? setting('namespaces', 'network') : object('network', name, 'use')];
}
