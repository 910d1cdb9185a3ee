import { interfaceNames } from '@cleat/linux/net/facts';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import type { HealthyNetworks } from './healthy.fixture.js';

const late = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Gives the caller time to hang up or to kill it; after that, until the endpoint is taken back, however slow all is. */
async function tooLate(healthy: HealthyNetworks, endpoint: string, { signal }: { signal: AbortSignal }): Promise<void> {
  // Most of what the call takes: it is killed in here.
  for (let pauses = 0; pauses < 60 && !signal.aborted; pauses++) await late(5);
  while (signal.aborted && healthy.state.endpoints[endpoint] !== undefined) await late(5);
}

/** Network plugins that are broken at Join, at Leave, or in between. */
export const leavingFlaws = (): Flaw<HealthyNetworks>[] => [
  {
    finds: 'network/join',
    about: 'names an interface that is not there',
    handlers: () => ({ Join: () => ({ InterfaceName: { SrcName: 'nosuchlink', DstPrefix: 'eth' } }) }),
  },
  {
    finds: 'network/join-names',
    about: 'has no name for the interface in the container',
    handlers: (healthy) => ({
      async Join(request, context) {
        const answer = await healthy.Join(request, context);
        return { InterfaceName: { SrcName: answer?.InterfaceName?.SrcName ?? '', DstPrefix: '' } };
      },
    }),
  },
  {
    finds: 'network/join-routes',
    about: 'answers a gateway with its mask',
    handlers: () => ({ Join: () => ({ Gateway: '198.18.0.1/24' }) }),
  },
  {
    finds: 'network/join-two',
    about: 'has one interface for everybody',
    handlers: (healthy) => ({
      Join() {
        const name = healthy.inside('1234567');
        if (!interfaceNames().has(name)) healthy.pair(healthy.outside('1234567'), name);
        return { InterfaceName: { SrcName: name, DstPrefix: 'eth' } };
      },
      DeleteEndpoint: ({ EndpointID }) => {
        healthy.unlink(healthy.outside('1234567'));
        healthy.forgetEndpoint(EndpointID);
      },
    }),
  },
  {
    finds: 'network/join-unknown',
    about: 'makes an interface for anybody',
    handlers: (healthy) => ({ Join: ({ EndpointID }) => anyInterface(healthy, EndpointID) }),
  },
  {
    finds: 'network/join-in-sandbox',
    about: 'says that it makes its interface in the sandbox, and does not',
    handlers: (healthy) => ({
      Join({ EndpointID }) {
        const { InterfaceName } = anyInterface(healthy, EndpointID);
        return { InterfaceName: { ...InterfaceName, InSandbox: true } };
      },
    }),
  },
  {
    finds: 'network/leave',
    about: 'leaves its interfaces to the host',
    handlers: (healthy) => ({
      Leave: () => {},
      DeleteEndpoint: ({ EndpointID }) => healthy.forgetEndpoint(EndpointID),
    }),
  },
  {
    finds: 'network/leave-moved',
    about: 'looks for the container’s interface on the host, and only at Leave',
    handlers: (healthy) => ({
      Leave: ({ EndpointID }) => healthy.unlink(healthy.inside(EndpointID)),
      DeleteEndpoint: ({ EndpointID }) => healthy.forgetEndpoint(EndpointID),
    }),
  },
  {
    finds: 'network/leave-vanished',
    about: 'keeps an endpoint whose interface it does not find',
    handlers: (healthy) => ({
      Leave: () => {},
      DeleteEndpoint({ EndpointID }) {
        healthy.ip('link', 'delete', healthy.outside(EndpointID));
        healthy.forgetEndpoint(EndpointID);
      },
    }),
  },
  {
    finds: 'network/leave-vanished-succeeds',
    about: 'complains of an interface that it does not find',
    handlers: (healthy) => ({
      Leave: ({ EndpointID }) => healthy.ip('link', 'delete', healthy.outside(EndpointID)),
    }),
  },
  {
    finds: 'network/leave-without-join',
    about: 'forgets an endpoint that is left',
    handlers: (healthy) => ({
      Leave(request, context) {
        healthy.forgetEndpoint(request.EndpointID);
        return healthy.Leave(request, context);
      },
    }),
  },
  {
    finds: 'network/leave-again',
    about: 'removes every interface when it does not find the endpoint',
    handlers: (healthy) => ({
      Leave(request, context) {
        if (healthy.state.endpoints[request.EndpointID] !== undefined) return healthy.Leave(request, context);
        for (const name of healthy.links) healthy.unlink(name);
      },
    }),
  },
  {
    finds: 'network/delete-without-leave',
    about: 'removes interfaces only at Leave',
    handlers: (healthy) => ({ DeleteEndpoint: ({ EndpointID }) => healthy.forgetEndpoint(EndpointID) }),
  },
  {
    finds: 'network/join-again',
    about: 'makes another pair each time, and knows only the last',
    handlers: another,
  },
  {
    finds: 'network/join-hang-up',
    about: 'makes the interface although its endpoint went meanwhile',
    handlers: (healthy) => ({
      async Join({ EndpointID }, context) {
        await tooLate(healthy, EndpointID, context);
        return anyInterface(healthy, EndpointID);
      },
    }),
  },
  {
    finds: 'network/crash-in-a-join',
    about: 'notes its interfaces when it has made them',
    handlers: (healthy) => ({
      async Join({ EndpointID }, context) {
        await tooLate(healthy, EndpointID, context);
        return anyInterface(healthy, EndpointID);
      },
    }),
  },
];

function anyInterface(healthy: HealthyNetworks, endpoint: string) {
  healthy.pair(healthy.outside(endpoint), healthy.inside(endpoint));
  return { InterfaceName: { SrcName: healthy.inside(endpoint), DstPrefix: 'eth' } };
}

function another(healthy: HealthyNetworks): Partial<HealthyNetworks> {
  let last = '';
  let count = 0;
  return {
    Join() {
      last = healthy.outside(`${count++}`);
      healthy.pair(last, `${last}i`);
      return { InterfaceName: { SrcName: `${last}i`, DstPrefix: 'eth' } };
    },
    Leave: () => healthy.unlink(last),
  };
}
