import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { cases } from '../../verify/case.js';

/** Cases that are safe for a plugin in production. */
export const looking = cases(
  ipamKind,
  {
    id: 'ipam/address-spaces',
    title: 'GetDefaultAddressSpaces names two address spaces',
    why: 'dockerd asks when it meets the driver, takes none that fails, and sends the names in every RequestPool.',
    async run(trial) {
      const spaces = await trial.succeeds('GetDefaultAddressSpaces', {}, 'two names');
      const { LocalDefaultAddressSpace: local, GlobalDefaultAddressSpace: global } = spaces;
      trial.holds(local !== '' && global !== '', 'names that are not empty');
    },
  },
  {
    id: 'ipam/capabilities',
    title: 'GetCapabilities answers in the protocol’s shape, or status 404',
    why: 'What cannot be read is taken for “no capabilities”: no MAC addresses are sent, and nothing is replayed.',
    run: async (trial) => await trial.doesOrLacks('GetCapabilities', {}),
  },
);
