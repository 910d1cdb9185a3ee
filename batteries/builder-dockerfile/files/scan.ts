import { createHash, hash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import type { EntryType } from '@cleat/linux/archive/tar-header';
import { type ByteName, entryAt, joined } from '@cleat/linux/rootfs/names';
import type { Root } from '@cleat/linux/rootfs/root';
import { walk } from '@cleat/linux/rootfs/walk';
import { portableXattrs } from '@cleat/linux/rootfs/xattrs';
import { splitDevice } from '@cleat/linux/syscall/files';
import { Pace } from './pace.js';

/** A file as it is found in a source. */
export interface Found {
  /** Relative to where the scan began; empty for that itself. */
  readonly path: ByteName;
  readonly type: EntryType | 'socket';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds. */
  readonly mtime: number;
  readonly size: number;
  readonly linkName: ByteName;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: Map<string, Buffer>;
  /** The same for all names of one file. */
  readonly inode?: string;
  /** SHA-256 of its content, in hexadecimal. */
  readonly digest: string;
  /** False for a directory that only holds something that is wanted. */
  readonly isWanted: boolean;
  /** Kept where it is small, so that it need not be read twice. */
  readonly content?: Buffer;
}

/** Bytes of small files that are kept between looking and copying, for one instruction. */
const maxKept = 32 * 1024 * 1024;
const small = 256 * 1024;
const piece = Buffer.alloc(1024 * 1024);

/**
 * Everything at and below a path of a source, as it is now: nothing but the engine writes there. The path's last
 * component is not followed.
 * @param only which paths to look at; a directory is gone through in any case where `enters` says so
 */
export async function scan(
  root: Root,
  path: string,
  options: {
    signal: AbortSignal;
    wants?: (path: string) => boolean;
    enters?: (path: string) => boolean;
  },
): Promise<Found[]> {
  const { signal, wants, enters } = options;
  const pace = new Pace();
  const found: Found[] = [];
  let kept = 0;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const above = root.open(path.slice(0, path.lastIndexOf('/')) || '/', constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const first = Buffer.from(name || '.').toString('latin1') as ByteName;
    const within: string[] = [];
    for (const step of walk(above, first)) {
      await pace.next(signal);
      if (step.kind === 'after') {
        within.pop();
        continue;
      }
      const isTop = found.length === 0 && within.length === 0 && step.name === first;
      const own = isTop ? '' : [...within.slice(1), step.name].join('/');
      if (step.kind === 'before') {
        within.push(step.name);
        const shown = Buffer.from(own, 'latin1').toString();
        if (!isTop && enters && !enters(shown)) step.skip = true;
      }
      const isWanted = isTop || !wants || wants(Buffer.from(own, 'latin1').toString());
      if (!isWanted && (step.kind !== 'before' || step.skip)) continue;
      const at = entryAt(step.parent, step.name);
      const one = describe(at, joined(own as ByteName), step.stats);
      const content = one.type === 'file' ? await contentOf(at, one.size, kept < maxKept, { pace, signal }) : none;
      kept += content.content?.length ?? 0;
      found.push({ ...one, ...content, isWanted });
    }
  } finally {
    closeSync(above);
  }
  return found;
}

type Content = Pick<Found, 'digest' | 'content'>;
const none: Content = { digest: '' };

function describe(at: Buffer, path: ByteName, stats: BigIntStats): Omit<Found, 'isWanted' | keyof Content> {
  const type = typeOf(Number(stats.mode));
  const isDevice = type === 'character' || type === 'block';
  const size = type === 'file' ? Number(stats.size) : 0;
  const device = isDevice ? splitDevice(stats.rdev) : { major: 0, minor: 0 };
  return {
    path,
    type,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: Number(stats.mtimeNs / 1_000_000_000n),
    size,
    linkName: (type === 'symlink' ? readlinkSync(at, 'latin1') : '') as ByteName,
    ...device,
    xattrs: type === 'file' || type === 'directory' ? portableXattrs(at) : new Map(),
    ...(stats.nlink > 1n && type === 'file' && { inode: `${stats.dev}:${stats.ino}` }),
  };
}

/** A large file may be larger than any disk, where it has holes: others have their turn meanwhile. */
async function contentOf(
  at: Buffer,
  size: number,
  mayKeep: boolean,
  { pace, signal }: { pace: Pace; signal: AbortSignal },
): Promise<Content> {
  const file = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (size <= small) {
      const content = Buffer.alloc(size);
      let length = 0;
      for (let read = -1; length < size && read !== 0; length += read) {
        read = readSync(file, content, length, size - length, length);
      }
      const whole = content.subarray(0, length);
      return { digest: hash('sha256', whole), ...(mayKeep && length === size && { content: whole }) };
    }
    const sum = createHash('sha256');
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) {
      sum.update(piece.subarray(0, read));
      await pace.next(signal);
    }
    return { digest: sum.digest('hex') };
  } finally {
    closeSync(file);
  }
}

function typeOf(mode: number): Found['type'] {
  const kind = mode & constants.S_IFMT;
  if (kind === constants.S_IFREG) return 'file';
  if (kind === constants.S_IFDIR) return 'directory';
  if (kind === constants.S_IFLNK) return 'symlink';
  if (kind === constants.S_IFIFO) return 'fifo';
  if (kind === constants.S_IFCHR) return 'character';
  return kind === constants.S_IFBLK ? 'block' : 'socket';
}

/** The bytes of a file that was found, again from the source. @throws Error of the system when it has changed */
export async function* read(root: Root, path: string, size: number): AsyncGenerator<Buffer> {
  const pace = new Pace();
  const file = root.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(file).isFile()) throw new Error(`${path} is no longer a file`);
    let left = size;
    while (left > 0) {
      await pace.next();
      const chunk = Buffer.alloc(Math.min(256 * 1024, left));
      const length = readSync(file, chunk);
      if (length === 0) throw new Error(`${path} has become shorter while it was copied`);
      left -= length;
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}
