import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { processesIn, removeCgroup } from '@cleat/linux/cgroup/lifecycle';
import { releaseHeld } from '@cleat/linux/helper/held-path';
import { unmount } from '@cleat/linux/mount/mount';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { cgroupOf } from '../cgroup.js';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { volumeUse } from '../volume-use.js';

/** How far the clearing up is. */
export interface Release {
  /** The networks are free again. */
  detached: Promise<void>;
  /** Volumes and the root file system are. */
  unmounted: Promise<void>;
  /** Everything is: another start may follow. */
  done: Promise<void>;
}

/**
 * Takes away everything that one run left on the host: what the runtime keeps, network, volumes, mounts, bundle. Does
 * all it can and reports every failure to the log; may be repeated.
 */
export function releaseRun(room: Room, container: Container): Release {
  const { id, record } = container;
  const run = record.state.run;
  const nothing = Promise.resolve();
  if (!run) return { detached: nothing, unmounted: nothing, done: nothing };
  const attempt = async (what: string, work: () => Promise<void> | void) => {
    try {
      await work();
      return true;
    } catch (error) {
      room.log.warn(`${what} failed while clearing up`, { container: id, error: messageOf(error) });
      return false;
    }
  };
  const detached = attempt('leaving the networks', () => room.networks.detach(id)).then(() => {});
  const unmounting = [
    attempt('unmounting the root file system', () => unmountBundle(room, id)),
    ...run.volumes.map((volume) =>
      attempt(`unmounting volume ${volume.name}`, () =>
        room.volumes.unmount(volumeUse(room, container, run.mountId, volume)),
      ),
    ),
  ];
  const unmounted = Promise.all(unmounting).then(() => {});
  const deleted = attempt('deleting what the runtime keeps', async () => {
    // Nobody waits for this process but the next start: whoever waits for the rest is served first.
    await Promise.all([detached, unmounted]);
    await nextTurn();
    await deleteFromRuntime(room, container);
  }).then(() => attempt('removing the control group', () => removeLeftCgroup(cgroupOf(room.config, record))));
  const finish = async () => {
    await deleted;
    await attempt('removing the bundle', () => removeBundle(room, id));
    rmSync(join(room.paths.exits(), id), { force: true });
    if (record.state.run === run) record.state.run = undefined;
    container.note();
  };
  return { detached, unmounted, done: finish() };
}

/** In the background: the engine does not stop before it is done, and the next start waits for it. */
export function keepRelease(room: Room, container: Container, released: Release): void {
  container.released = released;
  room.background.add(released.done);
  const finished = () => {
    room.background.delete(released.done);
    if (container.released === released) container.released = undefined;
  };
  released.done.then(finished, (error: unknown) => {
    finished();
    room.log.warn('clearing up could not be recorded', { container: container.id, error: messageOf(error) });
  });
}

async function deleteFromRuntime(room: Room, { id, record }: Container): Promise<void> {
  // Nothing to ask a process for when it was never created.
  if (!record.state.run?.init && !existsSync(join(room.paths.runtimeRoot(record.runtime), id))) return;
  await room.runtimes.get(record.runtime).delete(id, { force: true });
}

/** A create that was killed halfway leaves its control group, and perhaps a process in it, which no runtime knows of. */
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
export function removeBundle(room: Room, id: string): void {
  const bundle = room.paths.bundle(id);
  if (!existsSync(bundle)) return;
  unmountBundle(room, id);
  for (const name of readdirSync(bundle)) rmSync(join(bundle, name), { recursive: true, force: true });
  rmdirSync(bundle);
}

function unmountBundle(room: Room, id: string): void {
  releaseHeld(room.paths.held(id));
  for (const mountPoint of [room.paths.rootfs(id), room.paths.shm(id), room.paths.secrets(id)]) {
    if (!existsSync(mountPoint)) continue;
    unmount(mountPoint);
    // Fails on what is still mounted, where removing the tree would delete the container's files.
    rmdirSync(mountPoint);
  }
}
