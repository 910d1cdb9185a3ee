import { implement, metricsKind } from '@cleat/sdk';
import { nothing, of, type Script } from '../../recording/script-of-kind.fixture.js';

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () => of(implement(metricsKind, { StartMetrics: nothing, StopMetrics: nothing })),
  asks: () => [
    ['StartMetrics', {}],
    ['StopMetrics', {}],
  ],
};
