import { forbidden } from '@cleat/protocol/errors';
import type { SubLinkType } from '@cleat/sdk/networks';
import { readOptions } from './network-options.js';

/** Docker's driver `ipvlan`: containers share the parent's MAC address, on its network (l2) or routed behind it (l3). */
export const ipvlan: SubLinkType = {
  name: 'ipvlan',
  parentPrefix: 'di-',
  hasOwnMac: false,
  read: readOptions,
  refuseSharing({ parent }, other) {
    throw forbidden(`network di-${other.id.slice(0, 12)} is already using parent interface ${parent}`);
  },
  linkType: ({ mode, flag }) => `ipvlan mode ${mode} ${flag}`,
  takesParentMac: () => false,
  isRouted: ({ mode }) => mode !== 'l2',
};
