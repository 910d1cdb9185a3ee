import type { Duplex, Readable } from 'node:stream';
import type { Message } from './message.js';
import { code, StatusError } from './status.js';

/** The longest message that is taken, as BuildKit's own clients have it. */
const maxMessageBytes = 16 * 1024 * 1024;

/** A message with its length before it, as gRPC frames it (grpc/grpc `doc/PROTOCOL-HTTP2.md`). */
export function frame(payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + payload.length);
  framed[0] = 0;
  framed.writeUInt32BE(payload.length, 1);
  framed.set(payload, 5);
  return framed;
}

/** The messages of one direction of a call. @throws StatusError for what is no such message */
export async function* readMessages<T>(source: Readable, of: Pick<Message<T>, 'decode'>): AsyncGenerator<T> {
  let pieces: Buffer[] = [];
  let held = 0;
  /** Bytes that the next message needs with its prefix; 0: not known yet. */
  let needed = 0;
  // A reader that has heard enough may still answer.
  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    pieces.push(chunk);
    held += chunk.length;
    if (held < Math.max(5, needed)) continue;
    let bytes = pieces.length === 1 ? chunk : Buffer.concat(pieces, held);
    for (;;) {
      needed = bytes.length >= 5 ? 5 + lengthOf(bytes) : 0;
      if (needed === 0 || bytes.length < needed) break;
      yield decode(of, bytes.subarray(5, needed));
      bytes = bytes.subarray(needed);
    }
    pieces = bytes.length > 0 ? [bytes] : [];
    held = bytes.length;
  }
  if (held > 0) throw new StatusError(code.internal, 'a message ended before its time');
}

function lengthOf(bytes: Buffer): number {
  if (bytes[0] !== 0)
    throw new StatusError(code.unimplemented, 'compressed messages are not taken: send them as they are');
  const length = bytes.readUInt32BE(1);
  if (length > maxMessageBytes) {
    throw new StatusError(code.resourceExhausted, `a message of ${length} bytes is larger than ${maxMessageBytes}`);
  }
  return length;
}

function decode<T>(of: Pick<Message<T>, 'decode'>, payload: Uint8Array): T {
  try {
    return of.decode(payload);
  } catch (error) {
    throw new StatusError(code.internal, 'a message is malformed', [], { cause: error });
  }
}

/** Sends at the reader's pace. @returns false when there is no longer a reader */
export function send(stream: Duplex, ...payloads: Uint8Array[]): Promise<boolean> {
  if (stream.destroyed || stream.writableEnded) return Promise.resolve(false);
  const [only] = payloads;
  const frames = only && payloads.length === 1 ? frame(only) : Buffer.concat(payloads.map(frame));
  if (stream.write(frames)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off('drain', settle);
      stream.off('close', settle);
      resolve(!stream.destroyed);
    };
    stream.once('drain', settle);
    stream.once('close', settle);
  });
}
