import { code, headerBytes, isCut, isPlainOption, type Query, recordType, responseCode } from './message.js';
import { recordsOf, type TimedRecord } from './records.js';

/** Seconds. A record that claims to hold longer is asked for again after these, because names change all the same. */
const longest = { found: 3600, missing: 900 };
/** Bytes of an entry beside its key and answer: objects, numbers and the map's own. */
const entryBytes = 300;

interface Entry {
  readonly answer: Buffer;
  readonly records: readonly TimedRecord[];
  /** In ms. */
  readonly since: number;
  readonly until: number;
}

/**
 * Answers of other name servers, for as long as they hold. An answer is kept whole, and given only to the question that
 * it was given to, from the same servers: what a server adds about other names is never used.
 */
export class AnswerCache {
  readonly #limit: number;
  readonly #now: () => number;
  /** The one that was used last comes last. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  /** @param limit in bytes, of all entries @param now in ms */
  constructor(limit: number, now: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#now = now;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns the answer to that question, with what is left of its time; the caller may change it */
  get(key: string, query: Query): Buffer | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const now = this.#now();
    this.#remove(key, entry);
    if (now >= entry.until) return undefined;
    this.#add(key, entry);
    const answer = Buffer.from(entry.answer);
    const age = Math.floor((now - entry.since) / 1000);
    for (const { type, ttl, ttlAt } of entry.records) {
      if (type !== recordType.OPT) answer.writeUInt32BE(Math.max(0, Math.min(ttl, longest.found) - age), ttlAt);
    }
    // As it was asked: the number, and the name with its capital letters.
    query.message.copy(answer, 0, 0, 2);
    query.question.copy(answer, headerBytes);
    return answer;
  }

  /** Keeps an answer to exactly that question, if it holds for a while. */
  put(key: string, answer: Buffer): void {
    const records = recordsOf(answer);
    const seconds = records ? lifetimeOf(answer, records) : 0;
    if (!records || seconds <= 0) return;
    const known = this.#entries.get(key);
    if (known) this.#remove(key, known);
    const since = this.#now();
    this.#add(key, { answer: Buffer.from(answer), records, since, until: since + seconds * 1000 });
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#limit) break;
      this.#remove(oldest, entry);
    }
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += sizeOf(key, entry);
  }

  #remove(key: string, entry: Entry): void {
    if (this.#entries.delete(key)) this.#bytes -= sizeOf(key, entry);
  }
}

const sizeOf = (key: string, { answer, records }: Entry): number =>
  key.length + answer.length + entryBytes + 100 * records.length;

/**
 * All of a question that its answer depends on. Undefined for a question that only one client asks: options of EDNS tell
 * of the client.
 */
export function cacheKey({ message, question }: Query): string | undefined {
  const rest = message.subarray(headerBytes + question.length);
  let option = '';
  if (rest.length > 0) {
    if (!isPlainOption(rest)) return undefined;
    option = rest.toString('latin1', 5, 9);
  }
  // Whether others may be asked; whether what is signed is to be checked (RFC 4035).
  const flags = String.fromCharCode((message[2] ?? 0) & 1, (message[3] ?? 0) & 0x30);
  return `${flags}${option}\0${question.toString('latin1').toLowerCase()}`;
}

/** Seconds for which an answer holds: as long as each of its records, or as the zone says that nothing is there. */
function lifetimeOf(answer: Buffer, records: readonly TimedRecord[]): number {
  const rcode = responseCode(answer);
  if (isCut(answer) || (rcode !== code.noError && rcode !== code.noName)) return 0;
  // A server's cookie, for example, is for one client.
  if (records.some(({ type, dataLength }) => type === recordType.OPT && dataLength > 0)) return 0;
  const timed = records.filter(({ type }) => type !== recordType.OPT);
  const shortest = Math.min(longest.found, ...timed.map(({ ttl }) => ttl));
  const asked = questionType(answer);
  const isFound =
    rcode === code.noError &&
    timed.some(({ section, type }) => section === 'answer' && (type === asked || asked === recordType.ANY));
  if (isFound) return shortest;
  // RFC 2308, 5: without the zone's own word nobody knows how long.
  const zone = timed.find(({ section, type }) => section === 'authority' && type === recordType.SOA);
  if (!zone || zone.dataLength < 4) return 0;
  return Math.min(longest.missing, shortest, answer.readUInt32BE(zone.dataAt + zone.dataLength - 4));
}

/** The type that was asked for; the question's name has no pointers. */
function questionType(answer: Buffer): number {
  let at = headerBytes;
  while (at < answer.length && (answer[at] ?? 0) !== 0) at += (answer[at] ?? 0) + 1;
  return answer.readUInt16BE(at + 1);
}
