import { createHash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cancelled, dataLoss, invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { newId } from '../ids.js';

export interface StoredBlob {
  /** `sha256:…` */
  digest: string;
  size: number;
}

export interface WriteOptions {
  /** What the content must be; a mismatch leaves nothing behind. */
  digest?: string;
  /** Bytes the content must have. More is refused as soon as it comes. */
  size?: number;
  /** Hears the number of bytes so far. */
  onBytes?: (bytes: number) => void;
  signal?: AbortSignal;
}

/**
 * Content-addressed files: `blobs/sha256/<hex>`. A blob appears under its name only when it is whole and verified;
 * what is under way lies in `blobs/tmp`, which start-up empties.
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
    await mkdir(blobs.#directory, { recursive: true, mode: 0o700 });
    await mkdir(blobs.#temporary, { recursive: true, mode: 0o700 });
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

  /** A file for work in progress; the caller removes it, or else the next start-up. */
  temporaryPath(): string {
    return join(this.#temporary, newId().slice(0, 16));
  }

  /**
   * Stores a stream.
   * @throws DataLoss when it is not what it must be, Cancelled, and whatever `source` throws
   */
  async write(source: AsyncIterable<Buffer | string>, options: WriteOptions = {}): Promise<StoredBlob> {
    const path = this.temporaryPath();
    const file = await open(path, 'wx', 0o600);
    try {
      const blob = await copyVerified(source, file, options);
      await file.close();
      await rename(path, this.path(blob.digest));
      return blob;
    } catch (error) {
      await file.close().catch(() => {
        // The first failure is the one to tell.
      });
      await rm(path, { force: true });
      throw error;
    }
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

async function copyVerified(
  source: AsyncIterable<Buffer | string>,
  file: FileHandle,
  { digest, size, onBytes, signal }: WriteOptions,
): Promise<StoredBlob> {
  const hash = createHash('sha256');
  let written = 0;
  for await (const piece of source) {
    if (signal?.aborted) throw cancelled('the transfer was cancelled');
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    written += chunk.length;
    if (size !== undefined && written > size) throw dataLoss(`more than the ${size} bytes that were announced`);
    hash.update(chunk);
    await file.write(chunk);
    onBytes?.(written);
  }
  if (signal?.aborted) throw cancelled('the transfer was cancelled');
  const actual = `sha256:${hash.digest('hex')}`;
  if (size !== undefined && written !== size) throw dataLoss(`unexpected EOF: ${written} of ${size} bytes came`);
  if (digest !== undefined && actual !== digest) {
    throw dataLoss(`filesystem layer verification failed for digest ${digest}`);
  }
  return { digest: actual, size: written };
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
