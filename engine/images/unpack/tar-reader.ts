import { invalidParameter } from '@cleat/protocol/errors';
import type { ByteSource } from './byte-source.js';
import { blockSize, type EntryType, parseHeader, parsePax, type RawHeader, type TarEntry } from './tar-header.js';

/** Names and attributes in extension headers are small; more is an attack on memory. */
const maxExtension = 1024 * 1024;

const types: Readonly<Record<string, EntryType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/**
 * Reads a tar (ustar, GNU long names, PAX), entry by entry. Written by hand because extended attributes are bytes,
 * which the common libraries decode as text, and because a layer's every byte is counted and hashed on its way.
 */
export class TarReader {
  readonly #source: ByteSource;
  #global = new Map<string, Buffer>();
  #left = 0;
  #padding = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The next entry; what was not read of the one before is skipped. @throws InvalidParameter */
  async next(): Promise<TarEntry | undefined> {
    let pax = new Map<string, Buffer>();
    let longName: string | undefined;
    let longLink: string | undefined;
    for (;;) {
      await this.#finishEntry();
      const block = await this.#source.take(blockSize);
      if (block.length === 0) return undefined;
      if (block.length < blockSize) throw invalidParameter('unexpected EOF: the archive is truncated');
      const header = parseHeader(block);
      if (!header) return undefined;
      this.#expect(header.size);
      if (header.flag === 'x') pax = parsePax(await this.#extension());
      else if (header.flag === 'g') this.#global = new Map([...this.#global, ...parsePax(await this.#extension())]);
      else if (header.flag === 'L') longName = cString(await this.#extension());
      else if (header.flag === 'K') longLink = cString(await this.#extension());
      else return this.#entry(header, new Map([...this.#global, ...pax]), longName, longLink);
    }
  }

  /** A piece of the present entry's content; undefined at its end. */
  async read(): Promise<Buffer | undefined> {
    if (this.#left === 0) return undefined;
    const piece = await this.#source.piece(this.#left);
    if (!piece) throw invalidParameter('unexpected EOF: the archive is truncated');
    this.#left -= piece.length;
    return piece;
  }

  #expect(size: number): void {
    this.#left = size;
    this.#padding = (blockSize - (size % blockSize)) % blockSize;
  }

  async #finishEntry(): Promise<void> {
    const rest = this.#left + this.#padding;
    if ((await this.#source.skip(rest)) < this.#left) {
      throw invalidParameter('unexpected EOF: the archive is truncated');
    }
    this.#left = 0;
    this.#padding = 0;
  }

  async #extension(): Promise<Buffer> {
    const size = this.#left;
    if (size > maxExtension) throw invalidParameter(`invalid tar header: an extension of ${size} bytes`);
    const data = await this.#source.take(size);
    if (data.length < size) throw invalidParameter('unexpected EOF: the archive is truncated');
    this.#left = 0;
    return data;
  }

  #entry(header: RawHeader, pax: Map<string, Buffer>, longName?: string, longLink?: string): TarEntry {
    const value = (key: string) => pax.get(key)?.toString('utf8');
    const numeric = (key: string, otherwise: number) => {
      const text = value(key);
      if (text === undefined || text === '') return otherwise;
      const parsed = Number(text);
      if (!Number.isFinite(parsed)) throw invalidParameter(`invalid tar header: ${key} is no number`);
      return parsed;
    };
    const type = types[header.flag];
    if (!type || [...pax.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
      throw invalidParameter(`unsupported tar entry type '${header.flag}' of ${header.name} (sparse or unknown)`);
    }
    const name = value('path') ?? longName ?? header.name;
    const size = numeric('size', header.size);
    if (!Number.isSafeInteger(size) || size < 0) throw invalidParameter('invalid tar header: size out of range');
    // A link's size says something about its target; no content follows. Directories carry none either.
    const hasContent = type === 'file';
    this.#expect(hasContent || type === 'link' ? (type === 'link' ? 0 : size) : header.size);
    return {
      name,
      // Before POSIX, a directory was a file whose name ends with a slash.
      type: type === 'file' && name.endsWith('/') ? 'directory' : type,
      size: hasContent ? size : 0,
      mode: header.mode,
      uid: numeric('uid', header.uid),
      gid: numeric('gid', header.gid),
      mtime: representable(numeric('mtime', header.mtime)),
      linkName: value('linkpath') ?? longLink ?? header.linkName,
      major: header.major,
      minor: header.minor,
      xattrs: xattrsOf(pax),
    };
  }
}

/** The latest time that every file system can keep; archives hold anything. */
const maxTime = 2 ** 34;

/** As Docker: what no file can have becomes the epoch. */
function representable(seconds: number): number {
  return seconds >= 0 && seconds < maxTime ? seconds : 0;
}

const xattrPrefix = 'SCHILY.xattr.';

function xattrsOf(pax: Map<string, Buffer>): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const [key, value] of pax) {
    if (key.startsWith(xattrPrefix)) found.set(key.slice(xattrPrefix.length), value);
  }
  return found;
}

function cString(data: Buffer): string {
  const end = data.indexOf(0);
  return data.toString('utf8', 0, end < 0 ? data.length : end);
}
