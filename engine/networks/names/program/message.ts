import { addressBytes } from '@cleat/protocol/cidr';
import dns from 'dns-packet';

/*
 * DNS messages (RFC 1035, RFC 6891) as far as this server reads and writes them. What is odd is refused as the library
 * of a stock engine refuses it.
 */

export const recordType = { A: 1, SOA: 6, PTR: 12, MX: 15, AAAA: 28, OPT: 41, ANY: 255 } as const;
const classIn = 1;
export const headerBytes = 12;
/** Questions are small; a longer one wants something else. */
const maxQuestionBytes = 4096;
/** The size that every client takes. */
const minDatagram = 512;
const maxStream = 65_535;
/** The size that we take, and say so; it passes every usual network in one piece. */
const ownDatagram = 1232;
/** Seconds; the same as on a stock engine. */
const lifetime = 600;

export const code = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noName: 3,
  notImplemented: 4,
  refused: 5,
} as const;
const badVersion = 16;

/** A question that can be answered. */
export interface Query {
  readonly message: Buffer;
  /** The question's own bytes, for the answer. */
  readonly question: Buffer;
  /** Without the dot at the end, in lower case; undefined for one that no host has (a dot or odd bytes in a label). */
  readonly name: string | undefined;
  readonly type: number;
  readonly isInternet: boolean;
  /** EDNS: what the client takes by UDP. */
  readonly edns: { size: number; version: number } | undefined;
}

/** A message that is answered without looking further, or with nothing at all. */
export interface Refused {
  readonly refused: Buffer | undefined;
}

export function readQuery(message: Buffer): Query | Refused {
  if (message.length < 2) return { refused: undefined };
  if (message.length < headerBytes) return { refused: failure(message, code.formatError) };
  // An answer is never answered: two servers would talk for ever.
  if (message.readUInt8(2) & 0x80) return { refused: undefined };
  if (operation(message) !== 0) return { refused: failure(message, code.notImplemented) };
  const more = message.readUInt16BE(10);
  const question = questionOf(message);
  // One question, no answers, no authorities.
  const isOdd = message.readUInt32BE(4) !== 0x10000 || message.readUInt16BE(8) !== 0 || more > 2;
  if (isOdd || !question || message.length > maxQuestionBytes) return { refused: failure(message, code.formatError) };
  // Nearly all: read without taking everything apart.
  const rest = message.subarray(headerBytes + question.question.length);
  if (more === 0 && rest.length === 0) return { message, ...question, edns: undefined };
  if (more === 1 && isPlainOption(rest)) {
    return { message, ...question, edns: { size: rest.readUInt16BE(3), version: rest.readUInt8(6) } };
  }
  try {
    const decoded = dns.decode(message);
    const options = decoded.additionals?.filter((record) => record.type === 'OPT') ?? [];
    if (options.length > 1) return { refused: failure(message, code.formatError) };
    const [option] = options;
    const edns = option && { size: option.udpPayloadSize, version: option.ednsVersion };
    return { message, ...question, edns };
  } catch {
    return { refused: failure(message, code.formatError) };
  }
}

/** An OPT record without options: its name is empty, then come type, size, code, version, flags and a length of 0. */
export const isPlainOption = (bytes: Buffer): boolean =>
  bytes.length === 11 && bytes[0] === 0 && bytes.readUInt16BE(1) === recordType.OPT && bytes.readUInt16BE(9) === 0;

const operation = (message: Buffer): number => (message.readUInt8(2) >> 3) & 15;

type Question = Pick<Query, 'question' | 'name' | 'type' | 'isInternet'>;

/** The first question of a message; undefined when it is cut off or its name is none. */
function questionOf(message: Buffer): Question | undefined {
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = message[at];
    // A pointer (from 192 on) cannot point to anything before the first name.
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    labels.push(message.toString('latin1', at, at + length).toLowerCase());
    at += length;
    if (at - headerBytes > 254) return undefined;
  }
  if (at + 4 > message.length) return undefined;
  const plain = labels.every((label) => /^[\x21-\x2d\x2f-\x7e]+$/.test(label));
  return {
    question: message.subarray(headerBytes, at + 4),
    name: plain ? labels.join('.') : undefined,
    type: message.readUInt16BE(at),
    isInternet: message.readUInt16BE(at + 2) === classIn,
  };
}

