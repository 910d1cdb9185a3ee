import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { ByteSource } from '@cleat/linux/archive/byte-source';
import { decompress, detect } from '@cleat/linux/archive/compression';
import { entryBody } from '@cleat/linux/archive/entry-body';
import type { TarEntry } from '@cleat/linux/archive/tar-header';
import { TarReader } from '@cleat/linux/archive/tar-reader';
import { textOf } from '@cleat/linux/rootfs/names';
import { invalidParameter } from '@cleat/protocol/errors';
import { flow } from '../async/flow.js';
import { readSmall, type StoredBlob } from './blobs.js';
import type { Lease } from './leases.js';
import type { Content } from './service.js';

/** A metadata file in an archive (manifest, configuration) may have this many bytes. */
const maxMetadata = 16 * 1024 * 1024;
const maxFiles = 100_000;
/** All metadata that is read of one archive: it is in memory. */
const maxAllMetadata = 64 * 1024 * 1024;
/** As long as a path can be here; a tar may hold a name of a megabyte. */
const maxName = 4096;
const headBytes = 512;

/** Works on files while the archive still comes. */
export interface EarlyReader {
  /** A file that begins. */
  expect(name: string, size: number): ArrivingFile;
}

/** A file of the archive on its way here. */
export interface ArrivingFile {
  /** More of it is here: `bytes` in all, in the file at `path`. @param head how it begins */
  grew(bytes: number, path: string, head: Buffer): void;
  /** All of it is here. */
  take(blob: StoredBlob, head: Buffer): void;
}

/**
 * The files of an archive as blobs: no name in it ever becomes a path on this host. Names are normalised; links are
 * followed inside the archive only.
 */
export class ArchiveFiles {
  readonly #content: Content;
  readonly #files = new Map<string, StoredBlob>();
  readonly #links = new Map<string, string>();
  #metadata = 0;

  private constructor(content: Content) {
    this.#content = content;
  }

  /**
   * Reads a whole archive, compressed or not. Its files are blobs that `lease` holds.
   * @throws InvalidParameter for what is no tar, Cancelled
   */
  static async read(
    content: Content,
    source: Readable,
    lease: Lease,
    signal: AbortSignal,
    early?: EarlyReader,
  ): Promise<ArchiveFiles> {
    const stop = () => source.destroy();
    signal.addEventListener('abort', stop, { once: true });
    const bytes = contentOf(source);
    try {
      const reader = new TarReader(new ByteSource(bytes));
      const files = await ArchiveFiles.rest(content, reader, await reader.next(), lease, signal, early);
      // The sender may wait until everything was taken.
      for await (const _ of bytes);
      return files;
    } finally {
      signal.removeEventListener('abort', stop);
      await bytes.return(undefined);
    }
  }

  /**
   * The same from an archive that somebody has begun to read.
   * @param first the entry that comes next, which was looked at
   */
  static async rest(
    content: Content,
    reader: TarReader,
    first: TarEntry | undefined,
    lease: Lease,
    signal: AbortSignal,
    early?: EarlyReader,
  ): Promise<ArchiveFiles> {
    const files = new ArchiveFiles(content);
    let entries = 0;
    for (let entry = first; entry; entry = await reader.next()) {
      if (++entries > maxFiles) throw invalidParameter(`the archive holds more than ${maxFiles} entries`);
      if (Math.max(entry.name.length, entry.linkName.length) > maxName)
        throw invalidParameter(`the archive holds a name of more than ${maxName} bytes`);
      const name = normalise(textOf(entry.name));
      if (entry.type === 'file') {
        files.#files.set(name, await files.#store(name, reader, entry.size, lease, signal, early));
      } else if (entry.type === 'symlink') {
        files.#links.set(name, normalise(posix.join(posix.dirname(name), textOf(entry.linkName))));
      } else if (entry.type === 'link') {
        files.#links.set(name, normalise(textOf(entry.linkName)));
      }
    }
    return files;
  }

  async #store(
    name: string,
    reader: TarReader,
    size: number,
    lease: Lease,
    signal: AbortSignal,
    early: EarlyReader | undefined,
  ): Promise<StoredBlob> {
    const head: Buffer[] = [];
    const layer = early?.expect(name, size);
    const onBytes = (bytes: number): void => layer?.grew(bytes, file.path, Buffer.concat(head));
    await using file = await this.#content.grow({ size, signal, onBytes });
    await file.append(bodyOf(reader, size, head));
    const blob = await file.finish();
    lease.keepBlob(blob.digest);
    layer?.take(blob, Buffer.concat(head));
    return blob;
  }

  find(name: string): StoredBlob | undefined {
    let at = normalise(name);
    for (let hop = 0; hop < 8; hop++) {
      const file = this.#files.get(at);
      if (file) return file;
      const link = this.#links.get(at);
      if (link === undefined) return undefined;
      at = link;
    }
    return undefined;
  }

  /** @throws InvalidParameter when the archive lacks it */
  get(name: string): StoredBlob {
    const file = this.find(name);
    if (!file) throw invalidParameter(`invalid archive: ${name} is missing`);
    return file;
  }

  /** Names of all files. */
  names(): string[] {
    return [...this.#files.keys(), ...this.#links.keys()];
  }

  /** A small text. @throws InvalidParameter when it is missing, too large, or not UTF-8 */
  async text(name: string): Promise<string> {
    const { digest, size } = this.get(name);
    if (size > maxMetadata) throw invalidParameter(`${name} is larger than ${maxMetadata} bytes`);
    this.#metadata += size;
    if (this.#metadata > maxAllMetadata)
      throw invalidParameter(`the archive's metadata has more than ${maxAllMetadata} bytes`);
    const data = await readSmall(this.#content.read(digest), maxMetadata, name);
    const text = data.toString('utf8');
    // Its digest is of bytes, so the text must give back the very same.
    if (!Buffer.from(text).equals(data)) throw invalidParameter(`invalid archive: ${name} is not UTF-8`);
    return text;
  }

  async json(name: string): Promise<unknown> {
    const text = await this.text(name);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw invalidParameter(`invalid archive: failed to decode ${name}`, { cause });
    }
  }
}

function normalise(name: string): string {
  return posix.normalize(`/${name}`).slice(1);
}

/** @param head gets the first bytes, enough to tell what it is */
async function* bodyOf(reader: TarReader, size: number, head: Buffer[]): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const piece of entryBody(reader, size)) {
    if (at < headBytes) head.push(piece.subarray(0, headBytes));
    yield piece;
    at += piece.length;
  }
}

async function* contentOf(source: Readable): AsyncGenerator<Buffer> {
  const { compression, source: whole } = await detect(flow(source));
  for await (const chunk of decompress(whole, compression)) yield chunk;
}
