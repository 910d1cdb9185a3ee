/** Write a network driver that makes no interface. */
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { networkKind } from '@cleat/protocol/kinds/network';

/**
 * Driver of a network on which a container has no interface of its own: its capabilities say what the engine does
 * instead, and all other calls have nothing to do.
 * @param sandbox the container is in the host's namespace, or in one with a loopback only
 */
export function networkWithoutInterfaces(sandbox: 'host' | 'none'): Handlers<typeof networkKind> {
  return {
    GetCapabilities: () => ({ Scope: 'local', ConnectivityScope: 'local', Sandbox: sandbox }),
    CreateNetwork: () => {},
    DeleteNetwork: () => {},
    CreateEndpoint: () => ({}),
    DeleteEndpoint: () => {},
    EndpointOperInfo: () => ({ Value: {} }),
    Join: () => ({}),
    Leave: () => {},
  };
}
