import { ipamKind } from '@cleat/protocol/kinds/ipam';
import type { Suite } from '../../verify/suite.js';
import { addresses } from './addresses.js';
import { crashing } from './crashing.js';
import { looking } from './looking.js';
import { pools } from './pools.js';

export const ipamSuite = {
  kind: ipamKind,
  harmless: { method: 'GetDefaultAddressSpaces', request: {} },
  cases: [...looking, ...pools, ...addresses, ...crashing],
} satisfies Suite;
