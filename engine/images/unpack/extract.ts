import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, normalize } from 'node:path';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { makeFifo, makeNode, setXattr } from '@cleat/linux/syscall/files';
import { invalidParameter } from '@cleat/protocol/errors';
import type { TarEntry } from './tar-header.js';
import type { TarReader } from './tar-reader.js';

export interface ExtractOptions {
  /** `overlay`: a layer, whose `.wh.` entries become overlayfs whiteouts. `plain`: they are files like others. */
  whiteouts: 'overlay' | 'plain';
  maxEntries: number;
}

const whiteout = '.wh.';
const opaqueMarker = '.wh..wh..opq';
const opaqueXattr = 'trusted.overlay.opaque';

/**
 * Unpacks an archive into `/`: the caller has changed its root to the target directory, so that no name, `..`, symlink
 * or hard link of the archive can lead out of it (as Docker's chrootarchive does). Runs in a process of its own.
 * @returns bytes in regular files, as Docker counts a layer's size
 */
export async function extract(reader: TarReader, options: ExtractOptions): Promise<number> {
  const directoryTimes = new Map<string, number>();
  let bytes = 0;
  let count = 0;
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    if (++count > options.maxEntries) throw invalidParameter(`the archive has more than ${options.maxEntries} entries`);
    const path = normalize(`/${entry.name}`).replace(/(.)\/$/, '$1');
    if (path === '/') {
      if (entry.type === 'directory') {
        setOwnerAndMode('/', entry);
        directoryTimes.set('/', entry.mtime);
      }
      continue;
    }
    if (options.whiteouts === 'overlay' && basename(path).startsWith(whiteout)) {
      applyWhiteout(path);
      continue;
    }
    makeParents(dirname(path));
    clear(path, entry);
    await create(path, entry, reader);
    if (entry.type === 'directory') directoryTimes.set(path, entry.mtime);
    else if (entry.type !== 'link') lutimesSync(path, entry.mtime, entry.mtime);
    bytes += entry.size;
  }
  // Last, because what is made inside a directory changes its time.
  for (const [path, mtime] of directoryTimes) {
    if (statOf(path)?.isDirectory()) lutimesSync(path, mtime, mtime);
  }
  return bytes;
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Makes room: a later entry of the same name replaces the earlier one; a directory over a directory is kept. */
function clear(path: string, entry: TarEntry): void {
  const present = statOf(path);
  if (!present || (present.isDirectory() && entry.type === 'directory')) return;
  if (present.isDirectory() && dirname(path) === path) throw invalidParameter('the archive replaces its own root');
  if (entry.type === 'directory' && isWhiteout(present)) replaceWhiteout(path);
  else rmSync(path, { recursive: true, force: true });
}

/** Archives need not list the directories above an entry; one that the same layer hid before begins anew, empty. */
function makeParents(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    if (!['EEXIST', 'ENOTDIR'].includes(errnoOf(error) ?? '')) throw error;
    const parts = path.split('/');
    const hidden = parts.map((_, at) => parts.slice(0, at + 1).join('/')).find(isWhiteoutAt);
    if (hidden === undefined) throw error;
    replaceWhiteout(hidden);
    makeParents(path);
  }
}

function isWhiteoutAt(path: string): boolean {
  const stat = path === '' ? undefined : statOf(path);
  return stat !== undefined && isWhiteout(stat);
}

function replaceWhiteout(path: string): void {
  rmSync(path);
  mkdirSync(path, 0o755);
  setXattr(path, opaqueXattr, Buffer.from('y'));
}

function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

/** OCI image-spec, layer.md: `.wh.NAME` hides NAME of the layers below, `.wh..wh..opq` all of them. */
function applyWhiteout(path: string): void {
  const name = basename(path);
  const parent = dirname(path);
  makeParents(parent);
  if (name === opaqueMarker) {
    setXattr(parent, opaqueXattr, Buffer.from('y'));
    return;
  }
  // Other `.wh..wh.` names are what aufs kept for itself.
  if (name.startsWith(`${whiteout}${whiteout}`)) return;
  const hidden = name.slice(whiteout.length);
  if (hidden === '' || hidden === '.' || hidden === '..') {
    throw invalidParameter(`invalid whiteout ${path} in the layer`);
  }
  const target = parent === '/' ? `/${hidden}` : `${parent}/${hidden}`;
  const present = statOf(target);
  // What this very layer holds hides the one below anyway; a directory must be told to.
  if (!present) makeNode(target, constants.S_IFCHR | 0o000, 0, 0);
  else if (present.isDirectory()) setXattr(target, opaqueXattr, Buffer.from('y'));
}

async function create(path: string, entry: TarEntry, reader: TarReader): Promise<void> {
  switch (entry.type) {
    case 'file':
      await createFile(path, entry, reader);
      break;
    case 'directory':
      if (!statOf(path)) mkdirSync(path, 0o755);
      setOwnerAndMode(path, entry);
      break;
    case 'symlink':
      symlinkSync(entry.linkName, path);
      lchownSync(path, entry.uid, entry.gid);
      break;
    case 'link':
      linkSync(normalize(`/${entry.linkName}`), path);
      return;
    case 'character':
    case 'block': {
      const type = entry.type === 'character' ? constants.S_IFCHR : constants.S_IFBLK;
      makeNode(path, type | entry.mode, entry.major, entry.minor);
      setOwnerAndMode(path, entry);
      break;
    }
    case 'fifo':
      makeFifo(path, entry.mode);
      setOwnerAndMode(path, entry);
      break;
    default:
      return entry.type satisfies never;
  }
  for (const [name, value] of entry.xattrs) setAttribute(path, name, value);
}

async function createFile(path: string, entry: TarEntry, reader: TarReader): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = openSync(path, flags, 0o600);
  try {
    for (let piece = await reader.read(); piece; piece = await reader.read()) {
      for (let written = 0; written < piece.length; ) written += writeSync(fd, piece, written);
    }
    fchownSync(fd, entry.uid, entry.gid);
    // After the owner, because chown clears the set-id bits.
    fchmodSync(fd, entry.mode);
    futimesSync(fd, entry.mtime, entry.mtime);
  } finally {
    closeSync(fd);
  }
}

/** Not for symlinks: chmod would follow them. */
function setOwnerAndMode(path: string, entry: TarEntry): void {
  lchownSync(path, entry.uid, entry.gid);
  chmodSync(path, entry.mode);
}

function setAttribute(path: string, name: string, value: Buffer): void {
  // overlayfs takes these as orders (redirect, metacopy, opaque); only we give them.
  if (name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.')) return;
  try {
    setXattr(path, name, value);
  } catch (error) {
    // As Docker: a file system or kernel without this attribute is no reason to refuse the image.
    if (!['ENOTSUP', 'EOPNOTSUPP', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
  }
}
