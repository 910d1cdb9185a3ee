import { closeSync, readSync } from 'node:fs';
import { type SpoolFiles, sizeOfFile } from './files.js';
import { lineFeed, type Stream, scan } from './format.js';
import type { SpoolPosition } from './service.js';

const blockBytes = 64 * 1024;
/** How far before the last wanted line the beginning of a line of the other stream is looked for. */
const furtherBytes = 128 * 1024;

export interface TailStart {
  /** Where to begin to read, so that all fragments of lines that end after `cutoff` are there. */
  from: SpoolPosition;
  /** Lines that end before this are not wanted. */
  cutoff: SpoolPosition;
}

/**
 * Finds the last `count` lines by reading backwards in blocks: the cost is that of the lines that are wanted, whatever
 * the size of the log. An unfinished line at the end counts.
 */
export function findTail(files: SpoolFiles, count: number): TailStart {
  const end = files.end();
  if (count <= 0) return { from: end, cutoff: end };
  const search = new TailSearch(count);
  const generations = [...files.rotated().filter((generation) => generation < end.generation), end.generation];
  for (const generation of generations.reverse()) {
    const file = files.open(generation);
    if (file === undefined) break;
    try {
      if (searchFile(file, generation, search)) break;
    } finally {
      closeSync(file);
    }
  }
  return search.result();
}

/** True when nothing further back is needed. */
function searchFile(file: number, generation: number, search: TailSearch): boolean {
  let end = sizeOfFile(file);
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

class TailSearch {
  readonly #count: number;
  #lines = 0;
  /** Streams of which a line was seen: an earlier fragment of such a stream is no line's end. */
  readonly #seen = new Set<Stream>();
  #start: SpoolPosition = { generation: 0, offset: 0 };
  #found: (TailStart & { stream: Stream }) | undefined;
  #further = 0;

  constructor(count: number) {
    this.#count = count;
  }

  /** Takes the lines before those of the last call. True when no more are needed. */
  block(bytes: Buffer, at: SpoolPosition): boolean {
    const lines: { stream: Stream; complete: boolean; start: number }[] = [];
    scan(bytes, 0, bytes.length, (stream, complete, start) => lines.push({ stream, complete, start }));
    let after = bytes.length;
    for (const { stream, complete, start } of lines.reverse()) {
      const position = (offset: number) => ({ generation: at.generation, offset: at.offset + offset });
      if (this.#line(stream, complete, position(start), position(after))) return true;
      after = start;
    }
    this.#start = at;
    if (this.#found) this.#further += bytes.length;
    return this.#further > furtherBytes;
  }

  result(): TailStart {
    return this.#found ?? { from: this.#start, cutoff: this.#start };
  }

  #line(stream: Stream, complete: boolean, begin: SpoolPosition, end: SpoolPosition): boolean {
    if (this.#found) {
      // The line that ended here is not wanted; one of the other stream that ends later may have begun before.
      if (stream === this.#found.stream) return false;
      if (!complete) this.#found.from = begin;
      return complete;
    }
    const endsLine = complete || !this.#seen.has(stream);
    this.#seen.add(stream);
    if (endsLine && ++this.#lines > this.#count) this.#found = { from: end, cutoff: end, stream };
    return false;
  }
}
