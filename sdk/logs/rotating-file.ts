import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** Where one container's log lies, and how much of it is kept. */
export interface FileOptions {
  path: string;
  /** Bytes after which a file is closed; undefined: it grows for ever. */
  maxBytes?: number;
  /** How many files there are, the one being written included. */
  maxFiles: number;
  compress: boolean;
}

/** One container's log: appended to, and closed and renamed (`.1`, `.2.gz`, …) when it has grown too long. */
export class RotatingFile {
  readonly #options: FileOptions;
  readonly #endAfter: (records: Buffer, least: number) => number;
  #file: number;
  #size: number;
  #compressing: Promise<void> = Promise.resolve();

  /** @param endAfter where the record ends that reaches `least` bytes: files are cut between records */
  constructor(options: FileOptions, endAfter: (records: Buffer, least: number) => number) {
    this.#options = options;
    this.#endAfter = endAfter;
    this.#file = openSync(options.path, 'a', 0o640);
    this.#size = fstatSync(this.#file).size;
  }

  /** Appends whole records. What does not fit on the disk is dropped as a whole. @throws Error of the system */
  append(records: Buffer): void {
    const { maxBytes = Number.POSITIVE_INFINITY } = this.#options;
    for (let rest = records; rest.length > 0; ) {
      if (this.#size >= maxBytes) this.#rotate();
      // The record that reaches the limit is the last one in its file.
      const limit = maxBytes - this.#size;
      const end = limit < rest.length ? this.#endAfter(rest, limit) : rest.length;
      this.#write(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  }

  #write(records: Buffer): void {
    let written = 0;
    try {
      while (written < records.length) written += writeSync(this.#file, records, written);
    } catch (error) {
      ftruncateSync(this.#file, this.#size);
      throw error;
    }
    this.#size += records.length;
  }

  close(): Promise<void> {
    closeSync(this.#file);
    return this.#compressing;
  }

  #rotate(): void {
    const { path, maxFiles } = this.#options;
    if (maxFiles <= 1) {
      ftruncateSync(this.#file, 0);
    } else {
      closeSync(this.#file);
      for (const end of ['', '.gz']) rmSync(`${path}.${maxFiles - 1}${end}`, { force: true });
      for (let n = maxFiles - 2; n >= 1; n--) {
        for (const end of ['', '.gz']) {
          if (existsSync(`${path}.${n}${end}`)) renameSync(`${path}.${n}${end}`, `${path}.${n + 1}${end}`);
        }
      }
      renameSync(path, `${path}.1`);
      if (this.#options.compress) this.#compress();
      this.#file = openSync(path, 'a', 0o640);
    }
    this.#size = 0;
  }

  /** In the background. The file may be renamed meanwhile, so it is known by its inode. */
  #compress(): void {
    const { path, maxFiles } = this.#options;
    const target = `${path}.gz.tmp`;
    const source = openSync(`${path}.1`, 'r');
    const { ino } = fstatSync(source);
    this.#compressing = this.#compressing.then(async () => {
      try {
        await pipeline(
          createReadStream('', { fd: source }),
          createGzip(),
          createWriteStream(target, { mode: 0o640, flush: true }),
        );
        for (let n = 1; n < maxFiles; n++) {
          if (statSync(`${path}.${n}`, { throwIfNoEntry: false })?.ino !== ino) continue;
          renameSync(target, `${path}.${n}.gz`);
          rmSync(`${path}.${n}`);
          return;
        }
        rmSync(target);
      } catch {
        // No space, or removed with its container: the plain file, if it is there, serves as well.
        rmSync(target, { force: true });
      }
    });
  }
}
