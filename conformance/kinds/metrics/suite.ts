import { metricsKind } from '@cleat/protocol/kinds/metrics';
import type { Suite } from '../../verify/suite.js';
import { collecting } from './collecting.js';

export const metricsSuite = {
  kind: metricsKind,
  // Each method of a collector begins or ends its work.
  harmless: { method: 'NoMethodOfTheContract', request: { Anything: 'that is long enough to come in pieces' } },
  cases: collecting,
} satisfies Suite;
