import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { networkKind } from '@cleat/protocol/kinds/network';

/** The host's own network: the one thing to say is that a container needs no sandbox of its own. */
export const hostDriver: Handlers<typeof networkKind> = {
  GetCapabilities: () => ({ Scope: 'local', ConnectivityScope: 'local', Sandbox: 'host' }),
  CreateNetwork: () => {},
  DeleteNetwork: () => {},
  CreateEndpoint: () => ({}),
  DeleteEndpoint: () => {},
  EndpointOperInfo: () => ({ Value: {} }),
  Join: () => ({}),
  Leave: () => {},
};
