import {
  closeSync,
  constants,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import type { Readable } from 'node:stream';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { type Extract, extract, type Header } from 'tar-stream';
import { errnoOf } from '../syscall/errno.js';
import { makeNode, openBeneath } from '../syscall/files.js';
import { type FileFacts, factsOf } from './facts.js';
import { nameOf } from './names.js';
import { chmodNoFollow } from './nofollow.js';
import { removeEntry } from './remove.js';
import { classed, entryPath, normalize, type Root } from './root.js';

export interface TarInOptions {
  /** Refuse to replace a directory by something else, and the other way round. */
  noOverwriteDirNonDir?: boolean;
  /** Owner of everything, instead of the archive's numbers. */
  owner?: { uid: number; gid: number };
}

/**
 * Extracts a tar into the directory `path` of a root. Every entry's directory is opened anew beneath that one, and
 * everything happens relative to its descriptor: an entry whose name, link or way leads out is an error, whatever
 * the container does to its directories meanwhile.
 * @throws CleatError InvalidParameter (not a tar; a name that leads out; `path` is no directory), Conflict
 */
export async function tarIn(root: Root, path: string, source: Readable, options: TarInOptions = {}): Promise<void> {
  const destination = root.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const extractor = new Extractor(destination, options);
  try {
    for await (const entry of entriesOf(source)) await extractor.add(entry.header, entry);
    extractor.finish();
  } catch (error) {
    const isArchive =
      error instanceof Error && errnoOf(error) === undefined && /tar|Unexpected end of data/i.test(error.message);
    throw isArchive
      ? invalidParameter(`the archive cannot be read: ${error.message}`, { cause: error })
      : classed(error, path);
  } finally {
    extractor.close();
  }
}

/** The archive's entries; each must be read, or is skipped, before the next one comes. */
function entriesOf(source: Readable): Extract {
  const archive = owned(extract());
  source.on('data', (chunk: Buffer) => {
    if (!archive.write(chunk)) source.pause();
  });
  archive.on('drain', () => source.resume());
  source.once('end', () => archive.end(null));
  source.once('error', (error) => archive.destroy(error));
  return archive;
}

async function writeFile(fd: number, content: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const chunk of content) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError('an entry consists of bytes');
      for (let offset = 0; offset < chunk.length; ) offset += writeSync(fd, chunk, offset);
    }
  } finally {
    closeSync(fd);
  }
}

class Extractor {
  readonly #destination: number;
  readonly #options: TarInOptions;
  /** Directories get their times last, as each file made in them changes these. */
  readonly #directories: { name: string; mtime: number }[] = [];

  constructor(destination: number, options: TarInOptions) {
    this.#destination = destination;
    this.#options = options;
  }

  close(): void {
    closeSync(this.#destination);
  }

  async add(header: Header, content: AsyncIterable<unknown>): Promise<void> {
    const name = localName(header.name);
    if (name === '') return;
    const slash = name.lastIndexOf('/');
    const last = name.slice(slash + 1);
    const parent = this.#openParents(slash < 0 ? '' : name.slice(0, slash), name);
    try {
      await this.#create(parent, entryPath(parent, last), name, header, content);
    } catch (error) {
      throw classed(error, name);
    } finally {
      closeSync(parent);
    }
  }

  /** Opens the directory of an entry, and makes what is missing of it. */
  #openParents(directory: string, name: string): number {
    let fd = this.#open('.', name);
    let walked = '';
    for (const part of directory.split('/').filter(Boolean)) {
      try {
        mkdirSync(entryPath(fd, part), 0o755);
        this.#own(entryPath(fd, part), { uid: 0, gid: 0 });
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw classed(error, name);
      } finally {
        closeSync(fd);
      }
      walked += walked ? `/${part}` : part;
      fd = this.#open(walked, name);
    }
    return fd;
  }

  #open(path: string, name: string): number {
    try {
      return openBeneath(this.#destination, path, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      throw classed(error, name);
    }
  }

