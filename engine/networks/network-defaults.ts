import type { NetworkCreateRequest } from '@cleat/protocol/api/network';
import { invalidParameter } from '@cleat/protocol/errors';
import { goBool } from '@cleat/protocol/go-bool';
import { netlabel } from '@cleat/protocol/kinds/network';
import type { NetworksContext } from './context.js';

/**
 * The request with `--default-network-opt`, and with the families that its options name (moby `daemon/network.go`,
 * `createNetwork`).
 * @throws InvalidParameter
 */
export function withDefaults(
  context: Pick<NetworksContext, 'config' | 'drivers'>,
  request: NetworkCreateRequest,
): NetworkCreateRequest {
  const { defaultNetworkDriver, defaultNetworkOptions: defaults = {} } = context.config;
  const driver = context.drivers.networkName(request.Driver || defaultNetworkDriver);
  const own = request.ConfigFrom?.Network ? {} : defaults[driver];
  const options = { ...own, ...request.Options };
  const EnableIPv4 = family(options, netlabel.enableIPv4, request.EnableIPv4);
  const EnableIPv6 = family(options, netlabel.enableIPv6, request.EnableIPv6);
  return { ...request, Options: options, EnableIPv4, EnableIPv6 };
}

/** The request's own member counts before the option, which would only look wrong then. */
function family(
  options: Record<string, string>,
  key: string,
  said: boolean | null | undefined,
): boolean | null | undefined {
  const text = options[key];
  if (said !== undefined && said !== null) delete options[key];
  if (text === undefined || (said !== undefined && said !== null)) return said;
  const value = goBool(text);
  if (value === undefined) throw invalidParameter(`driver-opt "${key}" is not a valid bool`);
  return value;
}
