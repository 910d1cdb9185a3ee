import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { extname, join } from 'node:path';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { errnoOf } from '../syscall/errno.js';

export interface SmallFilesRequest {
  readonly directory: string;
  /** Bytes that the files of a form may have together, by its ending: `.json`. Other files are not looked at. */
  readonly maxBytes: Readonly<Record<string, number>>;
  /** No more files than these, in the order of their names. */
  readonly maxFiles: number;
  /** States of files that the caller has already, by their names. */
  readonly known: Readonly<Record<string, string>>;
}

export interface SmallFile {
  readonly name: string;
  /** Changes whenever the file does. */
  readonly state?: string;
  /** Its content, unless the state is the known one. */
  readonly text?: string;
  /** Why it is not read. */
  readonly problem?: string;
}

export interface SmallFilesAnswer {
  readonly files: readonly SmallFile[];
  /** There are more than `maxFiles`. */
  readonly hasMore: boolean;
}

/** Files of a directory of settings that may be anybody's; none where there is no such directory. @throws what readdir throws */
export function smallFiles({ directory, maxBytes, maxFiles, known }: SmallFilesRequest): SmallFilesAnswer {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => Object.hasOwn(maxBytes, extname(name)));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { files: [], hasMore: false };
    throw error;
  }
  const left: Record<string, number> = { ...maxBytes };
  const files = names
    .sort()
    .slice(0, maxFiles)
    .map((name): SmallFile => {
      try {
        return { name, ...read(join(directory, name), left, maxBytes, known[name]) };
      } catch (error) {
        return { name, problem: messageOf(error) };
      }
    });
  return { files, hasMore: names.length > maxFiles };
}

/** @param left bytes that may be read yet; they are spent also where the file is known */
function read(
  path: string,
  left: Record<string, number>,
  all: Readonly<Record<string, number>>,
  known: string | undefined,
): Pick<SmallFile, 'state' | 'text'> {
  // A pipe of that name would hold us up.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) throw invalidParameter('it is not a regular file');
    const form = extname(path);
    const bytes = left[form] ?? 0;
    const size = Number(stats.size);
    if (size > bytes) {
      throw invalidParameter(`it is too large: of ${form} files of a directory ${all[form]} bytes are read`);
    }
    left[form] = bytes - size;
    const state = [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
    return state === known ? { state } : { state, text: textOf(fd, size) };
  } finally {
    closeSync(fd);
  }
}

/** Reads as much as the file had when it was looked at: it may grow meanwhile. */
function textOf(fd: number, size: number): string {
  const bytes = Buffer.alloc(size);
  let length = 0;
  for (let more = -1; more !== 0 && length < size; length += more)
    more = readSync(fd, bytes, length, size - length, null);
  return bytes.toString('utf8', 0, length);
}
