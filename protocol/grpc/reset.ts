import type { Http2Stream } from 'node:http2';
import { setImmediate } from '../guard.js';

/**
 * Resets a stream, though not at once. Node 20 puts off a reset with the code CANCEL while its connection is within a
 * callback, forgets it where the stream is destroyed meanwhile, and then sends empty frames for that stream without end.
 * Connections within calls of others are always within such a callback.
 */
export function reset(stream: Http2Stream, code: number): void {
  setImmediate(() => {
    if (!stream.destroyed) stream.close(code);
  });
}
