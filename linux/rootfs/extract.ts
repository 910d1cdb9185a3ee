import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import type { TarEntry } from '../archive/tar-header.js';
import type { TarReader } from '../archive/tar-reader.js';
import { type IdMaps, outsideId } from '../process/user-namespace.js';
import { errnoOf } from '../syscall/errno.js';
import { makeNode } from '../syscall/files.js';
import { type Destination, makeDirectory } from './destination.js';
import { isWhiteout, makeOpaque, makeWhiteout, opaqueMarker, whiteoutPrefix } from './layer-marks.js';
import { type ByteName, entryAt, nameOf, textOf } from './names.js';
import { chmodNoFollow } from './nofollow.js';
import { removeEntry } from './remove.js';
import { writeXattrs } from './xattrs.js';

export interface ExtractOptions {
  /** Refuse to replace a directory by something else, and the other way round. */
  noOverwriteDirNonDir?: boolean;
  /** Owner of everything, instead of the archive's numbers. */
  owner?: { uid: number; gid: number };
  /** Owners are those of a user namespace with these maps. */
  owners?: IdMaps;
  /** It is an image layer: `.wh.` entries become overlayfs whiteouts, and `./` is the destination itself. */
  layer?: boolean;
  /** Hears of each piece of a file, by the file's clean name: it is the one that was read last. */
  onPiece?: (name: ByteName, offset: number, length: number) => void;
  /** Hears that an entry takes the place of an earlier one, which is gone. */
  onReplaced?: () => void;
}

/**
 * Puts the entries of an archive into a directory. Each happens relative to the open directory that it is in: nothing
 * leads out, whatever the archive says and a container does to its directories meanwhile. A later entry of the same
 * name replaces the earlier one; a directory over a directory is kept.
 */
export class Extractor {
  readonly #destination: Destination;
  readonly #options: ExtractOptions;
  /** Directories get their times last, as each file made in them changes these. */
  readonly #times = new Map<ByteName, number>();

  constructor(destination: Destination, options: ExtractOptions) {
    this.#destination = destination;
    this.#options = options;
  }

  /** @param name the entry's name, clean; '' is the destination itself */
  async add(name: ByteName, entry: TarEntry, reader: TarReader): Promise<void> {
    if (name === '') {
      if (this.#options.layer && entry.type === 'directory') this.#finishDirectory(this.#destination.fd, name, entry);
      return;
    }
    const slash = name.lastIndexOf('/');
    const last = name.slice(slash + 1) as ByteName;
    const parent = this.#openParent(name.slice(0, Math.max(slash, 0)) as ByteName);
    if (this.#options.layer && last.startsWith(whiteoutPrefix)) {
      applyWhiteout(parent, last);
      return;
    }
    const path = entryAt(parent, last);
    const isKept = this.#makeRoom(parent, path, last, entry);
    switch (entry.type) {
      case 'directory': {
        if (!isKept) mkdirSync(path, 0o700);
        this.#finishDirectory(this.#destination.open(name), name, entry);
        return;
      }
      case 'link':
        this.#link(path, entry);
        return;
      case 'file':
        await this.#file(path, name, entry, reader);
        return;
      case 'symlink':
        symlinkSync(Buffer.from(entry.linkName, 'latin1'), path);
        this.#destination.noteLink(name);
        this.#own(path, entry);
        writeXattrs(path, entry.xattrs);
        break;
      default:
        makeNode(path, nodeTypes[entry.type] | 0o600, entry.major, entry.minor);
        this.#own(path, entry);
        writeXattrs(path, entry.xattrs);
        chmodNoFollow(path, entry.mode);
    }
    lutimesSync(path, entry.mtime, entry.mtime);
  }

  /** The directories' times. */
  finish(): void {
    for (const [name, mtime] of this.#times) {
      try {
        lutimesSync(entryAt(this.#destination.open(name), '.'), mtime, mtime);
      } catch {
        // A later entry, or the container, put something else there: it has its own time.
      }
    }
  }

  /** Archives need not list the directories above an entry. */
  #openParent(name: ByteName): number {
    return this.#destination.open(name, (above, part) => {
      const present = this.#options.layer ? statOf(entryAt(above, part)) : undefined;
      // A directory that the same layer hid before begins anew, empty.
      if (present && isWhiteout(present)) replaceWhiteout(above, part);
      else {
        makeDirectory(above, part);
        const { owners } = this.#options;
        if (owners) lchownSync(entryAt(above, part), outsideId(owners.users, 0), outsideId(owners.groups, 0));
      }
    });
  }

