import { type Stream, scan } from './format.js';
import type { Lines } from './reader.js';
import type { SpoolChunk } from './service.js';

/** The container's output byte for byte: the texts of neighbouring lines of one stream in one chunk. */
export function joinStreams({ bytes, at }: Lines): SpoolChunk[] {
  const out = Buffer.allocUnsafe(bytes.length);
  const chunks: SpoolChunk[] = [];
  let length = 0;
  let begin = 0;
  let current: Stream | undefined;
  const finish = (end: number) => {
    if (current === undefined || length === begin) return;
    const next = { generation: at.generation, offset: at.offset + end };
    chunks.push({ stream: current, data: out.subarray(begin, length), next });
    begin = length;
  };
  scan(bytes, 0, bytes.length, (stream, complete, start, from, to) => {
    if (stream !== current) {
      finish(start);
      current = stream;
    }
    // The line feed after a complete line is the container's own.
    length += bytes.copy(out, length, from, complete ? to + 1 : to);
  });
  finish(bytes.length);
  return chunks;
}
