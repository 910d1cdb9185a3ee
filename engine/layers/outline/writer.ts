import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { constants, gzipSync } from 'node:zlib';
import { encodePart, type OutlinePart } from './format.js';

/** Bytes that are compressed together. */
const batchBytes = 1024 * 1024;

/** Writes the outline of an archive while that is unpacked. */
export class OutlineWriter implements Disposable {
  readonly #fd: number;
  #waiting: Buffer[] = [];
  #length = 0;
  /** Bytes of the archive that are no part yet. */
  #bytes: Buffer[] = [];
  #bytesLength = 0;
  #piece: { name: string; offset: number; length: number } | undefined;

  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o600);
  }

  /** Bytes of the archive that are in no file. */
  bytes(data: Buffer): void {
    this.#endPiece();
    // A copy: the rest of its buffer is large, and the archive goes on.
    this.#bytes.push(Buffer.from(data));
    this.#bytesLength += data.length;
    if (this.#bytesLength >= batchBytes) this.#endBytes();
  }

  /** A piece of a file, which the archive holds next. */
  piece(name: string, offset: number, length: number): void {
    if (length === 0) return;
    this.#endBytes();
    const last = this.#piece;
    if (last && last.name === name && last.offset + last.length === offset) {
      last.length += length;
      return;
    }
    this.#endPiece();
    this.#piece = { name, offset, length };
  }

  /** All is on the disk then. */
  finish(): void {
    this.#endPiece();
    this.#endBytes();
    this.#flush();
    fdatasyncSync(this.#fd);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #endBytes(): void {
    if (this.#bytesLength === 0) return;
    const bytes = Buffer.concat(this.#bytes);
    this.#bytes = [];
    this.#bytesLength = 0;
    this.#put({ bytes });
  }

  #endPiece(): void {
    if (this.#piece) this.#put(this.#piece);
    this.#piece = undefined;
  }

  #put(part: OutlinePart): void {
    const encoded = encodePart(part);
    this.#waiting.push(encoded);
    this.#length += encoded.length;
    if (this.#length >= batchBytes) this.#flush();
  }

  #flush(): void {
    if (this.#length === 0) return;
    const data = gzipSync(Buffer.concat(this.#waiting), { level: constants.Z_BEST_SPEED });
    this.#waiting = [];
    this.#length = 0;
    for (let done = 0; done < data.length; ) done += writeSync(this.#fd, data, done);
  }
}
