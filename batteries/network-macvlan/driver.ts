import { forbidden } from '@cleat/protocol/errors';
import type { SubLinkType } from '@cleat/sdk/networks';
import { readOptions } from './network-options.js';

/** Docker's driver `macvlan`: each container is a host of its own on the parent's network. */
export const macvlan: SubLinkType = {
  name: 'macvlan',
  parentPrefix: 'dm-',
  hasOwnMac: true,
  read: readOptions,
  refuseSharing({ mode, parent }, other) {
    if (mode === 'passthru') {
      throw forbidden(
        `cannot use mode passthru, macvlan network ${other.id} is already using parent interface ${parent}`,
      );
    }
    if (other.mode === 'passthru') {
      throw forbidden(`macvlan network ${other.id} is already using parent interface ${parent} in mode passthru`);
    }
  },
  linkType: ({ mode }) => `macvlan mode ${mode}`,
  // In this mode the kernel gives an address of the interface's to the parent, too: the host keeps its own.
  takesParentMac: ({ mode }) => mode === 'passthru',
  isRouted: () => false,
};
