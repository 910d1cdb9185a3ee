/**
 * A directory tree that nothing leads out of: a container's root file system, seen from the host. Each step is
 * resolved by openat2(2) inside the root, and everything then happens relative to the descriptor of a directory
 * (`/proc/self/fd/N/name`), so that symlinks that change meanwhile lead nowhere else.
 *
 * All calls are synchronous. Use them in process only for trees that hold nothing but the engine's own files; for
 * everything else (volumes, a running container's `/proc/PID/root`) go through linux/helper.
 */
import { closeSync, constants, fstatSync, lchownSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { bytesOf } from '@cleat/protocol/byte-text';
import { CleatError, conflict, invalidParameter, isClass, notFound } from '@cleat/protocol/errors';
import { type ProcessIdentity, runsAt } from '../process/identity.js';
import { errnoOf } from '../syscall/errno.js';
import { O_PATH, openInRoot } from '../syscall/files.js';
import { type FileFacts, factsFromStats, factsOf } from './facts.js';
import { type ByteName, readLink } from './names.js';

/** The kernel would take what is before it for the whole. */
function refuseZeroByte(path: string): void {
  if (path.includes('\0')) throw invalidParameter('invalid path: it contains a zero byte');
}

/** The path of an entry of an open directory; `name` is one component, and never followed out of it. */
export function entryPath(directoryFd: number, name: string): Buffer {
  refuseZeroByte(name);
  return Buffer.concat([Buffer.from(`/proc/self/fd/${directoryFd}/`), bytesOf(name)]);
}

/** Facts of a path inside a root. */
export interface RootedFacts extends FileFacts {
  /** For a symlink: the path inside the root that it finally leads to, even if that is missing. */
  resolvedTarget?: string;
}

/** A directory; or what a process sees as `/`: exactly that process, were its number somebody else's by now. */
export type RootOf = string | { process: ProcessIdentity };

function openRootOf(identity: ProcessIdentity): number {
  const directory = openSync(`/proc/${identity.pid}`, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const path = `/proc/self/fd/${directory}`;
    if (!runsAt(path, identity)) throw ended(identity);
    return openSync(`${path}/root`, O_PATH | constants.O_DIRECTORY);
  } finally {
    closeSync(directory);
  }
}

const ended = ({ pid }: ProcessIdentity, cause?: unknown): CleatError =>
  notFound(`process ${pid} no longer runs`, { cause, details: { ended: true } });

/** Whether an error says that it is the process which is gone, and not a file of it. */
export const processHasEnded = (error: unknown): boolean =>
  error instanceof CleatError && error.details?.ended === true;

export class Root implements Disposable {
  readonly #fd: number;
  readonly #path: string;

  /** @throws CleatError NotFound when there is no such directory, or that process no longer runs */
  constructor(of: RootOf) {
    try {
      this.#fd = typeof of === 'string' ? openSync(of, O_PATH | constants.O_DIRECTORY) : openRootOf(of.process);
    } catch (cause) {
      if (typeof of === 'string') throw classed(cause, of);
      const gone = isClass(cause, 'NotFound') || ['ENOENT', 'ESRCH'].includes(errnoOf(cause) ?? '');
      throw gone ? ended(of.process, cause) : classed(cause, `the files of process ${of.process.pid}`);
    }
    this.#path = readLink(`/proc/self/fd/${this.#fd}`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  /** Opens what `path` leads to. The caller closes it. @throws CleatError NotFound, InvalidParameter, System */
  open(path: string, flags: number): number {
    refuseZeroByte(path);
    try {
      return openInRoot(this.#fd, bytesOf(path || '/'), flags);
    } catch (cause) {
      throw classed(cause, path);
    }
  }

  /** As {@link open}, for a name of an archive or a tree. @throws CleatError System with the errno */
  openName(name: ByteName, flags: number): number {
    return openInRoot(this.#fd, Buffer.from(name, 'latin1'), flags);
  }

  /** Runs `use` with a descriptor of the directory that holds `path`'s last component, which may be missing. */
  withParent<T>(path: string, use: (parentFd: number, name: string) => T): T {
    const { directory, name } = splitLast(path);
    const fd = this.open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return use(fd, name);
    } finally {
      closeSync(fd);
    }
  }

  /** lstat: the last component is not followed, unless the path ends with `/` or `/.`. @throws CleatError NotFound */
  lstat(path: string): RootedFacts {
    return this.withParent(path, (fd, name) => {
      let facts: FileFacts;
      try {
        facts = factsOf(entryPath(fd, name));
      } catch (cause) {
        throw classed(cause, path);
      }
      return facts.type === 'symlink' ? { ...facts, resolvedTarget: this.resolve(path) } : facts;
    });
  }

  /** stat: follows. @throws CleatError NotFound */
  stat(path: string): FileFacts {
    const fd = this.open(path, O_PATH);
    try {
      return factsFromStats(fstatSync(fd, { bigint: true }));
    } finally {
      closeSync(fd);
    }
  }

  /** The path inside the root that `path` leads to after every symlink; what is missing is taken as it is written. */
  resolve(path: string): string {
    try {
      const fd = this.open(path, O_PATH);
      try {
        return this.#inside(readLink(`/proc/self/fd/${fd}`));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (!(error instanceof CleatError) || error.class !== 'NotFound') throw error;
    }
    const { directory, name } = splitLast(path);
    if (name === '.') return path;
    const parent = this.resolve(directory);
    const target = this.#danglingTarget(path);
    if (target === undefined) return parent === '/' ? `/${name}` : `${parent}/${name}`;
    return target.startsWith('/') ? normalize(target) : normalize(`${parent}/${target}`);
  }

  #danglingTarget(path: string): string | undefined {
    try {
      return this.withParent(path, (fd, name) => readLink(entryPath(fd, name)));
    } catch {
      // Missing, or no symlink: then it is what it is.
      return undefined;
    }
  }

  #inside(hostPath: string): string {
    if (this.#path === '/') return hostPath;
    return hostPath.slice(this.#path.length) || '/';
  }

  /**
   * Reads a regular file; FIFOs and devices are refused without being opened.
   * @throws CleatError NotFound, InvalidParameter (not a regular file, or larger than `maxBytes`)
   */
  readFile(path: string, maxBytes: number): Buffer {
    const handle = this.open(path, O_PATH);
    try {
      const stats = fstatSync(handle);
      if (!stats.isFile()) throw invalidParameter(`${path} is not a regular file`);
      if (stats.size > maxBytes) throw invalidParameter(`${path} is larger than ${maxBytes} bytes`);
      const fd = openSync(`/proc/self/fd/${handle}`, constants.O_RDONLY);
      try {
        return readFileSync(fd).subarray(0, maxBytes);
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(handle);
    }
  }

  /**
   * Makes a directory and those above it that are missing; only what is made gets mode and owner.
   * @returns whether the last one was made
   * @throws CleatError Conflict when something else is in the way
   */
  makeDirectory(path: string, options: { mode?: number; uid?: number; gid?: number } = {}): boolean {
    const { mode = 0o755, uid = 0, gid = 0 } = options;
    let made = false;
    let walked = '';
    for (const name of normalize(path).split('/').filter(Boolean)) {
      made = this.withParent(`${walked}/${name}`, (fd) => {
        try {
          mkdirSync(entryPath(fd, name), { mode });
        } catch (error) {
          if (errnoOf(error) === 'EEXIST') return false;
          throw classed(error, path);
        }
        lchownSync(entryPath(fd, name), uid, gid);
        return true;
      });
      walked += `/${name}`;
    }
    // The existing entry may be a file, or a symlink that leads nowhere.
    closeSync(this.open(normalize(path), O_PATH | constants.O_DIRECTORY));
    return made;
  }
}

/** `a/b/c` → `a/b` and `c`; what ends with `/`, `.` or `..` names a directory itself: `.` in it. */
function splitLast(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (name === '' || name === '.' || name === '..') return { directory: path || '/', name: '.' };
  return { directory: path.slice(0, slash + 1) || '/', name };
}

/** Lexical clean-up: absolute, no `.`, `..` or double slashes. */
export function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** An errno as a CleatError whose message a client may see: it names the path inside the root only. */
export function classed(cause: unknown, path: string): CleatError {
  if (cause instanceof CleatError && cause.class !== 'System') return cause;
  const errno = errnoOf(cause);
  const details = { errno };
  if (errno === 'ENOENT') return notFound(`${path}: no such file or directory`, { cause, details });
  if (errno === 'ENOTDIR') return invalidParameter(`${path}: not a directory`, { cause, details });
  if (errno === 'ENAMETOOLONG') return invalidParameter(`${path}: file name too long`, { cause, details });
  if (errno === 'ELOOP') return invalidParameter(`${path}: too many levels of symbolic links`, { cause, details });
  if (errno === 'EXDEV') return invalidParameter(`${path}: leads out of its directory`, { cause, details });
  if (errno === 'EEXIST') return conflict(`${path}: file exists`, { cause, details });
  if (errno === 'EROFS') return invalidParameter(`${path}: read-only file system`, { cause, details });
  return new CleatError('System', `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
    details,
  });
}
