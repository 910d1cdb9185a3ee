import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '@cleat/linux/files/durable';

/** How much is kept. The host's owner may change it while the engine runs. */
export interface Retention {
  /** Bytes. */
  readonly maxBytes: number;
  /** Absent or 0: any age. */
  readonly maxAgeMs?: number | undefined;
}

interface Segment {
  /** Sequence number of its first event; also its file name. */
  readonly first: number;
  readonly path: string;
  size: number;
  /** When it was begun, in ms since the epoch. */
  begun: number;
  /** Where some of its lines begin, in their order. */
  readonly marks: { readonly seq: number; readonly offset: number }[];
}

/** Where a reader goes on. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

export interface Piece {
  /** Whole lines, without the last line feed. */
  readonly text: string;
  /** Where they end. */
  readonly place: Place;
}

const chunkBytes = 64 * 1024;
const lineFeed = 0x0a;
/** Segments that the size is divided into: the oldest goes at once. */
const parts = 16;
const largest = 4 * 1024 * 1024;
/** A late note of the kernel's clock, which marks files, and what lies between taking a time and writing it. */
const slackMs = 1000;

/** Lines in files of some MiB, named by the sequence number of their first event. */
export class Segments {
  readonly #directory: string;
  readonly #retention: () => Retention;
  #list: Segment[];
  #file: number | undefined;
  /** A part of a line may be at the end. Cut off before the next: a disk that takes nothing takes no such thing either. */
  #torn = false;

  constructor(directory: string, retention: () => Retention) {
    this.#directory = directory;
    this.#retention = retention;
    this.#list = readdirSync(directory)
      .filter((name) => /^\d{16}\.jsonl$/.test(name))
      .sort()
      .map((name) => {
        const path = join(directory, name);
        return { first: Number.parseInt(name, 10), path, size: statSync(path).size, begun: Date.now(), marks: [] };
      });
  }

  /** Number of the oldest event that is kept; undefined when there is no segment. */
  get first(): number | undefined {
    return this.#list[0]?.first;
  }

  get newest(): { readonly first: number; readonly path: string; readonly size: number } | undefined {
    return this.#list.at(-1);
  }

