import { open, rm } from 'node:fs/promises';
import { posix } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { readSmall, type StoredBlob } from '../blobs.js';
import type { Lease } from '../leases.js';
import type { Room } from '../room.js';
import { ByteSource } from '../unpack/byte-source.js';
import { decompress, detectCompression, magicLength } from '../unpack/compression.js';
import { TarReader } from '../unpack/tar-reader.js';

/** A metadata file in an archive (manifest, configuration) may have this many bytes. */
const maxMetadata = 16 * 1024 * 1024;
const maxFiles = 100_000;

/**
 * The files of an archive as blobs: no name in it ever becomes a path on this host. Names are normalised; links are
 * followed inside the archive only.
 */
export class ArchiveFiles {
  readonly #room: Room;
  readonly #files = new Map<string, StoredBlob>();
  readonly #links = new Map<string, string>();

  private constructor(room: Room) {
    this.#room = room;
  }

  /**
   * Reads a whole archive, compressed or not. Its files are blobs that `lease` holds.
   * @throws InvalidParameter for what is no tar, Cancelled
   */
  static async read(room: Room, source: Readable, lease: Lease, signal: AbortSignal): Promise<ArchiveFiles> {
    const files = new ArchiveFiles(room);
    const stop = () => source.destroy();
    signal.addEventListener('abort', stop, { once: true });
    const content = contentOf(room, source, signal);
    try {
      const reader = new TarReader(new ByteSource(content));
      for (let entry = await reader.next(); entry; entry = await reader.next()) {
        const name = normalise(entry.name);
        if (files.#files.size + files.#links.size >= maxFiles)
          throw invalidParameter('the archive holds too many files');
        if (entry.type === 'file') {
          files.#files.set(name, await room.storeBlob(bodyOf(reader), lease, signal));
        } else if (entry.type === 'symlink') {
          files.#links.set(name, normalise(posix.join(posix.dirname(name), entry.linkName)));
        } else if (entry.type === 'link') {
          files.#links.set(name, normalise(entry.linkName));
        }
      }
      // Whoever sends may wait until everything was taken.
      for await (const _ of content);
    } finally {
      signal.removeEventListener('abort', stop);
      await content.return(undefined);
    }
    return files;
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
    const data = await readSmall(this.#room.blobs.read(this.get(name).digest), maxMetadata, name);
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

async function* bodyOf(reader: TarReader): AsyncGenerator<Buffer> {
  for (let piece = await reader.read(); piece; piece = await reader.read()) yield piece;
}

async function* contentOf(room: Room, source: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const iterator = (source as AsyncIterable<Buffer | string>)[Symbol.asyncIterator]();
  const head: Buffer[] = [];
  let length = 0;
  while (length < magicLength) {
    const next = await iterator.next();
    if (next.done) break;
    const chunk = Buffer.from(next.value);
    head.push(chunk);
    length += chunk.length;
  }
  const all = (async function* () {
    yield* head;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield Buffer.from(next.value);
  })();
  const compression = detectCompression(Buffer.concat(head));
  if (compression === 'none') yield* all;
  else if (compression === 'gzip') {
    const plain = owned(createGunzip());
    pipeline(owned(Readable.from(all)), plain, () => {});
    for await (const chunk of plain as AsyncIterable<Buffer>) yield chunk;
  } else {
    // The host's decompressors read files.
    const path = room.blobs.temporaryPath();
    const file = await open(path, 'wx+', 0o600);
    try {
      for await (const chunk of all) {
        signal.throwIfAborted();
        await file.write(chunk);
      }
      const again = await open(path, 'r');
      try {
        yield* decompress(again.fd, compression).chunks;
      } finally {
        await again.close();
      }
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
  }
}
