import { type Flaw, raceMs } from '../../testing/test-plugin.fixture.js';
import { allocatingFlaws } from './allocating-flaws.fixture.js';
import type { HealthyNetworks } from './healthy.fixture.js';
import { leavingFlaws } from './leaving-flaws.fixture.js';
import { namingFlaws } from './naming-flaws.fixture.js';
import { publishingFlaws } from './publishing-flaws.fixture.js';

const turn = (ms = raceMs) => new Promise((resolve) => setTimeout(resolve, ms));

/** Network plugins that are broken in one way each: at least one for every case. */
export function networkFlaws(): Flaw<HealthyNetworks>[] {
  let subnets: string[] = [];

  return [
    {
      finds: 'network/scope',
      about: 'has a scope of its own',
      handlers: () => ({ GetCapabilities: () => ({ Scope: 'galaxy' }) }),
    },
    {
      finds: 'network/connectivity-scope',
      about: 'connects everything',
      handlers: () => ({ GetCapabilities: () => ({ Scope: 'local', ConnectivityScope: 'universal' }) }),
    },
    {
      finds: 'network/errors-are-readable',
      about: 'has a formatting mistake in its error',
      handlers: () => ({
        EndpointOperInfo() {
          throw new Error('no endpoint %!s(MISSING)');
        },
      }),
    },
    {
      finds: 'network/create',
      about: 'keeps the subnets of networks that were deleted',
      handlers: keepingSubnets,
    },
    {
      finds: 'network/any-subnet',
      about: 'has a subnet of its own, and no IPAM driver to give it',
      handlers: (healthy) => ({
        CreateNetwork(request, context) {
          if (request.IPv4Data[0]?.Pool?.startsWith('198.')) throw new Error('I take subnets of 10.250.0.0/16');
          return healthy.CreateNetwork(request, context);
        },
      }),
    },
    {
      finds: 'network/create-unknown-members',
      about: 'takes what it does not know for a mistake',
      async http(request, response, answer) {
        request.on('data', (chunk: Buffer) => {
          if (chunk.includes('NextVersion')) response.destroy();
        });
        await answer(request, response);
      },
    },
    {
      finds: 'network/create-internal',
      about: 'shows its stack when a network is to be internal',
      handlers: (healthy) => ({
        CreateNetwork(request, context) {
          if (request.Options?.['com.docker.network.internal'])
            throw new Error('not here\n    at create (driver.js:7:11)');
          return healthy.CreateNetwork(request, context);
        },
      }),
    },
    {
      finds: 'network/create-ipv6',
      about: 'takes a network with IPv6, and no endpoint',
      handlers: (healthy) => ({
        CreateEndpoint(request, context) {
          if (request.Interface?.AddressIPv6) throw new Error('IPv6 is not supported');
          return healthy.CreateEndpoint(request, context);
        },
      }),
    },
    {
      finds: 'network/two-networks',
      about: 'deletes all networks',
      handlers: (healthy) => ({
        DeleteNetwork() {
          healthy.state = { networks: {}, endpoints: {} };
        },
      }),
    },
    {
      finds: 'network/delete-again',
      about: 'deletes all networks when it does not find one',
      handlers: (healthy) => ({
        DeleteNetwork(request, context) {
          if (healthy.state.networks[request.NetworkID] !== undefined) return healthy.DeleteNetwork(request, context);
          healthy.state = { networks: {}, endpoints: {} };
        },
      }),
    },
    {
      finds: 'network/create-again',
      about: 'takes back what it finds when it is to make it',
      handlers: (healthy) => ({
        async CreateNetwork(request, context) {
          const existed = healthy.state.networks[request.NetworkID] !== undefined;
          await healthy.CreateNetwork(request, context);
          if (!existed) return;
          await healthy.DeleteNetwork(request, context);
          throw new Error('that did not work');
        },
      }),
    },
    {
      finds: 'network/create-again-succeeds',
      about: 'refuses what exists',
      handlers: (healthy) => ({
        CreateNetwork(request, context) {
          if (healthy.state.networks[request.NetworkID] !== undefined) throw new Error('it exists');
          return healthy.CreateNetwork(request, context);
        },
      }),
    },
    {
      finds: 'network/create-at-once',
      about: 'loses what is made at the same time',
      handlers: (healthy) => ({
        async CreateNetwork({ NetworkID }) {
          const before = healthy.state;
          await turn();
          healthy.state = { ...before, networks: { ...before.networks, [NetworkID]: '' } };
        },
      }),
    },
    {
      finds: 'network/discovery',
      about: 'wants to hear of no other node',
      handlers: () => ({
        DiscoverNew() {
          throw new Error('what is a node?');
        },
      }),
    },
    {
      finds: 'network/endpoint-unknown-network',
      about: 'takes endpoints of any network',
      handlers: () => ({ CreateEndpoint: () => ({}) }),
    },
    {
      finds: 'network/endpoint-keeps-addresses',
      about: 'answers what it was asked',
      handlers: () => ({ CreateEndpoint: ({ Interface }) => ({ Interface }) }),
    },
    {
      finds: 'network/endpoint-chosen-mac',
      about: 'has one MAC address for all',
      handlers: () => ({ CreateEndpoint: () => ({ Interface: { MacAddress: '02:42:00:00:00:01' } }) }),
    },
    {
      finds: 'network/endpoint-without-address',
      about: 'chooses an address without a mask',
      handlers: () => ({ CreateEndpoint: () => ({ Interface: { Address: '10.0.0.2' } }) }),
    },
    {
      finds: 'network/options-null',
      about: 'needs options',
      handlers: (healthy) => ({
        Join(request, context) {
          if (!request.Options) throw new Error('invalid memory address or nil pointer dereference');
          return healthy.Join(request, context);
        },
      }),
    },
    {
      finds: 'network/oper-info',
      about: 'knows nothing of its endpoints',
      handlers: () => ({
        EndpointOperInfo() {
          throw new Error('not implemented');
        },
      }),
    },
    {
      finds: 'network/endpoint-again',
      about: 'takes back the endpoint that it finds when it is to make it',
      handlers: (healthy) => ({
        CreateEndpoint(request, context) {
          if (healthy.state.endpoints[request.EndpointID] === undefined)
            return healthy.CreateEndpoint(request, context);
          healthy.forgetEndpoint(request.EndpointID);
          throw new Error('endpoint exists');
        },
      }),
    },
    {
      finds: 'network/endpoint-delete-again',
      about: 'deletes all endpoints when it does not find one',
      handlers: (healthy) => ({
        DeleteEndpoint(request, context) {
          if (healthy.state.endpoints[request.EndpointID] !== undefined)
            return healthy.DeleteEndpoint(request, context);
          healthy.state = { ...healthy.state, endpoints: {} };
        },
      }),
    },
    {
      finds: 'network/endpoints-at-once',
      about: 'forgets who comes at the same time',
      handlers: (healthy) => ({
        async CreateEndpoint({ NetworkID, EndpointID }) {
          const before = healthy.state;
          await turn();
          healthy.state = { ...before, endpoints: { ...before.endpoints, [EndpointID]: NetworkID } };
          return {};
        },
      }),
    },
    {
      finds: 'network/external-connectivity',
      about: 'publishes nothing, and says so by an error',
      handlers: () => ({
        RevokeExternalConnectivity() {
          throw new Error('not implemented');
        },
      }),
    },
    {
      finds: 'network/crash-keeps-networks',
      about: 'begins anew',
      handlers(healthy) {
        healthy.state = { networks: {}, endpoints: {} };
        return {};
      },
    },
    {
      finds: 'network/crash-keeps-deletions',
      about: 'writes nothing of what it deletes',
      handlers(healthy) {
        const gone = new Set<string>();
        return {
          CreateNetwork(request, context) {
            const subnet = request.IPv4Data[0]?.Pool ?? '';
            for (const [id, taken] of Object.entries(healthy.state.networks)) {
              if (taken === subnet && !gone.has(id)) throw new Error(`subnet ${subnet} is taken`);
            }
            return healthy.CreateNetwork(request, context);
          },
          DeleteNetwork({ NetworkID }) {
            gone.add(NetworkID);
          },
        };
      },
    },
    {
      finds: 'network/crash-keeps-interfaces',
      about: 'begins by clearing up',
      handlers(healthy) {
        for (const name of healthy.links) healthy.unlink(name);
        return {};
      },
    },
    {
      finds: 'network/crash-while-joined',
      about: 'knows only the interfaces that it made itself',
      handlers(healthy) {
        const mine = new Set<string>();
        return {
          Join(request, context) {
            mine.add(request.EndpointID);
            return healthy.Join(request, context);
          },
          Leave(request, context) {
            if (mine.has(request.EndpointID)) return healthy.Leave(request, context);
          },
          DeleteEndpoint: ({ EndpointID }) => healthy.forgetEndpoint(EndpointID),
        };
      },
    },
    {
      finds: 'network/crash-before-join',
      about: 'never lets an endpoint go that it did not join',
      handlers(healthy) {
        const mine = new Set<string>();
        return {
          Join(request, context) {
            if (!mine.has(request.EndpointID)) throw new Error('that is not an endpoint of mine');
            return healthy.Join(request, context);
          },
          CreateEndpoint(request, context) {
            mine.add(request.EndpointID);
            return healthy.CreateEndpoint(request, context);
          },
          DeleteEndpoint(request, context) {
            if (!mine.has(request.EndpointID)) throw new Error('that is not an endpoint of mine');
            return healthy.DeleteEndpoint(request, context);
          },
        };
      },
    },
    {
      finds: 'network/crash-in-a-create',
      about: 'takes the subnet first, and forgets for whom',
      handlers: (healthy) => ({
        async CreateNetwork(request, context) {
          const subnet = request.IPv4Data[0]?.Pool ?? '';
          if (subnets.includes(subnet)) throw new Error(`subnet ${subnet} is taken`);
          subnets.push(subnet);
          // Most of what the call takes: it is killed in here.
          await turn(200);
          if (context.signal.aborted) return;
          await healthy.CreateNetwork(request, context);
          subnets = subnets.filter((other) => other !== subnet);
        },
        DeleteNetwork(request, context) {
          healthy.network(request.NetworkID);
          subnets = [];
          return healthy.DeleteNetwork(request, context);
        },
      }),
    },
    ...allocatingFlaws(),
    ...publishingFlaws(),
    ...leavingFlaws(),
    ...namingFlaws(),
  ];

  function keepingSubnets(healthy: HealthyNetworks): Partial<HealthyNetworks> {
    return {
      CreateNetwork(request, context) {
        const subnet = request.IPv4Data[0]?.Pool ?? '';
        if (subnets.includes(subnet)) throw new Error(`subnet ${subnet} is taken`);
        subnets.push(subnet);
        return healthy.CreateNetwork(request, context);
      },
    };
  }
}
