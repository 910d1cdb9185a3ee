/** Test any Docker plugin through its socket; record what an engine and a plugin say, and replay it. */
export { pluginDirectories, type Reached, reach } from './reach.js';
export { parseRecording, readRecording } from './recording/parse.js';
export { type Recorder, type RecorderOptions, record } from './recording/recorder.js';
export type { RecordedEvent, Recording } from './recording/recording.js';
export { type CallDifference, type ReplayOptions, type ReplayResult, replay } from './recording/replay.js';
export { type StandIn, type StandInOptions, standIn } from './recording/stand-in.js';
export type { CaseFacts } from './verify/case.js';
export type { Control } from './verify/control.js';
export { Finding, type Said } from './verify/finding.js';
export type { Outcome, Result } from './verify/perform.js';
export type { Settings } from './verify/session.js';
export {
  type ConformanceTest,
  type ConformanceTests,
  conformanceTests,
  type TestContext,
  type TestOptions,
} from './verify/tests.js';
export { type Verdict, type VerifyOptions, verify } from './verify/verify.js';
