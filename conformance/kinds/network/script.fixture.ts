import { implement, networkKind } from '@cleat/sdk';
import { nothing, of, type Script } from '../../recording/script-of-kind.fixture.js';

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () => {
    let made = 0;
    const from = Math.floor(Math.random() * 1e6);
    return of(
      implement(networkKind, {
        ...{ CreateNetwork: nothing, DeleteNetwork: nothing, DeleteEndpoint: nothing, Leave: nothing },
        GetCapabilities: () => ({ Scope: 'local' }),
        CreateEndpoint: () => ({ Interface: { MacAddress: `02:${from + made++}` } }),
        EndpointOperInfo: ({ EndpointID }) => ({ Value: { about: `endpoint ${EndpointID}` } }),
        Join: () => ({ InterfaceName: { SrcName: `veth${from + made++}`, DstPrefix: 'eth' } }),
      }),
    );
  },
  asks: (NetworkID) => [
    ['GetCapabilities', {}],
    ['CreateNetwork', { NetworkID, Options: {}, IPv4Data: [{ Pool: '10.0.0.0/24' }], IPv6Data: [] }],
    ['CreateEndpoint', { NetworkID, EndpointID: NetworkID.replace(/^../, '00') }],
    ['Join', { NetworkID, EndpointID: NetworkID.replace(/^../, '00'), SandboxKey: `/ns/${NetworkID.slice(0, 12)}` }],
    ['EndpointOperInfo', { NetworkID, EndpointID: NetworkID.replace(/^../, '00') }],
    ['ProgramExternalConnectivity', { NetworkID, EndpointID: NetworkID.replace(/^../, '00') }],
    ['DeleteNetwork', { NetworkID }],
  ],
};
