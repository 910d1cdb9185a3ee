/** The commands of this package, for `cleat` and for programs of its own. */
export { verifyCommand } from './verify/command.js';
