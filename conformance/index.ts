/** Test any Docker plugin through its socket; record what an engine and a plugin say, and replay it. */
export { type Reached, reach } from './reach.js';
