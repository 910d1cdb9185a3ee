import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { openSync, writeFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { deadlineExceeded, systemError, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';

/** `count` IDs from `inside` on in the namespace are those from `outside` on out here. */
export interface IdRange {
  inside: number;
  outside: number;
  count: number;
}

export interface IdMaps {
  users: readonly IdRange[];
  groups: readonly IdRange[];
}

const deadlineMs = 10_000;

/**
 * A user namespace with these maps, and nobody in it: only good for being referred to.
 * @returns a file descriptor that the caller closes, and with it the namespace, unless something else refers to it
 * @throws CleatError Unavailable, DeadlineExceeded, System when this host allows none or the maps are not valid
 */
export async function openUserNamespace({ users, groups }: IdMaps): Promise<number> {
  // A namespace cannot be made without a process. This one repeats what it hears, and so tells that it is inside.
  const child = spawn('unshare', ['--user', 'cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
  try {
    await answered(child);
    writeFileSync(`/proc/${child.pid}/uid_map`, lines(users));
    writeFileSync(`/proc/${child.pid}/gid_map`, lines(groups));
    return openSync(`/proc/${child.pid}/ns/user`, 'r');
  } catch (cause) {
    if (cause instanceof Error && 'syscall' in cause && cause.syscall === 'write') {
      throw systemError(`the kernel refuses the map of users ${lines(users).trim()}, groups ${lines(groups).trim()}`, {
        cause,
      });
    }
    throw cause;
  } finally {
    child.kill('SIGKILL');
  }
}

const lines = (ranges: readonly IdRange[]): string =>
  ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join('');

function answered(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<void> {
  return new Promise((resolve, reject) => {
    let errors = '';
    const timer = setTimeout(
      () => reject(deadlineExceeded(`a user namespace was not ready within ${deadlineMs} ms`)),
      deadlineMs,
    );
    const settle = (action: () => void) => {
      clearTimeout(timer);
      action();
    };
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.stdout.once('data', () => settle(resolve));
    child.once('error', (cause) =>
      settle(() => reject(unavailable('unshare is not installed (package util-linux)', { cause }))),
    );
    child.once('close', () =>
      settle(() => reject(systemError(`a user namespace could not be made: ${errors.trim() || 'unknown reason'}`))),
    );
    // A process that ended early is reported by its own message.
    child.stdin.on('error', () => {});
    child.stdin.write('\n');
  });
}
