import { volumeKind } from '@cleat/protocol/kinds/volume';
import type { Suite } from '../../verify/suite.js';
import { crashing } from './crashing.js';
import { looking } from './looking.js';
import { making } from './making.js';
import { mounting } from './mounting.js';

export const volumeSuite = {
  kind: volumeKind,
  harmless: { method: 'Get', request: { Name: 'no-such-volume' } },
  cases: [...looking, ...making, ...mounting, ...crashing],
} satisfies Suite;
