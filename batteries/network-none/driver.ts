import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { networkKind } from '@cleat/protocol/kinds/network';

/** No network: the one thing to say is that the sandbox holds a loopback and nothing else. */
export const noneDriver: Handlers<typeof networkKind> = {
  GetCapabilities: () => ({ Scope: 'local', ConnectivityScope: 'local', Sandbox: 'none' }),
  CreateNetwork: () => {},
  DeleteNetwork: () => {},
  CreateEndpoint: () => ({}),
  DeleteEndpoint: () => {},
  EndpointOperInfo: () => ({ Value: {} }),
  Join: () => ({}),
  Leave: () => {},
};
