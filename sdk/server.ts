/** For a server of your own that is no extension: a socket that replaces a stale one, and an end in peace. */
export { serveUntilSignal } from './run.js';
export { listenOnSocket } from './socket.js';
