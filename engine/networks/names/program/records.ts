import { headerBytes } from './message.js';

/** A record of an answer, as far as its time to live is concerned. */
export interface TimedRecord {
  readonly section: 'answer' | 'authority' | 'additional';
  readonly type: number;
  /** Where its time to live is written, in seconds (four bytes). */
  readonly ttlAt: number;
  readonly ttl: number;
  /** Its data, within the message. */
  readonly dataAt: number;
  readonly dataLength: number;
}

const sections = ['answer', 'authority', 'additional'] as const;
/** Octets of a record between its name and its data (RFC 1035, 3.2.1). */
const fixedBytes = 10;

/** The records of a message after its one question; undefined for one that is cut off or has something behind it. */
export function recordsOf(message: Buffer): TimedRecord[] | undefined {
  const question = nameEnd(message, headerBytes);
  if (question === undefined) return undefined;
  const found: TimedRecord[] = [];
  let at = question + 4;
  for (const [index, section] of sections.entries()) {
    for (let left = message.readUInt16BE(6 + 2 * index); left > 0; left--) {
      const end = nameEnd(message, at);
      if (end === undefined || end + fixedBytes > message.length) return undefined;
      const dataAt = end + fixedBytes;
      const dataLength = message.readUInt16BE(end + 8);
      if (dataAt + dataLength > message.length) return undefined;
      const [type, ttlAt] = [message.readUInt16BE(end), end + 4];
      found.push({ section, type, ttlAt, ttl: message.readUInt32BE(ttlAt), dataAt, dataLength });
      at = dataAt + dataLength;
    }
  }
  return at === message.length ? found : undefined;
}

/** The end of a name, which may be a pointer to another one; undefined when the message ends before. */
function nameEnd(message: Buffer, from: number): number | undefined {
  for (let at = from; ; ) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > 63) return undefined;
    at += length + 1;
  }
}
