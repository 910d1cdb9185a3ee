import { open } from 'node:fs/promises';
import { encodeHeader, paddingOf, tarEnd } from '@cleat/linux/archive/tar-writer';
import { type ByteName, joined, nameOf, textOf } from '@cleat/linux/rootfs/names';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Entry, Tree } from './tree.js';

/** Seconds since the epoch that every entry has: one time, so that the same files make the same archive. */
export function packagingTime(env: NodeJS.ProcessEnv = process.env): number {
  const given = env.SOURCE_DATE_EPOCH;
  if (given === undefined || given === '') return 0;
  if (!/^\d{1,10}$/.test(given)) throw invalidParameter(`SOURCE_DATE_EPOCH must be seconds since 1970, not ${given}`);
  return Number(given);
}

/** Several trees as one tar, from the same bytes whenever it is made. @param below a directory for all of it */
export async function* tarOf(trees: readonly Tree[], mtime: number, below = ''): AsyncGenerator<Buffer> {
  const seen = new Set<ByteName>();
  const inodes = new Map<string, ByteName>();
  const place = (name: ByteName): ByteName => (below === '' ? name : joined(nameOf(below), '/', name));
  if (below !== '') yield header(nameOf(below), { type: 'directory', mode: 0o755 }, mtime);
  for (const [name, entry] of trees.flatMap((tree) => tree.sorted())) {
    if (entry.type === 'directory' && seen.has(name)) continue;
    seen.add(name);
    const first = entry.type === 'file' && entry.inode !== undefined ? inodes.get(entry.inode) : undefined;
    if (first !== undefined) {
      yield header(place(name), entry, mtime, place(first));
      continue;
    }
    if (entry.type === 'file' && entry.inode !== undefined) inodes.set(entry.inode, name);
    yield header(place(name), entry, mtime);
    if (entry.type === 'file') {
      yield* contentOf(entry, name);
      yield paddingOf(entry.size);
    }
  }
}

/** A file with text in it, as an entry of its own. */
export function tarFile(name: string, content: Buffer, mtime: number): Buffer {
  const entry: Entry = { type: 'file', mode: 0o644, size: content.length, from: content };
  return Buffer.concat([header(nameOf(name), entry, mtime), content, paddingOf(content.length)]);
}

export { tarEnd };

/** @param link the name that the same file has already */
function header(name: ByteName, entry: Entry, mtime: number, link?: ByteName): Buffer {
  return encodeHeader({
    name: entry.type === 'directory' ? joined(name, '/') : name,
    type: link === undefined ? entry.type : 'link',
    size: entry.type === 'file' && link === undefined ? entry.size : 0,
    mode: entry.type === 'symlink' ? 0o777 : entry.mode,
    uid: 0,
    gid: 0,
    mtime,
    linkName: link ?? (entry.type === 'symlink' ? entry.target : ('' as ByteName)),
    major: 0,
    minor: 0,
    // Those of a further name are the file's, which has them already.
    xattrs: new Map(link === undefined && entry.type !== 'symlink' ? entry.xattrs : undefined),
  });
}

async function* contentOf(entry: Extract<Entry, { type: 'file' }>, name: ByteName): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(entry.from)) {
    yield entry.from;
    return;
  }
  const file = await open(entry.from.path, 'r');
  try {
    let left = entry.size;
    while (left > 0) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(left, 256 * 1024)));
      if (bytesRead === 0) break;
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    if (left > 0) throw invalidParameter(`${textOf(name)} became shorter while it was packaged: try again`);
  } finally {
    await file.close();
  }
}
