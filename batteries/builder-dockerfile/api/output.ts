import type { Readable } from 'node:stream';

/** Splits a multiplexed stream of output: eight bytes of head, the first of which says 1 or 2, then the data. */
export async function* demultiplexed(source: Readable): AsyncGenerator<{ stream: 1 | 2; data: Buffer }> {
  let pending: Buffer = Buffer.alloc(0);
  let left = 0;
  let stream: 1 | 2 = 1;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length > 0) {
      if (left === 0) {
        if (pending.length < 8) break;
        stream = pending[0] === 2 ? 2 : 1;
        left = pending.readUInt32BE(4);
        pending = pending.subarray(8);
        continue;
      }
      const data = pending.subarray(0, left);
      left -= data.length;
      pending = pending.subarray(data.length);
      yield { stream, data };
    }
  }
}
