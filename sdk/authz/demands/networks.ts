import { NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest } from '@cleat/protocol/api/network';
import { bodyOf, unknownMembers } from '../body.js';
import type { Demand } from '../demand.js';
import type { Seen } from '../seen.js';
import { endpointOptions } from './endpoints.js';
import { object, setting } from './words.js';

/** @throws Forbidden */
export function networkDemands({ action, params, body, isNormalised }: Seen): Demand[] {
  switch (action.name) {
    case 'network:create': {
      const { Name = '', Driver, Options, Labels, ConfigFrom, IPAM } = bodyOf(NetworkCreateRequest, body, isNormalised);
      const options = [Options, IPAM?.Options].flatMap((some) => Object.entries(some ?? {}));
      return [
        { what: 'create', type: 'network', name: Name, labels: Labels ?? {} },
        ...[Driver || 'bridge', ...(IPAM?.Driver && IPAM.Driver !== 'default' ? [`ipam:${IPAM.Driver}`] : [])].map(
          (driver) => setting('network-drivers', driver),
        ),
        ...options.map(([key, value]) => setting('network-options', `${key}=${value}`)),
        ...(IPAM?.Config ?? []).flatMap(({ Subnet }) => (Subnet ? [setting('subnets', Subnet)] : [])),
        ...(ConfigFrom?.Network ? [object('network', ConfigFrom.Network, 'use')] : []),
        ...unknownMembers(NetworkCreateRequest, body).map((path) => setting('unknown', path)),
      ];
    }
    case 'network:connect': {
      const { Container = '', EndpointConfig } = bodyOf(NetworkConnectRequest, body, isNormalised);
      return [
        object('container', Container, 'change'),
        ...endpointOptions(EndpointConfig),
        ...(params.name === 'host' ? [setting('namespaces', 'network')] : []),
      ];
    }
    case 'network:disconnect': {
      const { Container = '' } = bodyOf(NetworkDisconnectRequest, body, isNormalised);
      return [object('container', Container, 'change')];
    }
    default:
      return [];
  }
}
