import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { processesIn, removeCgroup } from '@cleat/linux/cgroup/lifecycle';
import { releaseHeld } from '@cleat/linux/helper/held-path';
import { unmount } from '@cleat/linux/mount/mount';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { cgroupOf } from '../cgroup.js';
import type { Context } from '../context.js';
import type { Container, Release } from '../state/container.js';
import { volumeUse } from '../volume-use.js';

/**
 * Takes away everything that one run left on the host: what the runtime keeps, network, volumes, mounts, bundle. Does
 * all it can and reports every failure to the log; may be repeated.
 */
export function releaseRun(context: Context, container: Container): Release {
  const { id, record } = container;
  const run = record.state.run;
  const nothing = Promise.resolve();
  if (!run) return { detached: nothing, unmounted: nothing, done: nothing };
  const attempt = async (what: string, work: () => Promise<void> | void) => {
    try {
      await work();
      return true;
    } catch (error) {
      context.log.warn(`${what} failed while clearing up`, { container: id, error: messageOf(error) });
      return false;
    }
  };
  const detached = attempt('leaving the networks', () => context.networks.detach(id)).then(() => {});
  const unmounting = [
    attempt('unmounting the root file system', () => unmountBundle(context, id)),
    ...run.volumes.map((volume) =>
      attempt(`unmounting volume ${volume.name}`, () =>
        context.volumes.unmount(volumeUse(context, container, run.mountId, volume)),
      ),
    ),
  ];
  const unmounted = Promise.all(unmounting).then(() => {});
  const deleted = attempt('deleting what the runtime keeps', async () => {
    // Only the next start waits for this process: callers that wait for the rest are served first.
    await Promise.all([detached, unmounted]);
    await nextTurn();
    await deleteFromRuntime(context, container);
  }).then(() => attempt('removing the control group', () => removeLeftCgroup(cgroupOf(context.config, record))));
  const finish = async () => {
    await deleted;
    await attempt('removing the bundle', () => removeBundle(context, id));
    rmSync(join(context.paths.exits(), id), { force: true });
    if (record.state.run === run) record.state.run = undefined;
    container.note();
  };
  return { detached, unmounted, done: finish() };
}

/** In the background: the engine does not stop before it is done, and the next start waits for it. */
export function keepRelease(
  context: Pick<Context, 'background' | 'log'>,
  container: Container,
  released: Release,
): void {
  container.released = released;
  context.background.add(released.done);
  const finished = () => {
    context.background.delete(released.done);
    if (container.released === released) container.released = undefined;
  };
  released.done.then(finished, (error: unknown) => {
    finished();
    context.log.warn('clearing up could not be recorded', { container: container.id, error: messageOf(error) });
  });
}

async function deleteFromRuntime(
  context: Pick<Context, 'paths' | 'runtimes'>,
  { id, record }: Container,
): Promise<void> {
  // Nothing to ask a process for when it was never created.
  if (!record.state.run?.init && !existsSync(join(context.paths.runtimeRoot(record.runtime), id))) return;
  await context.runtimes.get(record.runtime).delete(id, { force: true });
}

/**
 * A create that was killed halfway leaves its control group, and perhaps a process in it, which no runtime knows of.
 */
async function removeLeftCgroup(path: string): Promise<void> {
  for (let attempt = 0; attempt < 40; attempt++) {
    if (removeCgroup(path)) return;
    for (const pid of processesIn(path)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // ESRCH: it has just ended.
      }
    }
    await sleep(50);
  }
  throw systemError(`the control group ${path} cannot be removed: a process in it does not end`);
}

/** Unmounts what we mounted in a bundle, and removes it; never what is still mounted. */
export function removeBundle(context: Pick<Context, 'paths'>, id: string): void {
  const bundle = context.paths.bundle(id);
  if (!existsSync(bundle)) return;
  unmountBundle(context, id);
  for (const name of readdirSync(bundle)) rmSync(join(bundle, name), { recursive: true, force: true });
  rmdirSync(bundle);
}

function unmountBundle(context: Pick<Context, 'paths'>, id: string): void {
  releaseHeld(context.paths.held(id));
  for (const mountPoint of [context.paths.rootfs(id), context.paths.shm(id), context.paths.secrets(id)]) {
    if (!existsSync(mountPoint)) continue;
    unmount(mountPoint);
    // Fails on what is still mounted, where removing the tree would delete the container's files.
    rmdirSync(mountPoint);
  }
}
