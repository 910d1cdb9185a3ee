import { invalidParameter } from '@cleat/protocol/errors';
import type { ByteName } from '../rootfs/names.js';
import type { ByteSource } from './byte-source.js';
import { type PaxRecords, parsePax } from './pax.js';
import { checkSparse, oldGnuSparse, paxSparse, type SparseFile, type Stretch } from './sparse.js';
import { blockSize, type EntryType, malformed, parseHeader, type RawHeader, type TarEntry } from './tar-header.js';

/** Names and attributes in extension headers are small; more is an attack on memory. */
const maxExtension = 1024 * 1024;
/** A header that holds for all following entries is kept, and is smaller still. */
const maxGlobal = 64 * 1024;

const types: Readonly<Record<string, EntryType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

const truncated = () => invalidParameter('unexpected EOF: the archive is truncated');

/** A piece of a file, and where in the file it belongs. */
export interface Piece {
  offset: number;
  data: Buffer;
}

/**
 * Reads a tar (ustar, GNU, PAX, sparse files of all kinds), entry by entry. Written by hand because names and extended
 * attributes are bytes, which the common libraries decode as text, and because a layer's every byte is counted and
 * hashed on its way.
 */
export class TarReader {
  readonly #source: ByteSource;
  #global: PaxRecords = new Map();
  /** Bytes of the present entry that are still in the archive. */
  #left = 0;
  #padding = 0;
  /** Where these bytes belong: a file without holes is one stretch. */
  #stretches: Stretch[] = [];
  #stretch = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The next entry; what was not read of the one before is skipped. @throws InvalidParameter */
  async next(): Promise<TarEntry | undefined> {
    let pax: PaxRecords = new Map();
    let longName: ByteName | undefined;
    let longLink: ByteName | undefined;
    for (;;) {
      await this.#finishEntry();
      const block = await this.#source.take(blockSize);
      if (block.length === 0) return undefined;
      if (block.length < blockSize) throw truncated();
      const header = parseHeader(block);
      if (!header) return await this.#ended();
      this.#expect(header.size);
      if (header.flag === 'x') pax = parsePax(await this.#extension());
      else if (header.flag === 'g') this.#keep(parsePax(await this.#extension()));
      else if (header.flag === 'L') longName = cString(await this.#extension());
      else if (header.flag === 'K') longLink = cString(await this.#extension());
      else return await this.#entry(block, header, new Map([...this.#global, ...pax]), longName, longLink);
    }
  }

  /** The next piece of the present file; undefined at its end. Holes are not there. */
  async read(): Promise<Piece | undefined> {
    while (this.#stretches[this.#stretch]?.length === 0) this.#stretch++;
    const stretch = this.#stretches[this.#stretch];
    if (!stretch) return undefined;
    const data = await this.#source.piece(Math.min(stretch.length, this.#left));
    if (!data) throw truncated();
    const offset = stretch.offset;
    this.#stretches[this.#stretch] = { offset: offset + data.length, length: stretch.length - data.length };
    this.#left -= data.length;
    return { offset, data };
  }

  /** Two blocks of zeros end an archive; only at the very end one suffices. */
  async #ended(): Promise<undefined> {
    const block = await this.#source.take(blockSize);
    if (block.some((byte) => byte !== 0)) throw malformed('a block of zeros stands between entries');
  }

  #expect(size: number): void {
    this.#left = size;
    this.#padding = (blockSize - (size % blockSize)) % blockSize;
    this.#stretches = [];
    this.#stretch = 0;
  }

  async #finishEntry(): Promise<void> {
    const rest = this.#left + this.#padding;
    if ((await this.#source.skip(rest)) < this.#left) throw truncated();
    this.#expect(0);
  }

  #keep(records: PaxRecords): void {
    this.#global = new Map([...this.#global, ...records]);
    let size = 0;
    for (const [key, value] of this.#global) size += key.length + value.length;
    if (size > maxGlobal) throw malformed(`global extensions of more than ${maxGlobal} bytes`);
  }

  async #extension(): Promise<Buffer> {
    if (this.#left > maxExtension) throw malformed(`an extension of ${this.#left} bytes`);
    return await this.#take(this.#left);
  }

  /** Bytes of the present entry. */
  async #take(length: number): Promise<Buffer> {
    if (length > this.#left) throw malformed('a map is longer than its file');
    const data = await this.#source.take(length);
    if (data.length < length) throw truncated();
    this.#left -= length;
    return data;
  }

  async #entry(
    block: Buffer,
    header: RawHeader,
    pax: PaxRecords,
    longName?: ByteName,
    longLink?: ByteName,
  ): Promise<TarEntry> {
    const type = types[header.flag];
    const name = pathOf(pax, 'GNU.sparse.name') ?? pathOf(pax, 'path') ?? longName ?? header.name;
    if (!type) throw invalidParameter(`unhandled tar header type ${header.flag.charCodeAt(0)}`);
    const size = numeric(pax, 'size', header.size);
    if (!Number.isSafeInteger(size) || size < 0) throw malformed('size out of range');
    // For a link it is about the target, and for others it means nothing: no content follows, as in Go's reader.
    this.#expect(type === 'file' ? size : 0);
    const sparse = type === 'file' ? await this.#sparse(block, header.flag, pax) : undefined;
    if (sparse) checkSparse(sparse, this.#left);
    this.#stretches = sparse?.stretches ?? [{ offset: 0, length: this.#left }];
    // Before POSIX, a directory was a file whose name ends with a slash.
    const isDirectory = type === 'file' && name.endsWith('/');
    return {
      name,
      type: isDirectory ? 'directory' : type,
      size: isDirectory ? 0 : (sparse?.size ?? this.#left),
      mode: header.mode,
      uid: owner(numeric(pax, 'uid', header.uid)),
      gid: owner(numeric(pax, 'gid', header.gid)),
      mtime: representable(numeric(pax, 'mtime', header.mtime)),
      linkName: pathOf(pax, 'linkpath') ?? longLink ?? header.linkName,
      major: header.major,
      minor: header.minor,
      xattrs: xattrsOf(pax),
    };
  }

  async #sparse(block: Buffer, flag: string, pax: PaxRecords): Promise<SparseFile | undefined> {
    if (flag !== 'S') return await paxSparse(pax, (length) => this.#take(length));
    // The blocks of the map lie before the content, which the size counts.
    return await oldGnuSparse(block, async () => {
      const more = await this.#source.take(blockSize);
      if (more.length < blockSize) throw truncated();
      return more;
    });
  }
}

/** @throws InvalidParameter for bytes that no path can have */
function pathOf(pax: PaxRecords, key: string): ByteName | undefined {
  const path = pax.get(key);
  if (path === undefined || path === '') return undefined;
  if (path.includes('\0')) throw malformed(`${key} contains a zero byte`);
  return path as ByteName;
}

function numeric(pax: PaxRecords, key: string, otherwise: number): number {
  const text = pax.get(key);
  if (text === undefined || text === '') return otherwise;
  if (!/^-?\d{1,20}(\.\d*)?$/.test(text)) throw malformed(`${key} is no number`);
  return Number(text);
}

/** A number that an owner can have. */
function owner(id: number): number {
  if (!Number.isInteger(id) || id < 0 || id >= 2 ** 32 - 1) throw malformed(`${id} is no owner`);
  return id;
}

/** The latest time that every file system can keep; archives hold anything. */
const maxTime = 2 ** 34;

/** As Docker: what no file can have becomes the epoch. */
function representable(seconds: number): number {
  return seconds >= 0 && seconds < maxTime ? seconds : 0;
}

const xattrPrefix = 'SCHILY.xattr.';

function xattrsOf(pax: PaxRecords): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const [key, value] of pax) {
    if (key.startsWith(xattrPrefix)) found.set(key.slice(xattrPrefix.length), Buffer.from(value, 'latin1'));
  }
  return found;
}

function cString(data: Buffer): ByteName {
  const end = data.indexOf(0);
  return data.toString('latin1', 0, end < 0 ? data.length : end) as ByteName;
}
