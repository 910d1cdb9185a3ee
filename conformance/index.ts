/** Test any Docker plugin through its socket; record what an engine and a plugin say, and replay it. */
export { pluginDirectories, type Reached, reach } from './reach.js';
export type { CaseFacts } from './verify/case.js';
export type { Control } from './verify/control.js';
export { Finding, type Said } from './verify/finding.js';
export type { Settings } from './verify/session.js';
export { type Outcome, type Result, type Verdict, type VerifyOptions, verify } from './verify/verify.js';
