import { randomBytes } from 'node:crypto';
import { netlabel } from '@cleat/protocol/kinds/network';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import type { HealthyNetworks } from './healthy.fixture.js';

/** Network plugins that are broken at what they declare to do for all hosts, or to know. */
export const allocatingFlaws = (): Flaw<HealthyNetworks>[] => [
  {
    finds: 'network/allocate',
    about: 'does not take what it answered itself',
    handlers: (healthy) => ({
      CreateNetwork(request, context) {
        if (JSON.stringify(request.Options).includes('segment')) throw new Error('segment is not an option');
        return healthy.CreateNetwork(request, context);
      },
    }),
  },
  {
    finds: 'network/allocate-again',
    about: 'answers as it likes',
    handlers: () => ({ AllocateNetwork: () => ({ Options: { segment: randomBytes(8).toString('hex') } }) }),
  },
  {
    finds: 'network/free',
    about: 'frees nothing',
    handlers: () => ({ FreeNetwork: () => {} }),
  },
  {
    finds: 'network/free-again',
    about: 'frees everything when it does not find one',
    handlers: (healthy) => ({
      FreeNetwork(request, context) {
        if (healthy.state.allocations?.[request.NetworkID] !== undefined) return healthy.FreeNetwork(request, context);
        healthy.state = { networks: {}, endpoints: {} };
      },
      CreateNetwork(request, context) {
        const generic = JSON.stringify(request.Options?.[netlabel.generic] ?? {});
        if (generic.includes('segment') && healthy.state.allocations?.[request.NetworkID] === undefined)
          throw new Error('nothing is reserved for it');
        return healthy.CreateNetwork(request, context);
      },
    }),
  },
  {
    finds: 'network/endpoint-name',
    about: 'cannot do without the name',
    handlers(healthy) {
      let told = false;
      return {
        CreateEndpoint(request, context) {
          // Nothing else is asked with a name, so the other cases see no difference.
          if (request.Options?.[netlabel.endpointName] !== undefined) told = true;
          else if (told) throw new Error('who is it?');
          return healthy.CreateEndpoint(request, context);
        },
      };
    },
  },
];
