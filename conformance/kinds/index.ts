import { type KindLabel, kindLabels } from '@cleat/protocol/kinds/index';
import type { Suite } from '../verify/suite.js';
import { authzSuite } from './authz/suite.js';
import { builderSuite } from './builder/suite.js';
import { hookSuite } from './hook/suite.js';
import { ipamSuite } from './ipam/suite.js';
import { logSuite } from './log/suite.js';
import { metricsSuite } from './metrics/suite.js';
import { networkSuite } from './network/suite.js';
import { secretSuite } from './secret/suite.js';
import { volumeSuite } from './volume/suite.js';

/** The suite of every kind. */
const byKind = {
  volume: volumeSuite,
  network: networkSuite,
  ipam: ipamSuite,
  log: logSuite,
  authz: authzSuite,
  metrics: metricsSuite,
  secret: secretSuite,
  builder: builderSuite,
  hook: hookSuite,
} satisfies Record<KindLabel, Suite>;

export const suites: readonly Suite[] = kindLabels.map((label) => byKind[label]);
