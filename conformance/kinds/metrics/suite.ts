import { metricsKind } from '@cleat/protocol/kinds/metrics';
import type { Suite } from '../../verify/suite.js';
import { collecting } from './collecting.js';

export const metricsSuite = {
  kind: metricsKind,
  // Whatever a collector has methods for makes it begin or end its work.
  harmless: { method: 'NoMethodOfTheContract', request: { Anything: 'that is long enough to come in pieces' } },
  cases: collecting,
} satisfies Suite;
