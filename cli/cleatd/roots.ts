import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFileDurably } from '@cleat/linux/files/durable';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { tryLock } from '@cleat/linux/syscall/lock';
import { messageOf } from '@cleat/protocol/errors';
import { UsageError } from './options/parse.js';
import type { Teardown } from './teardown.js';

/**
 * Makes and locks the data root and the exec root: two engines on the same one would destroy each other's state.
 * @returns the engine's ID, made on the first start and kept in the data root.
 * @throws UsageError
 */
export function openRoots(dataRoot: string, execRoot: string, teardown: Teardown): string {
  // 0710: the group may pass through to what is opened for it, nobody may list (as moby's CVE-2021-41091 taught).
  prepare(dataRoot, 0o710);
  prepare(execRoot, 0o711);
  lock(join(dataRoot, 'lock'), '--data-root', dataRoot, teardown);
  lock(join(execRoot, 'lock'), '--exec-root', execRoot, teardown);
  return engineId(join(dataRoot, 'engine-id'), join(execRoot, 'engine-id'));
}

function prepare(path: string, mode: number): void {
  try {
    makeDirectories(path);
    chmodSync(path, mode);
  } catch (error) {
    throw new UsageError(`cannot use ${path}: ${messageOf(error)}`);
  }
}

function lock(path: string, flag: string, root: string, teardown: Teardown): void {
  const fd = openSync(path, 'a+', 0o600);
  if (!tryLock(fd)) {
    const holder = readFileSync(path, 'utf8').trim();
    closeSync(fd);
    throw new UsageError(`another engine (process ${holder || 'unknown'}) uses ${root}: name another ${flag}`);
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  // The file stays: removing a lock file lets two waiting engines lock two different ones.
  teardown.add(`unlock ${path}`, () => closeSync(fd));
}

/**
 * Things that the engine made on this host carry its ID, until a reboot; so does the copy in the exec root, from which
 * an ID that was emptied or damaged comes back. After a reboot nothing depends on it, and one that a power cut emptied
 * is new.
 */
function engineId(path: string, copy: string): string {
  const there = readId(path) || readId(copy);
  if (!there && existsSync(path) && readFileSync(path, 'utf8').replaceAll('\0', '').trim() !== '') {
    throw new UsageError(`${path} does not hold an engine ID: remove it to get a new one`);
  }
  const id = there || randomUUID();
  try {
    if (readId(path) !== id) writeFileDurably(path, `${id}\n`);
    if (readId(copy) !== id) writeFileDurably(copy, `${id}\n`);
  } catch (error) {
    // A full disk is no reason not to start with an ID that is known.
    if (readId(path) !== id) throw new UsageError(`cannot write the engine's ID to ${path}: ${messageOf(error)}`);
  }
  return id;
}

/** Empty where there is none that can be read. */
function readId(path: string): string {
  const text = existsSync(path) ? readFileSync(path, 'latin1').trim() : '';
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(text) ? text : '';
}

/** Writes the PID file. @throws UsageError when the process in it lives. Text as dockerd's. */
export function writePidFile(path: string, teardown: Teardown): void {
  const before = readPid(path);
  if (before !== undefined && before !== process.pid && isDaemon(before)) {
    throw new UsageError(
      `failed to start daemon: process with PID ${before} is still running (its --pidfile is ${path}): name another --pidfile`,
    );
  }
  try {
    makeDirectories(dirname(path));
    writeFileSync(path, `${process.pid}`, { mode: 0o644 });
  } catch (error) {
    throw new UsageError(`cannot write the PID file ${path}: ${messageOf(error)}`);
  }
  teardown.add('remove the PID file', () => {
    if (readPid(path) === process.pid) rmSync(path, { force: true });
  });
}

function readPid(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
  return pid > 0 ? pid : undefined;
}

/** Whether that process lives and is a daemon like us: after a crash its number may belong to anybody. */
function isDaemon(pid: number): boolean {
  try {
    return /cleatd|dockerd/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    // No such process.
    return false;
  }
}
