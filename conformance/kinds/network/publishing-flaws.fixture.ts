import { netlabel } from '@cleat/protocol/kinds/network';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import type { HealthyNetworks } from './healthy.fixture.js';

/** Network plugins that are broken at what they declare of gateways, ports and links. */
export const publishingFlaws = (): Flaw<HealthyNetworks>[] => [
  {
    finds: 'network/gateway-check',
    about: 'changes its mind',
    handlers() {
      let asked = 0;
      return { GwAllocCheck: () => ({ SkipIPv4: asked++ % 2 === 0 }) };
    },
  },
  {
    finds: 'network/published-ports',
    about: 'tells of no port',
    handlers: () => ({ EndpointOperInfo: () => ({ Value: {} }) }),
  },
  {
    finds: 'network/published-ports',
    about: 'goes on telling of ports that were revoked',
    handlers: () => ({ RevokeExternalConnectivity: () => {} }),
  },
  {
    finds: 'network/published-per-family',
    about: 'pays no heed to the families',
    handlers: (healthy) => ({
      ProgramExternalConnectivity: (request, context) =>
        healthy.ProgramExternalConnectivity(
          { ...request, Options: { ...request.Options, [netlabel.gatewayFor]: ['ipv4', 'ipv6'] } },
          context,
        ),
    }),
  },
  {
    finds: 'network/links',
    about: 'opens a link once',
    handlers() {
      let opened = false;
      return {
        OpenLinks({ Links }) {
          if (opened && Links.length > 0) throw new Error('the link is open');
          opened = true;
        },
      };
    },
  },
];
