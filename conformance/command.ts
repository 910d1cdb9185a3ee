/** The commands of this package, for `cleat` and for programs of its own. */

export { recordCommand } from './recording/record-command.js';
export { replayCommand } from './recording/replay-command.js';
export { verifyCommand } from './verify/command.js';
