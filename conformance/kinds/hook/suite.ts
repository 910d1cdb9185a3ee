import { hookKind } from '@cleat/protocol/kinds/hook';
import type { Suite } from '../../verify/suite.js';
import { asking } from './asking.js';
import { asked } from './steps.js';

export const hookSuite = {
  kind: hookKind,
  harmless: { method: 'Request', request: asked('GET', '/_ping') },
  cases: asking,
} satisfies Suite;
