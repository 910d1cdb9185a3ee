import type { Suite } from '../verify/suite.js';
import { logSuite } from './log/suite.js';
import { volumeSuite } from './volume/suite.js';

/** Every kind that can be verified. Adding one is adding a folder and a line here. */
export const suites: readonly Suite[] = [volumeSuite, logSuite];
