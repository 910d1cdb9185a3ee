/** Test any Docker plugin through its socket; record what an engine and a plugin say, and replay it. */
export { type Reached, reach } from './reach.js';
export { parseRecording, readRecording } from './recording/parse.js';
export { type Recorder, type RecorderOptions, record } from './recording/recorder.js';
export type { RecordedEvent, Recording } from './recording/recording.js';
export { type CallDifference, type ReplayOptions, type ReplayResult, replay } from './recording/replay.js';
export { type StandIn, type StandInOptions, standIn } from './recording/stand-in.js';
