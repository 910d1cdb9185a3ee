/** Runs in the helper: what it opens is not ours, and may hang. */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync } from 'node:fs';
import { CleatError, invalidParameter, notFound } from '@cleat/protocol/errors';
import { type FileFacts, factsFromStats } from '../rootfs/facts.js';
import { classed } from '../rootfs/root.js';
import { errnoOf } from '../syscall/errno.js';
import { O_PATH, openBeneath } from '../syscall/files.js';
import { cloneOpened, moveMount } from '../syscall/mount.js';

export interface HoldRequest {
  /** A directory of the host; symlinks are followed. */
  path: string;
  /** The path inside it: symlinks that stay inside are followed, those that lead out are refused. */
  within?: string;
  /** How `path` is called in errors. */
  shown?: string;
  /** Where it is to be mounted: made here, in a directory that nobody but the engine reaches. Absent: it is not. */
  at?: string;
}

export interface HoldAnswer {
  /** Where `path` lies, without symlinks, at the moment at which it was opened. */
  real: string;
  facts: FileFacts;
}

/**
 * Opens a path once; what is said of it and what is mounted are what was opened then, whatever its name leads to later.
 * @throws CleatError NotFound, InvalidParameter (no directory; leads out of it), Conflict, System
 */
export function hold({ path, within, at, shown = path }: HoldRequest): HoldAnswer {
  const directory = opened(path);
  try {
    const real = readlinkSync(`/proc/self/fd/${directory}`);
    const inner = within === undefined ? directory : openedWithin(directory, shown, within);
    try {
      const facts = factsFromStats(fstatSync(inner, { bigint: true }));
      if (at !== undefined) mountOn(inner, at, facts);
      return { real, facts };
    } finally {
      if (inner !== directory) closeSync(inner);
    }
  } finally {
    closeSync(directory);
  }
}

function opened(path: string): number {
  try {
    return openSync(path, O_PATH | constants.O_DIRECTORY);
  } catch (cause) {
    throw classed(cause, path);
  }
}

/** In the words of moby's `daemon/volume/safepath`. */
function openedWithin(directory: number, path: string, within: string): number {
  try {
    return openBeneath(directory, within, O_PATH);
  } catch (cause) {
    const errno = errnoOf(cause);
    const details = { errno };
    const whole = `${path}/${within}`;
    if (errno === 'EXDEV') {
      const text = `path concatenation escapes the base directory, base: ${path}, subpath: ${within}`;
      throw invalidParameter(text, { cause, details });
    }
    if (errno === 'ENOENT') {
      throw notFound(`cannot access path ${whole}: lstat ${whole}: no such file or directory`, { cause, details });
    }
    const why =
      errno === 'ELOOP' ? 'EvalSymlinks: too many links' : errno === 'ENOTDIR' ? 'not a directory' : undefined;
    if (why === undefined) throw classed(cause, whole);
    throw new CleatError('System', `error while resolving symlinks in combined path "${whole}": ${why}`, {
      cause,
      details,
    });
  }
}

function mountOn(fd: number, at: string, facts: FileFacts): void {
  const mount = cloneOpened(fd, at);
  try {
    if (facts.type === 'directory') mkdirSync(at, { mode: 0o700 });
    else closeSync(openSync(at, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
    moveMount(mount, at);
  } finally {
    closeSync(mount);
  }
}
