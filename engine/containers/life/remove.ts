import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isEmpty, removeTree, removeTreeSync } from '@cleat/linux/rootfs/remove';
import { conflict, isClass, messageOf, systemError } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import type { MountRecord } from '../record.js';
import type { Room } from '../room.js';
import { killContainer } from './kill.js';
import { releaseRun } from './release.js';

/** Clients that read get the rest of the output before the files go; one that does not read holds nobody up. */
const lastOutputMs = 2000;

/** `docker rm`. With `force` it is killed first, and a start under way is stopped. */
export async function removeContainer(
  room: Room,
  container: Container,
  options: { force: boolean; volumes: boolean; ref: string },
): Promise<void> {
  const { state } = container.record;
  if (state.status === 'removing') throw conflict(`removal of container ${options.ref} is already in progress`);
  if (options.force) container.starting?.abort();
  else if (container.starting) throw refusal(options.ref, 'running');
  if (container.running) {
    if (!options.force) throw refusal(options.ref, state.status);
    container.restarts.cancel();
    await killIfRunning(room, container, options.ref);
  }
  await container.lock.run(async () => {
    if (!room.registry.find(container.id)) return;
    if (container.running) {
      // It was started, or restarted by its policy, just before we got the lock.
      throw refusal(options.ref, state.status);
    }
    await removeLocked(room, container, options);
  });
}

function refusal(ref: string, status: string) {
  const text =
    status === 'paused'
      ? 'container is paused and must be unpaused first'
      : `container is ${status}: stop the container before removing or force remove`;
  return conflict(`cannot remove container "${ref}": ${text}`);
}

async function killIfRunning(room: Room, container: Container, ref: string): Promise<void> {
  try {
    await killContainer(room, container);
  } catch (error) {
    if (isClass(error, 'Conflict') && !container.running) return;
    throw systemError(`cannot remove container "${ref}": could not kill container: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Removes everything there is of it; the caller holds the lock, and it does not run. */
export async function removeLocked(room: Room, container: Container, options: { volumes: boolean }): Promise<void> {
  const { id, record } = container;
  if (record.state.status === 'removing') return;
  const exitCode = record.state.exitCode;
  record.state.status = 'removing';
  container.note();
  container.restarts.cancel();
  container.noRun();
  // What the runtime keeps may go a little later: nobody can ask for this container any more.
  const released = container.released ?? releaseRun(room, container);
  await Promise.all([released.detached, released.unmounted]);
  await Promise.race([Promise.allSettled(container.sessions), sleep(lastOutputMs, undefined, { ref: false })]);
  try {
    await room.spool.remove(id);
    const directory = room.paths.directory(id);
    if (isSmall(directory, room.paths.upper(id))) removeTreeSync(directory);
    else await removeTree(directory);
  } catch (cause) {
    record.state.status = 'dead';
    record.state.error = `unable to remove filesystem: ${messageOf(cause)}`;
    container.note();
    throw systemError(`unable to remove filesystem: ${messageOf(cause)}`, { cause });
  }
  room.registry.remove(container);
  if (options.volumes) await removeAnonymousVolumes(room, record.mounts);
  room.emit(container, 'destroy');
  container.waiters.settle('removed', { StatusCode: exitCode });
  container.waiters.settle('not-running', { StatusCode: exitCode });
  container.waiters.settle('next-exit', { StatusCode: exitCode });
}

/** Bytes. Removing a file of that size takes no time worth mentioning. */
const smallFile = 1024 * 1024;

/** Nothing but our own few files, as after most runs: removing them at once is cheaper than two dozen thread hops. */
function isSmall(directory: string, upper: string): boolean {
  if (!existsSync(directory)) return true;
  if (existsSync(upper) && !isEmpty(upper)) return false;
  const names = readdirSync(directory);
  return names.length < 20 && names.every((name) => lstatSync(join(directory, name)).size < smallFile);
}

/** Those that were made for a container alone, and go with it. */
export async function removeAnonymousVolumes(room: Room, mounts: readonly MountRecord[]): Promise<void> {
  const names = mounts.filter((mount) => mount.anonymous).map((mount) => mount.name ?? '');
  for (const name of names) {
    try {
      await room.volumes.remove(name, { force: false });
    } catch (error) {
      // Another container took it with --volumes-from: it stays. Anything else is worth a line.
      if (!isClass(error, 'Conflict')) {
        room.log.warn('an anonymous volume could not be removed', { volume: name, error: messageOf(error) });
      }
    }
  }
}
