import { closeSync, readSync } from 'node:fs';
import { type SpoolFiles, sizeOfFile } from './files.js';
import { lineFeed, type Stream, scan } from './format.js';
import { entryBytes } from './render.js';
import type { SpoolPosition } from './service.js';

const blockBytes = 64 * 1024;
/**
 * How far before the last wanted line the beginning of a line of the other stream is looked for. An unfinished line
 * that lies further back is not found: a container that uses one stream only would have its whole log read for it.
 */
const furtherBytes = 128 * 1024;

export interface TailStart {
  /** Where to begin to read, so that all fragments of lines that end after `cutoff` are there. */
  from: SpoolPosition;
  /** Lines that end before this are not wanted. */
  cutoff: SpoolPosition;
  /** The stream whose unfinished line is not wanted: that of the other is the last line, and no more was asked for. */
  unwanted?: Stream;
}

/**
 * Finds the last `count` lines by reading backwards in blocks: the cost is that of the lines that are wanted, whatever
 * the size of the log.
 * @param end the end of what is there; the container goes on writing
 * @param unfinished whether unfinished lines are printed, after all others, and hence counted. A reader that follows gets
 * them when they are finished.
 */
export function findTail(files: SpoolFiles, count: number, unfinished: boolean, end: SpoolPosition): TailStart {
  if (count <= 0 && unfinished) return { from: end, cutoff: end };
  const search = new TailSearch(count, unfinished);
  const generations = [...files.rotated().filter((generation) => generation < end.generation), end.generation];
  for (const generation of generations.reverse()) {
    const file = files.open(generation);
    if (file === undefined) break;
    try {
      const size = sizeOfFile(file);
      if (searchFile(file, generation === end.generation ? Math.min(size, end.offset) : size, generation, search))
        break;
    } finally {
      closeSync(file);
    }
  }
  return search.result();
}

/** True when nothing further back is needed. */
function searchFile(file: number, size: number, generation: number, search: TailSearch): boolean {
  let end = size;
  while (end > 0) {
    const { block, start } = readLinesBefore(file, end);
    if (search.block(block, { generation, offset: start })) return true;
    end = start;
  }
  return false;
}

/** The complete lines of the last block before `end`, and where they begin. */
function readLinesBefore(file: number, end: number): { block: Buffer; start: number } {
  for (let size = blockBytes; ; size *= 2) {
    const start = Math.max(0, end - size);
    const bytes = Buffer.allocUnsafe(end - start);
    const held = bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start));
    // The newest line may be half written.
    const last = held.lastIndexOf(lineFeed) + 1;
    const first = start === 0 ? 0 : held.indexOf(lineFeed) + 1;
    if (start === 0 || (first > 0 && first < last)) return { block: held.subarray(first, last), start: start + first };
  }
}

/** A complete line that may turn out to be the last one that is not wanted. */
interface Candidate extends TailStart {
  stream: Stream;
  /** All fragments of the other stream that matter were met. */
  closed: boolean;
}

class TailSearch {
  readonly #count: number;
  readonly #unfinished: boolean;
  /** Complete lines so far. */
  #lines = 0;
  /** Bytes of each stream after its last complete line, and whether that line was met. */
  readonly #rest = { 1: { bytes: 0, closed: false }, 2: { bytes: 0, closed: false } };
  /** From the newest: unfinished lines, of which there are at most two, take the place of complete ones. */
  readonly #candidates: Candidate[] = [];
  #start: SpoolPosition = { generation: 0, offset: 0 };
  #further = 0;

  constructor(count: number, unfinished: boolean) {
    this.#count = count;
    this.#unfinished = unfinished;
  }

  /** Takes the lines before those of the last call. True when no more are needed. */
  block(bytes: Buffer, at: SpoolPosition): boolean {
    const lines: { stream: Stream; complete: boolean; start: number; length: number }[] = [];
    scan(bytes, 0, bytes.length, (stream, complete, start, from, to) =>
      lines.push({ stream, complete, start, length: to - from }),
    );
    let after = bytes.length;
    for (const { stream, complete, start, length } of lines.reverse()) {
      const position = (offset: number) => ({ generation: at.generation, offset: at.offset + offset });
      if (complete) this.#complete(stream, position(after));
      else this.#fragment(stream, length, position(start));
      if (this.#isDone()) return true;
      after = start;
    }
    this.#start = at;
    if (this.#lines > this.#count) this.#further += bytes.length;
    return this.#further > furtherBytes;
  }

  result(): TailStart {
    // A part that the renderer has split off is not part of the unfinished line that it prints last.
    const open = ([1, 2] as const).filter((stream) => this.#rest[stream].bytes % entryBytes > 0);
    const unfinished = this.#unfinished ? open.length : 0;
    const complete = Math.max(0, this.#count - unfinished);
    const found = this.#candidates[complete - this.#leastComplete()];
    const { from, cutoff } = found ?? { from: this.#start, cutoff: this.#start };
    // If both lines are unfinished, that of stdout is printed first.
    return { from, cutoff, unwanted: unfinished > this.#count ? 1 : undefined };
  }

  #leastComplete(): number {
    return Math.max(0, this.#count - 2);
  }

  #isDone(): boolean {
    return this.#lines > this.#count && this.#rest[1].closed && this.#rest[2].closed && this.#allClosed();
  }

  #allClosed(): boolean {
    return this.#candidates.every(({ closed }) => closed);
  }

  #complete(stream: Stream, end: SpoolPosition): void {
    this.#rest[stream].closed = true;
    for (const candidate of this.#candidates) if (candidate.stream !== stream) candidate.closed = true;
    this.#lines++;
    if (this.#lines > this.#leastComplete() && this.#lines <= this.#count + 1) {
      this.#candidates.push({ from: end, cutoff: end, stream, closed: false });
    }
  }

  #fragment(stream: Stream, length: number, begin: SpoolPosition): void {
    const rest = this.#rest[stream];
    if (!rest.closed) rest.bytes += length;
    for (const candidate of this.#candidates) {
      // In the candidate's own stream, this is a part of a line that is not wanted either.
      if (candidate.stream !== stream && !candidate.closed) candidate.from = begin;
    }
  }
}
