import { closeSync, readSync } from 'node:fs';
import { exists, type SpoolFiles, sizeOfFile } from './files.js';
import { lineFeed, scan } from './format.js';
import type { SpoolPosition } from './service.js';

const chunkBytes = 256 * 1024;
/** Longer than any line of conmon's. */
const leastBytes = 16 * 1024;

/** Lines as they lie in the file: `bytes` ends with a line feed and is valid until the next call. */
export interface Lines {
  bytes: Buffer;
  /** Where `bytes` begins. */
  at: SpoolPosition;
}

/** Reads a spool forward, complete lines only, from one generation into the next. */
export class SpoolReader {
  readonly #files: SpoolFiles;
  #generation: number;
  /** Position of the first byte in the buffer. */
  #offset: number;
  #file: number | undefined;
  #buffer: Buffer;
  #held = 0;
  readonly #chunkBytes: number;

  constructor(files: SpoolFiles, from: SpoolPosition, size = chunkBytes) {
    this.#files = files;
    this.#generation = from.generation;
    this.#offset = from.offset;
    this.#chunkBytes = size;
    this.#buffer = Buffer.allocUnsafe(0);
  }

  /** Where the next line begins. */
  get position(): SpoolPosition {
    return { generation: this.#generation, offset: this.#offset };
  }

  /** The next lines, or undefined when there are no more now. */
  next(): Lines | undefined {
    for (;;) {
      this.#file ??= this.#files.open(this.#generation);
      // Renamed files are complete once there is a new one: conmon makes it after its last write to the old one.
      const final = this.#isFinal();
      if (this.#file !== undefined) {
        const lines = this.#read(this.#file);
        if (lines) return lines;
      }
      if (!final) return undefined;
      this.#advance();
    }
  }

  /**
   * Passes over at least `bytes` of the file, or what there is, up to the end of a line of the container's.
   * @returns the lines that were passed over, and the bytes of their texts
   */
  skip(bytes: number): { lines: number; bytes: number } {
    const passed = { lines: 0, bytes: 0 };
    for (let left = bytes; left > 0; ) {
      const chunk = this.next();
      if (!chunk) break;
      let end = 0;
      scan(chunk.bytes, 0, chunk.bytes.length, (_, complete, __, from, to) => {
        if (end > 0) return;
        if (complete) passed.lines++;
        passed.bytes += to - from;
        if (complete && to + 1 >= left) end = to + 1;
      });
      if (end > 0) this.#offset = chunk.at.offset + end;
      left -= end || chunk.bytes.length;
    }
    return passed;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#buffer = Buffer.allocUnsafe(0);
    this.#held = 0;
  }

  #isFinal(): boolean {
    const rotated = this.#files.rotated();
    const newest = rotated.at(-1) ?? -1;
    return this.#generation < newest || (this.#generation === newest && exists(this.#files.path));
  }

  #advance(): void {
    this.close();
    const rotated = this.#files.rotated();
    // Lines that retention has removed are passed over.
    this.#generation = rotated.find((generation) => generation > this.#generation) ?? this.#files.current();
    this.#offset = 0;
  }

  #read(file: number): Lines | undefined {
    for (;;) {
      if (this.#held === this.#buffer.length && !this.#grow(file)) return undefined;
      const count = readSync(
        file,
        this.#buffer,
        this.#held,
        this.#buffer.length - this.#held,
        this.#offset + this.#held,
      );
      if (count === 0) break;
      const end = this.#buffer.lastIndexOf(lineFeed, this.#held + count - 1) + 1;
      this.#held += count;
      if (end > 0) return this.#take(end);
    }
    // Free the buffer while waiting.
    if (this.#held === 0) this.#buffer = Buffer.allocUnsafe(0);
    return undefined;
  }

  /** Makes room for what there is to read; false when there is nothing. */
  #grow(file: number): boolean {
    const ahead = sizeOfFile(file) - this.#offset - this.#held;
    if (ahead <= 0) return false;
    const larger = Buffer.allocUnsafe(this.#held + Math.min(Math.max(ahead, leastBytes), this.#chunkBytes));
    this.#buffer.copy(larger, 0, 0, this.#held);
    this.#buffer = larger;
    return true;
  }

  #take(end: number): Lines {
    const full = this.#buffer;
    const at = this.position;
    // The bytes after the last line feed are read again: cheaper than moving it, and the caller may keep the chunk a
    // while.
    this.#held = 0;
    this.#offset += end;
    return { bytes: full.subarray(0, end), at };
  }
}
