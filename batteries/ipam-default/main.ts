import { invalidParameter } from '@cleat/protocol/errors';
import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { readPools } from '@cleat/sdk/addresses';
import { createIpam } from './ipam.js';

/** Options: `stateDir` (required), `addressPools`: a list of `{base, size}`, or that list as JSON. */
export default {
  start({ options, log }) {
    const { stateDir, addressPools } = options;
    if (typeof stateDir !== 'string' || !stateDir) throw invalidParameter('ipam-default needs the option stateDir');
    return { implementations: [implement(ipamKind, createIpam({ stateDir, pools: readPools(addressPools), log }))] };
  },
} satisfies ExtensionModule;
