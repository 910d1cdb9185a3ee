import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isEmpty, removeTree, removeTreeSync } from '@cleat/linux/rootfs/remove';
import { endsWithin } from '@cleat/protocol/async/deadline';
import { isClass, messageOf, systemError } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { isAnonymous, type MountRecord } from '../state/record.js';
import { transition } from '../state/transition.js';
import { releaseRun } from './release.js';

/** Clients that read get the rest of the output before the files go; one that does not read holds nobody up. */
const lastOutputMs = 2000;

/**
 * Removes everything that belongs to a container; the caller holds the lock, and it does not run. `volumes`: also those
 * that were made for it alone.
 * @throws System when its files cannot be removed: it is then `dead`, and may be removed again
 */
export async function eraseContainer(
  context: Context,
  container: Container,
  options: { volumes: boolean },
): Promise<void> {
  const { id, record } = container;
  if (!context.registry.find(id)) return;
  const { exitCode } = record.state;
  // An engine that was killed in the middle of it has left it so.
  if (record.state.status !== 'removing') transition(context, container, { type: 'removing' });
  container.restarts.cancel();
  container.noRun();
  // The runtime's files may go a little later: nobody can ask for this container now.
  const released = container.released ?? releaseRun(context, container);
  await Promise.all([released.detached, released.unmounted]);
  await endsWithin(lastOutputMs, Promise.allSettled(container.sessions));
  try {
    await context.spool.remove(id);
    const directory = context.paths.directory(id);
    if (isSmall(directory, context.paths.upper(id))) removeTreeSync(directory);
    else await removeTree(directory);
  } catch (cause) {
    const error = `unable to remove filesystem: ${messageOf(cause)}`;
    transition(context, container, { type: 'removal-failed', error });
    throw systemError(error, { cause });
  }
  // Nobody uses them now. The record goes last: an engine that is killed meanwhile has its successor go on.
  const { mounts } = record;
  record.mounts = [];
  if (options.volumes) await removeAnonymousVolumes(context, mounts);
  context.events.together(() => {
    context.emit(container, 'destroy');
    context.registry.remove(container);
  });
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
export async function removeAnonymousVolumes(
  context: Pick<Context, 'log' | 'volumes'>,
  mounts: readonly MountRecord[],
): Promise<void> {
  const names = mounts.filter(isAnonymous).map((mount) => mount.name);
  for (const name of names) {
    try {
      await context.volumes.remove(name, { force: false });
    } catch (error) {
      // Another container took it with --volumes-from: it stays. Anything else is worth a line.
      if (!isClass(error, 'Conflict')) {
        context.log.warn('an anonymous volume could not be removed', { volume: name, error: messageOf(error) });
      }
    }
  }
}