  async #create(
    parent: number,
    path: string,
    name: string,
    header: Header,
    content: AsyncIterable<unknown>,
  ): Promise<void> {
    const existing = existingAt(path);
    const isDirectory = header.type === 'directory';
    if (existing) this.#makeRoom(parent, path, name, existing, isDirectory);
    const mode = (header.mode ?? 0) & 0o7777;
    if (isDirectory) {
      if (existing?.type !== 'directory') mkdirSync(path, 0o700);
      this.#directories.push({ name, mtime: mtimeOf(header) });
    } else if (header.type === 'link') {
      this.#link(path, name, header.linkname ?? '');
      return;
    } else if (header.type === 'symlink') {
      symlinkSync(header.linkname ?? '', path);
      this.#own(path, header);
      lutimesSync(path, mtimeOf(header), mtimeOf(header));
      return;
    } else if (header.type === 'file' || header.type === 'contiguous-file') {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      await writeFile(openSync(path, flags, 0o600), content);
    } else if (header.type !== null && header.type in nodeTypes) {
      const type = nodeTypes[header.type as keyof typeof nodeTypes];
      makeNode(path, type | 0o600, header.devmajor ?? 0, header.devminor ?? 0);
    } else {
      throw invalidParameter(`${name}: entries of type ${header.type} cannot be extracted`);
    }
    this.#own(path, header);
    // After the owner, which takes setuid and setgid away.
    chmodNoFollow(path, mode);
    lutimesSync(path, mtimeOf(header), mtimeOf(header));
  }

  #makeRoom(parent: number, path: string, name: string, existing: FileFacts, isDirectory: boolean): void {
    const wasDirectory = existing.type === 'directory';
    if (wasDirectory && isDirectory) return;
    if (this.#options.noOverwriteDirNonDir && wasDirectory !== isDirectory) {
      const [old, made] = wasDirectory ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
      throw conflict(`cannot overwrite ${old} "${name}" with ${made} "${name}"`);
    }
    removeEntry(parent, nameOf(path.slice(path.lastIndexOf('/') + 1)));
  }

  /** A hard link's target is a name in the archive. */
  #link(path: string, name: string, linkname: string): void {
    const target = localName(linkname);
    const slash = target.lastIndexOf('/');
    const fd = this.#open(slash < 0 ? '.' : target.slice(0, slash), name);
    try {
      linkSync(entryPath(fd, target.slice(slash + 1)), path);
    } finally {
      closeSync(fd);
    }
  }

  #own(path: string, header: Pick<Header, 'uid' | 'gid' | 'pax'>): void {
    const pax = paxOf(header);
    const uid = this.#options.owner?.uid ?? (Number(pax.uid) || header.uid || 0);
    const gid = this.#options.owner?.gid ?? (Number(pax.gid) || header.gid || 0);
    lchownSync(path, uid, gid);
  }

  /** The directories' times, the deepest first. */
  finish(): void {
    for (const { name, mtime } of this.#directories.reverse()) {
      let fd: number;
      try {
        fd = openBeneath(this.#destination, name, constants.O_RDONLY | constants.O_DIRECTORY);
      } catch {
        // A later entry, or the container, put something else there: it has its own time.
        continue;
      }
      try {
        lutimesSync(`/proc/self/fd/${fd}/.`, mtime, mtime);
      } finally {
        closeSync(fd);
      }
    }
  }
}

const nodeTypes = {
  'character-device': constants.S_IFCHR,
  'block-device': constants.S_IFBLK,
  fifo: constants.S_IFIFO,
} as const;

/** An entry's name relative to the destination; empty for the destination itself. */
function localName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  let depth = 0;
  for (const part of parts) {
    depth += part === '..' ? -1 : 1;
    if (depth < 0) throw invalidParameter(`invalid entry name "${name}": it leads out of the destination`);
  }
  if (name.includes('\0')) throw invalidParameter(`invalid entry name "${name}"`);
  return normalize(name).slice(1);
}

function existingAt(path: string): FileFacts | undefined {
  try {
    return factsOf(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function paxOf(header: Pick<Header, 'pax'>): Record<string, unknown> {
  return typeof header.pax === 'object' && header.pax !== null ? { ...header.pax } : {};
}

/** Seconds since 1970. */
function mtimeOf(header: Header): number {
  const pax = Number(paxOf(header).mtime);
  return Number.isFinite(pax) ? pax : (header.mtime?.getTime() ?? 0) / 1000;
}
