/** The commands of this package, for `cleat` and for programs of its own: what they do, their options and their help. */

export { recordCommand, recordHelp, recordOptions } from './recording/record-command.js';
export { replayCommand, replayHelp, replayOptions } from './recording/replay-command.js';
export { verifyCommand, verifyHelp, verifyOptions } from './verify/command.js';
