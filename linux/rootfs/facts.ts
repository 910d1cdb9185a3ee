import { type BigIntStats, constants, lstatSync } from 'node:fs';
import { type BytePath, splitDevice } from '../syscall/files.js';
import { readLink } from './names.js';

export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device';

/** The answer of lstat(2) about a file, in a form that survives JSON. */
export interface FileFacts {
  type: FileType;
  /** Permission bits with setuid, setgid and sticky: at most 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes. */
  size: number;
  /** Nanoseconds since 1970, as decimal digits. */
  mtimeNs: string;
  /** The target of a symlink, as it is written. */
  linkTarget?: string;
  /** The number of a device. */
  device?: { major: number; minor: number };
}

const types = new Map<number, FileType>([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
  [constants.S_IFCHR, 'character-device'],
  [constants.S_IFBLK, 'block-device'],
]);

export function factsFromStats(stats: BigIntStats): FileFacts {
  const type = types.get(Number(stats.mode) & constants.S_IFMT) ?? 'file';
  const isDevice = type === 'character-device' || type === 'block-device';
  return {
    type,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: Number(stats.size),
    mtimeNs: stats.mtimeNs.toString(),
    ...(isDevice ? { device: splitDevice(stats.rdev) } : {}),
  };
}

/** lstat(2), and what a symlink holds. @throws as Node's lstatSync */
export function factsOf(path: BytePath): FileFacts {
  const facts = factsFromStats(lstatSync(path, { bigint: true }));
  return facts.type === 'symlink' ? { ...facts, linkTarget: readLink(path) } : facts;
}