/** Whether a server's answer belongs to a question: its name in any case, type and class. */
export function answersTo(answer: Buffer, query: Query): boolean {
  if (answer.length < headerBytes || !(answer.readUInt8(2) & 0x80)) return false;
  const echoed = answer.subarray(headerBytes, headerBytes + query.question.length);
  // Not every server repeats the question when it fails.
  if (answer.readUInt16BE(4) === 0) return responseCode(answer) !== code.noError;
  return answer.readUInt16BE(4) === 1 && folded(echoed) === folded(query.question);
}

const folded = (question: Buffer): string => question.toString('latin1').toLowerCase();

export const responseCode = (answer: Buffer): number => answer.readUInt8(3) & 15;

/** More was to be said than was asked for by UDP. */
export const isCut = (answer: Buffer): boolean => (answer.readUInt8(2) & 2) !== 0;

/** An error to whatever it was: with its question, if that can be told. */
export function failure(message: Buffer, rcode: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  message.copy(header, 0, 0, 2);
  const asked = message.length > 2 ? message.readUInt8(2) : 0;
  header.writeUInt8(0x80 | (asked & 0x79), 2);
  header.writeUInt8(0x80 | rcode, 3);
  const question = message.length >= headerBytes && message.readUInt16BE(4) === 1 ? questionOf(message) : undefined;
  if (!question || message.length > maxQuestionBytes) return header;
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, question.question]);
}

/** Data of a record that answers a question. */
export interface Found {
  readonly type: number;
  readonly data: Buffer;
}

export const addressFound = (address: string): Found => ({
  type: address.includes(':') ? recordType.AAAA : recordType.A,
  data: Buffer.from(addressBytes(address)),
});

/** @returns undefined for a name that DNS cannot carry */
export function nameFound(name: string): Found | undefined {
  const labels = name.split('.').map((label) => Buffer.from(label));
  if (labels.some(({ length }) => length === 0 || length > 63)) return undefined;
  const data = Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.alloc(1)]);
  return data.length > 255 ? undefined : { type: recordType.PTR, data };
}

/** How much of an answer the client takes. */
export type Transport = 'datagram' | 'stream';

function limitFor({ edns }: Query, transport: Transport): number {
  return transport === 'stream' ? maxStream : Math.max(minDatagram, edns?.size ?? 0);
}

/** Our own answer, as much of it as fits; what is cut off is marked, and the client asks again by TCP. */
export function answerWith(query: Query, found: readonly Found[], transport: Transport): Buffer {
  const badEdns = query.edns !== undefined && query.edns.version > 0;
  const option = query.edns ? optionRecord(badEdns ? badVersion >> 4 : 0) : Buffer.alloc(0);
  const context = limitFor(query, transport) - headerBytes - query.question.length - option.length;
  const records: Buffer[] = [];
  let used = 0;
  for (const one of badEdns ? [] : found) {
    const record = recordOf(one);
    used += record.length;
    if (used > context) break;
    records.push(record);
  }
  const header = Buffer.alloc(headerBytes);
  query.message.copy(header, 0, 0, 2);
  const isCut = !badEdns && records.length < found.length;
  header.writeUInt8(0x80 | (isCut ? 2 : 0) | (query.message.readUInt8(2) & 1), 2);
  header.writeUInt8(0x80 | (badEdns ? badVersion & 15 : 0), 3);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt16BE(option.length > 0 ? 1 : 0, 10);
  return Buffer.concat([header, query.question, ...records, option]);
}

/** The beginning of each record: a pointer to the question as its name; type and length are still to be filled in. */
const recordHead = Buffer.alloc(12);
recordHead.writeUInt16BE(0xc000 | headerBytes, 0);
recordHead.writeUInt16BE(classIn, 4);
recordHead.writeUInt32BE(lifetime, 6);

function recordOf({ type, data }: Found): Buffer {
  const record = Buffer.allocUnsafe(recordHead.length + data.length);
  recordHead.copy(record);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(data.length, 10);
  data.copy(record, recordHead.length);
  return record;
}

function optionRecord(extendedCode: number): Buffer {
  const record = Buffer.alloc(11);
  record.writeUInt16BE(recordType.OPT, 1);
  record.writeUInt16BE(ownDatagram, 3);
  record.writeUInt8(extendedCode, 5);
  return record;
}

/** Another server's answer: one that the client would not take whole is cut off, and marked so. */
export function fitted(answer: Buffer, query: Query, transport: Transport): Buffer {
  if (answer.length <= limitFor(query, transport)) return answer;
  const header = Buffer.alloc(headerBytes);
  answer.copy(header, 0, 0, 4);
  header.writeUInt8(header.readUInt8(2) | 2, 2);
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, query.question]);
}
