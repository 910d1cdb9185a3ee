import { networkKind } from '@cleat/protocol/kinds/network';
import type { Suite } from '../../verify/suite.js';
import { allocating } from './allocating.js';
import { attaching } from './attaching.js';
import { crashing } from './crashing.js';
import { joiningCases } from './joining.js';
import { leaving } from './leaving.js';
import { looking } from './looking.js';
import { making } from './making.js';
import { naming } from './naming.js';
import { publishing } from './publishing.js';

export const networkSuite = {
  kind: networkKind,
  harmless: { method: 'GetCapabilities', request: {} },

  cases: [
    ...looking,
    ...making,
    ...allocating,
    ...attaching,
    ...joiningCases,
    ...publishing,
    ...leaving,
    ...naming,
    ...crashing,
  ],
} satisfies Suite;
