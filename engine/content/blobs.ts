import { createHash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { SpareSpace } from '@cleat/linux/files/spare-space';
import { cancelled, dataLoss, invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { newId } from '../ids.js';

export interface StoredBlob {
  /** `sha256:…` */
  digest: string;
  size: number;
}

/** Small pieces are written together: each write is a trip to another thread. */
const batchBytes = 512 * 1024;

export interface WriteOptions {
  /** The expected content; a mismatch leaves nothing behind. */
  digest?: string;
  /** Bytes the content must have. More is refused as soon as it comes, and more than there is space for at once. */
  size?: number;
  /** Hears the number of bytes so far. */
  onBytes?: (bytes: number) => void;
  signal?: AbortSignal;
}

/**
 * Content-addressed files: `blobs/sha256/<hex>`. A blob appears under its name only when it is whole and verified;
 * what is under way lies in `blobs/tmp`, which start-up empties. Whatever is sent leaves some space free.
 */
export class Blobs {
  readonly #directory: string;
  readonly #temporary: string;

  private constructor(root: string) {
    this.#directory = join(root, 'sha256');
    this.#temporary = join(root, 'tmp');
  }

  static async open(root: string): Promise<Blobs> {
    const blobs = new Blobs(root);
    await rm(blobs.#temporary, { recursive: true, force: true });
    makeDirectories(blobs.#directory, 0o700);
    makeDirectories(blobs.#temporary, 0o700);
    return blobs;
  }

  path(digest: string): string {
    return join(this.#directory, digest.slice('sha256:'.length));
  }

  async has(digest: string): Promise<boolean> {
    const found = await stat(this.path(digest)).catch(() => undefined);
    return found?.isFile() ?? false;
  }

  read(digest: string): ReadStream {
    return owned(createReadStream(this.path(digest), { highWaterMark: 256 * 1024 }));
  }

  /**
   * Stores a stream.
   * @throws DataLoss when it is not what it must be, Cancelled, System (ENOSPC), and whatever `source` throws
   */
  async write(source: AsyncIterable<Buffer | string>, options: WriteOptions = {}): Promise<StoredBlob> {
    await using growing = await this.grow(options);
    await growing.append(source);
    return await growing.finish();
  }

  /**
   * Begins a blob that may come over several connections. A blob that is not finished leaves nothing.
   * @throws System (ENOSPC) for a size that there is no space for
   */
  async grow(options: WriteOptions = {}): Promise<GrowingBlob> {
    if (options.size !== undefined) new SpareSpace(this.#temporary).take(options.size);
    const path = this.draft();
    const file = await open(path, 'wx', 0o600);
    return new GrowingBlob(path, file, options, new SpareSpace(this.#temporary), (digest) => this.path(digest));
  }

  /** A path that is free, for a file on its way. */
  draft(): string {
    return join(this.#temporary, newId().slice(0, 16));
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Removes what nobody needs: what a crash left behind. */
  async removeAllBut(needed: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (!needed.has(`sha256:${name}`)) await rm(join(this.#directory, name), { recursive: true, force: true });
    }
  }
}

/** A blob on its way, hashed as it grows. */
export class GrowingBlob implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #options: WriteOptions;
  readonly #spare: SpareSpace;
  readonly #pathOf: (digest: string) => string;
  #hash = createHash('sha256');
  #size = 0;
  #isFinished = false;

  constructor(
    path: string,
    file: FileHandle,
    options: WriteOptions,
    spare: SpareSpace,
    pathOf: (digest: string) => string,
  ) {
    this.#path = path;
    this.#file = file;
    this.#options = options;
    this.#spare = spare;
    this.#pathOf = pathOf;
  }

  /** Where it grows, until it is finished. */
  get path(): string {
    return this.#path;
  }

  /** Bytes that are here. */
  get size(): number {
    return this.#size;
  }

  /** @throws DataLoss for more than was announced, Cancelled, and whatever `source` throws: what came by then stays */
  async append(source: AsyncIterable<Buffer | string>): Promise<void> {
    const { size, signal } = this.#options;
    let waiting: Buffer[] = [];
    let length = 0;
    const flush = async (): Promise<void> => {
      const chunks = waiting;
      [waiting, length] = [[], 0];
      await this.#write(chunks);
    };
    try {
      for await (const piece of source) {
        if (signal?.aborted) throw cancelled('the transfer was cancelled');
        const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
        waiting.push(chunk);
        length += chunk.length;
        if (size !== undefined && this.#size + length > size) {
          throw dataLoss(`more than the ${size} bytes that were announced`);
        }
        if (length >= batchBytes) await flush();
      }
    } finally {
      // The bytes before a failure stay, so that another try goes on from there.
      if (size === undefined || this.#size + length <= size) await flush();
    }
    if (signal?.aborted) throw cancelled('the transfer was cancelled');
  }

  async #write(chunks: Buffer[]): Promise<void> {
    if (chunks.length === 0) return;
    this.#spare.take(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    for (const chunk of chunks) this.#hash.update(chunk);
    await writeAll(this.#file, chunks, this.#size);
    for (const chunk of chunks) this.#size += chunk.length;
    this.#options.onBytes?.(this.#size);
  }

  /** Begins anew. */
  async clear(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash('sha256');
    this.#size = 0;
  }

  /** Verifies what came and gives it its name. @throws DataLoss when it is not what it must be */
  async finish(): Promise<StoredBlob> {
    const { size, digest } = this.#options;
    if (size !== undefined && this.#size !== size) {
      throw dataLoss(`unexpected EOF: ${this.#size} of ${size} bytes came`);
    }
    const actual = `sha256:${this.#hash.digest('hex')}`;
    if (digest !== undefined && actual !== digest) {
      throw dataLoss(`filesystem layer verification failed for digest ${digest}`);
    }
    await this.#file.close();
    await rename(this.#path, this.#pathOf(actual));
    this.#isFinished = true;
    return { digest: actual, size: this.#size };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFinished) return;
    await this.#file.close().catch(() => {
      // The error to tell is the one that made it fail.
    });
    await rm(this.#path, { force: true });
  }
}

async function writeAll(file: FileHandle, chunks: Buffer[], position: number): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await file.writev(chunks, position);
  if (bytesWritten === total) return;
  // The kernel took a part: what is left goes in one piece.
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  for (let written = 0; written < rest.length; ) {
    const more = await file.write(rest, written, rest.length - written, position + bytesWritten + written);
    written += more.bytesWritten;
  }
}

/** Reads a small stream into memory. @throws InvalidParameter when it exceeds `limit` bytes */
export async function readSmall(source: AsyncIterable<Buffer | string>, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const piece of source) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    size += chunk.length;
    if (size > limit) throw invalidParameter(`${what} is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `sha256:…` of bytes. */
export function digestOf(data: Buffer | string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}
