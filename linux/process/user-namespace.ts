import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { openSync, writeFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { deadlineExceeded, invalidParameter, systemError, unavailable } from '@cleat/protocol/errors';
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

/** A namespace's user or group as the host knows it. @throws InvalidParameter for one that it does not have */
export function outsideId(ranges: readonly IdRange[], id: number): number {
  const range = ranges.find(({ inside, count }) => id >= inside && id < inside + count);
  if (!range) throw invalidParameter(`Container ID ${id} cannot be mapped to a host ID`);
  return range.outside + id - range.inside;
}

/** As the kernel shows those that a namespace does not have. */
const nobody = 65_534;

/** A user or group of the host as the namespace knows it. */
export function insideId(ranges: readonly IdRange[], id: number): number {
  const range = ranges.find(({ outside, count }) => id >= outside && id < outside + count);
  return range ? range.inside + id - range.outside : nobody;
}

/** A user namespace to be made, or the path of one that is there (`/proc/PID/ns/user`). */
export type UserNamespace = { maps: IdMaps } | { path: string };

const deadlineMs = 10_000;

/**
 * A user namespace with these maps, and nobody in it: only good for being referred to.
 * @returns a file descriptor that the caller closes, and with it the namespace, unless something else refers to it
 * @throws CleatError Unavailable, DeadlineExceeded, System when this host allows none or the maps are not valid
 */
export const openUserNamespace = (maps: IdMaps): Promise<number> =>
  inNewNamespaces({ maps }, ['unshare', '--user'], (pid) => openSync(`/proc/${pid}/ns/user`, 'r'));

/**
 * Makes a network namespace that belongs to a user namespace: whose root may configure it.
 * @param use is given a process in both, which ends afterwards
 * @throws CleatError as {@link openUserNamespace}
 */
export const withOwnedNetwork = <T>(owner: UserNamespace, use: (pid: number) => T): Promise<T> =>
  inNewNamespaces(
    owner,
    'path' in owner ? ['nsenter', `--user=${owner.path}`, 'unshare', '--net'] : ['unshare', '--user', '--net'],
    use,
  );

async function inNewNamespaces<T>(
  owner: UserNamespace,
  [program = '', ...args]: readonly string[],
  use: (pid: number) => T,
): Promise<T> {
  // A namespace cannot be made without a process. This one repeats what it hears, and so tells that it is inside.
  const child = spawn(program, [...args, 'cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
  try {
    const pid = await answered(child);
    if ('maps' in owner) writeMaps(pid, owner.maps);
    return use(pid);
  } finally {
    child.kill('SIGKILL');
  }
}

function writeMaps(pid: number, { users, groups }: IdMaps): void {
  try {
    writeFileSync(`/proc/${pid}/uid_map`, lines(users));
    writeFileSync(`/proc/${pid}/gid_map`, lines(groups));
  } catch (cause) {
    throw systemError(`the kernel refuses the map of users ${lines(users).trim()}, groups ${lines(groups).trim()}`, {
      cause,
    });
  }
}

const lines = (ranges: readonly IdRange[]): string =>
  ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join('');

/** @returns its process ID */
function answered(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<number> {
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
    child.stdout.once('data', () => settle(() => resolve(child.pid ?? 0)));
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
