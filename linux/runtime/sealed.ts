import { closeSync, openSync, statSync } from 'node:fs';
import { CleatError } from '@cleat/protocol/errors';
import { cloneOpened, makeReadOnly } from '../syscall/mount.js';

const held = new Map<string, { file: string; fd: number | undefined }>();

/**
 * A path under which nobody can write to a program: that of a read-only mount of the file, which is mounted nowhere and
 * which this process holds. A container's process that gets hold of its runtime through `/proc/PID/exe` could otherwise
 * write to the host's file (CVE-2019-5736). So crun, started from a file that can be written, first makes such a mount
 * and starts again from there, at each call (its `cloned_binary.c`); started from this one, it need not.
 *
 * The path leads to nothing once this process has ended. A kernel without such mounts (before 5.12) gets `path` back.
 * @param path the program's, absolute
 */
export function sealedProgram(path: string): string {
  const file = identityOf(path);
  let known = held.get(path);
  if (file !== undefined && known?.file !== file) {
    // The mount of a program that was replaced is kept: what was started with its path may not have got there yet.
    known = { file, fd: seal(path) };
    held.set(path, known);
  }
  return known?.fd === undefined || file === undefined ? path : `/proc/${process.pid}/fd/${known.fd}`;
}

/** Another one once the file was replaced or written; undefined when there is none. */
function identityOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && `${stat.dev} ${stat.ino} ${stat.ctimeMs}`;
}

function seal(path: string): number | undefined {
  const file = openSync(path, 'r');
  let mount: number | undefined;
  try {
    mount = cloneOpened(file, path);
    makeReadOnly(mount, path);
    return mount;
  } catch (error) {
    if (mount !== undefined) closeSync(mount);
    // The program works as well without.
    if (error instanceof CleatError) return undefined;
    throw error;
  } finally {
    closeSync(file);
  }
}
