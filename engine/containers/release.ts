import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { messageOf } from '@cleat/protocol/errors';
import type { Container } from './container.js';
import type { Room } from './room.js';

/**
 * Takes away everything that one run left on the host: what the runtime keeps, network, volumes, mounts, bundle. Does
 * all it can and reports every failure to the log; may be repeated.
 * @returns promises for when the network is free again, and for when everything is done
 */
export function releaseRun(room: Room, container: Container): { detached: Promise<void>; done: Promise<void> } {
  const { id, record } = container;
  const run = record.state.run;
  if (!run) return { detached: Promise.resolve(), done: Promise.resolve() };
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
  const tasks = [
    detached,
    attempt('deleting what the runtime keeps', () => deleteFromRuntime(room, container)),
    ...run.volumes.map((volume) =>
      attempt(`unmounting volume ${volume.name}`, () =>
        room.volumes.unmount(volume.name, {
          containerId: id,
          mountId: `${run.mountId}${volume.destination}`,
          destination: volume.destination,
          readOnly: volume.readOnly,
          propagation: volume.propagation,
        }),
      ),
    ),
  ];
  const finish = async () => {
    await Promise.all(tasks);
    await attempt('removing the bundle', () => removeBundle(room, id));
    if (record.state.run === run) record.state.run = undefined;
    container.save();
  };
  return { detached, done: finish() };
}

async function deleteFromRuntime(room: Room, { id, record }: Container): Promise<void> {
  // Nothing to ask a process for when it was never created.
  if (!record.state.run?.init && !existsSync(join(room.paths.runtimeRoot(record.runtime), id))) return;
  await room.runtimes.get(record.runtime).delete(id, { force: true });
}

/** Unmounts what we mounted in a bundle, and removes it; never what is still mounted. */
export function removeBundle(room: Room, id: string): void {
  const bundle = room.paths.bundle(id);
  if (!existsSync(bundle)) return;
  for (const mountPoint of [room.paths.rootfs(id), room.paths.shm(id)]) {
    if (!existsSync(mountPoint)) continue;
    unmount(mountPoint);
    // Fails on what is still mounted, where removing the tree would delete the container's files.
    rmdirSync(mountPoint);
  }
  for (const name of readdirSync(bundle)) rmSync(join(bundle, name), { recursive: true, force: true });
  rmdirSync(bundle);
}
