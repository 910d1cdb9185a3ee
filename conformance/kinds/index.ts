import type { Suite } from '../verify/suite.js';
import { authzSuite } from './authz/suite.js';
import { ipamSuite } from './ipam/suite.js';
import { logSuite } from './log/suite.js';
import { metricsSuite } from './metrics/suite.js';
import { networkSuite } from './network/suite.js';
import { secretSuite } from './secret/suite.js';
import { volumeSuite } from './volume/suite.js';

/** Every kind that can be verified. Adding one is adding a folder and a line here. */
export const suites: readonly Suite[] = [
  volumeSuite,
  networkSuite,
  ipamSuite,
  logSuite,
  authzSuite,
  metricsSuite,
  secretSuite,
];