  /**
   * Opens the newest segment, to append to it.
   * @param wholeBytes what is behind it is cut off
   * @param begun time of its first event, in ms since the epoch
   */
  open(wholeBytes: number, begun: number): void {
    const newest = this.#list.at(-1);
    if (!newest) return;
    this.#file = openSync(newest.path, 'a+', 0o600);
    if (fstatSync(this.#file).size > wholeBytes) ftruncateSync(this.#file, wholeBytes);
    Object.assign(newest, { size: wholeBytes, begun });
  }

  /** Writes a line by one write(2). @throws an error of the disk: nothing of the line stays */
  append(seq: number, line: Buffer): void {
    const newest = this.#list.at(-1);
    if (this.#torn && newest && this.#file !== undefined) ftruncateSync(this.#file, newest.size);
    this.#torn = false;
    const { segment, file } = this.#segmentFor(seq);
    this.#torn = true;
    if (writeSync(file, line) < line.length) throw new Error('no space left');
    note(segment, seq, segment.size);
    segment.size += line.length;
    this.#torn = false;
  }

  /** Removes what is too old. @param next number of the next event */
  expire(next: number): void {
    const { maxAgeMs = 0 } = this.#retention();
    if (maxAgeMs === 0) return;
    const now = Date.now();
    const newest = this.#list.at(-1);
    // The newest is written to, and never old: it gives way to another one while its first event is not.
    if (newest && newest.size > 0 && newest.begun < now - maxAgeMs / parts) this.#begin(next);
    while (this.#list.length > 1 && this.#list[0] && writtenAt(this.#list[0]) < now - maxAgeMs) this.#removeOldest();
  }

  /**
   * The lines at a place, at most some 64 KiB (or one line), beginning at or before event `from`.
   * @param sinceMs skips segments that were last written before
   * @returns undefined at the end
   */
  read(from: number, place: Place | undefined, sinceMs?: number): Piece | undefined {
    let segment = this.#list.find(({ first }) => first === place?.segment) ?? this.#segmentOf(from);
    let offset = segment?.first === place?.segment ? (place?.offset ?? 0) : undefined;
    for (; segment; segment = this.#following(segment), offset = undefined) {
      if (sinceMs !== undefined && segment !== this.#list.at(-1) && writtenAt(segment) + slackMs < sinceMs) continue;
      const begin = offset ?? segment.marks.findLast(({ seq }) => seq <= from)?.offset ?? 0;
      const lines = readLines(segment.path, begin);
      if (lines === undefined) continue;
      return {
        text: lines.toString('utf8', 0, lines.length - 1),
        place: { segment: segment.first, offset: begin + lines.length },
      };
    }
    return undefined;
  }

  /** A reader found this event at this place. */
  learn(seq: number, { segment, offset }: Place): void {
    const found = this.#list.find(({ first }) => first === segment);
    if (found) note(found, seq, offset);
  }

  /** @throws an error of the disk, when what was written may not be on it */
  close(): void {
    if (this.#file === undefined) return;
    const file = this.#file;
    this.#file = undefined;
    finish(file);
  }

  #segmentOf(seq: number): Segment | undefined {
    return this.#list.findLast(({ first }) => first <= seq) ?? this.#list[0];
  }

  #following({ first }: Segment): Segment | undefined {
    return this.#list.find((one) => one.first > first);
  }

  #segmentFor(seq: number): { segment: Segment; file: number } {
    const newest = this.#list.at(-1);
    if (newest && this.#file !== undefined && newest.size < this.#bytes()) return { segment: newest, file: this.#file };
    return this.#begin(seq);
  }

  #bytes(): number {
    return Math.min(largest, this.#retention().maxBytes / parts);
  }

  #begin(seq: number): { segment: Segment; file: number } {
    const path = join(this.#directory, `${String(seq).padStart(16, '0')}.jsonl`);
    const file = openSync(path, 'ax', 0o600);
    const before = this.#file;
    this.#file = file;
    const segment = { first: seq, path, size: 0, begun: Date.now(), marks: [] };
    this.#list.push(segment);
    // Once in some MiB of events: the end of the one, and the name of the other.
    if (before !== undefined) finish(before);
    syncDirectory(this.#directory);
    const { maxBytes } = this.#retention();
    const kept = () => this.#list.reduce((sum, { size }) => sum + size, 0);
    while (this.#list.length > 1 && kept() + this.#bytes() > maxBytes) this.#removeOldest();
    return { segment, file };
  }

  #removeOldest(): void {
    const [oldest] = this.#list.splice(0, 1);
    if (oldest) unlinkSync(oldest.path);
  }
}

/** A reader that looks for an event begins at the last mark before it. */
function note({ marks }: Segment, seq: number, offset: number): void {
  if (offset - (marks.at(-1)?.offset ?? 0) >= chunkBytes) marks.push({ seq, offset });
}

function finish(file: number): void {
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

function writtenAt({ path }: Segment): number {
  return statSync(path).mtimeMs;
}

/** Whole lines from an offset on; undefined: there are none. */
export function readLines(path: string, offset: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // Removed by retention since it was listed; the caller sees the gap in the numbers.
    return undefined;
  }
  try {
    for (let size = chunkBytes; ; size *= 2) {
      const buffer = Buffer.allocUnsafe(size);
      const count = readSync(file, buffer, 0, size, offset);
      const end = count === 0 ? 0 : buffer.lastIndexOf(lineFeed, count - 1) + 1;
      if (end > 0) return buffer.subarray(0, end);
      if (count < size) return undefined;
    }
  } finally {
    closeSync(file);
  }
}