  /** @returns whether a directory is there, and stays */
  #makeRoom(parent: number, path: Buffer, last: ByteName, entry: TarEntry): boolean {
    const present = statOf(path);
    if (!present) return false;
    const isDirectory = entry.type === 'directory';
    if (present.isDirectory() && isDirectory) return true;
    if (this.#options.noOverwriteDirNonDir && present.isDirectory() !== isDirectory) {
      const [old, made] = isDirectory ? ['non-directory', 'directory'] : ['directory', 'non-directory'];
      throw conflict(`cannot overwrite ${old} "${textOf(entry.name)}" with ${made} "${textOf(entry.name)}"`);
    }
    if (this.#options.layer && isDirectory && isWhiteout(present)) {
      replaceWhiteout(parent, last);
      return true;
    }
    this.#options.onReplaced?.();
    removeEntry(parent, last);
    return false;
  }

  #finishDirectory(fd: number, name: ByteName, entry: TarEntry): void {
    const { uid, gid } = this.#ownerOf(entry);
    fchownSync(fd, uid, gid);
    writeXattrs(entryAt(fd, '.'), entry.xattrs);
    fchmodSync(fd, entry.mode);
    this.#times.set(name, entry.mtime);
  }

  /** A hard link's target is a name in the archive. */
  #link(path: Buffer, entry: TarEntry): void {
    const target = localName(entry.linkName, this.#options.layer === true);
    const slash = target.lastIndexOf('/');
    // Opening the target's directory closes the entry's own, which `path` goes through.
    const parent = openSync(path.subarray(0, path.lastIndexOf('/') + 1), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const directory = this.#destination.open(target.slice(0, Math.max(slash, 0)) as ByteName);
      const last = path.subarray(path.lastIndexOf('/') + 1).toString('latin1') as ByteName;
      linkSync(entryAt(directory, target.slice(slash + 1) as ByteName), entryAt(parent, last));
    } finally {
      closeSync(parent);
    }
  }

  async #file(path: Buffer, name: ByteName, entry: TarEntry, reader: TarReader): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = openSync(path, flags, 0o600);
    try {
      const { onPiece } = this.#options;
      await writeContent(fd, entry, reader, onPiece && ((offset, length) => onPiece(name, offset, length)));
      const { uid, gid } = this.#ownerOf(entry);
      fchownSync(fd, uid, gid);
      // After the owner, which takes set-id bits and capabilities away.
      writeXattrs(path, entry.xattrs);
      fchmodSync(fd, entry.mode);
      futimesSync(fd, entry.mtime, entry.mtime);
    } catch (error) {
      // Better none than half of it.
      unlinkIfThere(path);
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** On this host. @throws InvalidParameter */
  #ownerOf(entry: Pick<TarEntry, 'uid' | 'gid'>): { uid: number; gid: number } {
    const { owner, owners } = this.#options;
    const { uid, gid } = owner ?? entry;
    return owners ? { uid: outsideId(owners.users, uid), gid: outsideId(owners.groups, gid) } : { uid, gid };
  }

  #own(path: Buffer, entry: TarEntry): void {
    const { uid, gid } = this.#ownerOf(entry);
    lchownSync(path, uid, gid);
  }
}

const nodeTypes = {
  character: constants.S_IFCHR,
  block: constants.S_IFBLK,
  fifo: constants.S_IFIFO,
} as const;

async function writeContent(
  fd: number,
  entry: TarEntry,
  reader: TarReader,
  onPiece?: (offset: number, length: number) => void,
): Promise<void> {
  let end = 0;
  for (let piece = await reader.read(); piece; piece = await reader.read()) {
    const { data, offset } = piece;
    onPiece?.(offset, data.length);
    for (let done = 0; done < data.length; ) done += writeSync(fd, data, done, data.length - done, offset + done);
    end = offset + data.length;
  }
  // A hole at the end.
  if (end < entry.size) ftruncateSync(fd, entry.size);
}

function unlinkIfThere(path: Buffer): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function statOf(path: Buffer): BigIntStats | undefined {
  return lstatSync(path, { throwIfNoEntry: false, bigint: true });
}

function replaceWhiteout(parent: number, name: ByteName): void {
  const path = entryAt(parent, name);
  unlinkSync(path);
  mkdirSync(path, 0o755);
  makeOpaque(path);
}

function applyWhiteout(parent: number, name: ByteName): void {
  if (name === opaqueMarker) {
    makeOpaque(entryAt(parent, '.'));
    return;
  }
  // Other `.wh..wh.` names are what aufs kept for itself.
  if (name.startsWith(`${whiteoutPrefix}${whiteoutPrefix}`)) return;
  const hidden = name.slice(whiteoutPrefix.length) as ByteName;
  if (['', '.', '..'].includes(hidden)) throw invalidParameter(`invalid whiteout ${textOf(name)} in the layer`);
  const target = entryAt(parent, hidden);
  const present = statOf(target);
  // An entry of this very layer hides the one below anyway; a directory must be told to.
  if (!present) makeWhiteout(target);
  else if (present.isDirectory()) makeOpaque(target);
}

/**
 * A name of an archive relative to the destination; '' for the destination itself.
 * @param isLayer a layer's root is `/`, above which there is nothing; elsewhere a name that leads out is refused
 * @throws InvalidParameter
 */
export function localName(name: ByteName, isLayer: boolean): ByteName {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined && !isLayer) {
      throw invalidParameter(`invalid entry name "${textOf(name)}": it leads out of the destination`);
    }
  }
  return parts.length === 0 ? nameOf('') : (parts.join('/') as ByteName);
}
