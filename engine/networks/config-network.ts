import type { NetworkCreateRequest } from '@cleat/protocol/api/network';
import { forbidden, notFound } from '@cleat/protocol/errors';
import type { NetworksContext } from './context.js';
import type { NetworkRecord } from './record.js';

/**
 * Networks that are only a configuration, from which others are made: what may be said of which (moby
 * `daemon/libnetwork/network.go`, `validateConfiguration`).
 * @returns the configuration that the request names
 * @throws Forbidden for what would be said and then not heeded; NotFound
 */
export function configurationFor(
  context: Pick<NetworksContext, 'config' | 'registry'>,
  request: NetworkCreateRequest,
): NetworkRecord | undefined {
  const name = request.ConfigFrom?.Network;
  if (request.ConfigOnly) {
    if (request.Ingress || request.Internal || request.Attachable || request.Scope) {
      throw forbidden(
        'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
      );
    }
    if (name) throw forbidden('a configuration network cannot depend on another configuration network');
  }
  if (!name) return undefined;
  const { IPAM: ipam } = request;
  const says =
    (ipam?.Driver && ipam.Driver !== 'default' && ipam.Driver !== context.config.defaultIpamDriver) ||
    request.EnableIPv4 === false ||
    request.EnableIPv6 ||
    [request.Labels, ipam?.Options].some((values) => Object.keys(values ?? {}).length > 0) ||
    (ipam?.Config ?? []).length > 0;
  if (says) {
    throw forbidden(
      'user-specified configurations are not supported if the network depends on a configuration network',
    );
  }
  if (Object.keys(request.Options ?? {}).length > 0) {
    throw forbidden('network driver options are not supported if the network depends on a configuration network');
  }
  const found = context.registry.byName(name);
  if (!found?.configOnly) throw notFound(`configuration network "${name}" does not exist`);
  return found;
}

/** @throws Forbidden while networks are made from it */
export function refuseConfigurationInUse(context: Pick<NetworksContext, 'registry'>, record: NetworkRecord): void {
  if (!record.configOnly || !context.registry.all().some(({ configFrom }) => configFrom === record.name)) return;
  throw forbidden(`error while removing network: configuration network "${record.name}" is in use`);
}
