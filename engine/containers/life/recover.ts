import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { type ExitWatch, readExit, watchExits } from '@cleat/linux/conmon/exits';
import { unmountAll } from '@cleat/linux/mount/mount';
import { isAlive } from '@cleat/linux/process/identity';
import { messageOf } from '@cleat/protocol/errors';
import { goTime, nowNanos } from '../../time.js';
import type { Container } from '../container.js';
import { isRunning } from '../record.js';
import type { Room } from '../room.js';
import { volumeUse } from '../volume-use.js';
import { containerExited, monitorEnded } from './exit.js';
import { startHealthChecks } from './health.js';
import { logInfo } from './log-info.js';
import { releaseRun, removeBundle } from './release.js';
import { removeLocked } from './remove.js';
import { wantsRestart } from './restart-policy.js';
import { Run } from './run.js';
import { startLocked } from './start.js';

/** As Docker: it ran when the engine last looked, and nobody can tell how it ended (the host was switched off). */
const unknownEnd = 255;
/** How often adopted conmons are looked at; those that we started ourselves report their end. */
const lookMs = 1000;

/**
 * Start-up is recovery: what runs is adopted, what ended meanwhile gets its end, what is left over of neither is
 * removed, restart policies apply. The store, the pid files and the exit files say it all; nothing was counted.
 */
export async function recoverContainers(room: Room): Promise<{ close(): void }> {
  mkdirSync(room.paths.exits(), { recursive: true, mode: 0o700 });
  mkdirSync(room.paths.bundles(), { recursive: true, mode: 0o711 });
  const containers = room.registry.all();
  // Whoever ran and whose policy wants it to run again, decided before anything is changed.
  const adopted = containers.filter((container) => adopt(room, container));
  const lost = containers.filter((container) => !adopted.includes(container));
  const restartable = await Promise.all(lost.map((container) => settle(room, container)));
  removeUnknown(room);
  await forgetUnknown(room);
  await room.networks.reconcile(new Set(adopted.map((container) => container.id)));
  const watch = watchForEnds(room, adopted);
  await Promise.all(adopted.map((container) => connect(room, container)));
  room.volumes.reconcile();
  startAgain(
    room,
    lost.filter((_, at) => restartable[at]),
  );
  return watch;
}

/** Whether it still runs (or has ended with an exit file that is not dealt with): then it is ours again. */
function adopt(room: Room, container: Container): boolean {
  const { id, record } = container;
  const { state } = record;
  const init = state.run?.init;
  if (!init || !isRunning(state) || state.status === 'restarting') return false;
  // It runs, or it ended while nobody looked: both are this run, whose end is dealt with in the ordinary way.
  if (!isAlive(init) && !readExit(room.paths.exits(), id)) return false;
  container.began(new Run(room.paths.bundle(id), () => room.spool.wake(id)));
  room.spool.began(id);
  return true;
}

async function connect(room: Room, container: Container): Promise<void> {
  const { id, record } = container;
  const { run } = record.state;
  try {
    for (const { name, path, driver, ...volume } of run?.volumes ?? []) {
      room.volumes.adopt(name, volumeUse(room, container, run?.mountId ?? '', volume), { path, driver });
    }
    await room.networks.adopt(id);
    const driver = record.hostConfig.LogConfig?.Type ?? room.config.logDriver;
    await room.spool.startDriver(id, driver, logInfo(room, container));
    if (container.run) startHealthChecks(room, container);
  } catch (error) {
    // The container runs on; what could not be connected is told.
    room.log.warn('a running container could not be taken over completely', { container: id, error: messageOf(error) });
  }
}

/** What was printed after the engine's end goes to the log driver, too. */
async function deliverRest(room: Room, container: Container): Promise<void> {
  const driver = container.record.hostConfig.LogConfig?.Type ?? room.config.logDriver;
  try {
    await room.spool.startDriver(container.id, driver, logInfo(room, container));
  } catch (error) {
    room.log.warn('a log driver misses the end of an output', { container: container.id, error: messageOf(error) });
  }
}

/** What does not run: its end is recorded and its leavings go. @returns whether its policy wants it to run */
async function settle(room: Room, container: Container): Promise<boolean> {
  const { record } = container;
  const { state } = record;
  const ran = isRunning(state) && state.status !== 'restarting';
  await container.lock.run(async () => {
    if (ran) {
      Object.assign(state, { exitCode: unknownEnd, finishedAt: goTime(nowNanos()) });
      state.error = 'the engine did not see how it ended: the host was restarted, or its monitor was killed';
    }
    if (isRunning(state)) state.status = 'exited';
    state.pid = 0;
    container.save();
    if (ran) room.emit(container, 'die', { exitCode: String(state.exitCode) });
    if (ran) await deliverRest(room, container);
    room.spool.ended(container.id);
    await releaseRun(room, container).done;
  });
  if (
    state.status === 'removing' ||
    state.status === 'dead' ||
    (record.hostConfig.AutoRemove && record.startedBefore)
  ) {
    const { exitCode } = state;
    state.status = 'exited';
    state.exitCode = exitCode;
    await container.lock
      .run(() => removeLocked(room, container, { volumes: record.hostConfig.AutoRemove === true }))
      .catch((error: unknown) =>
        room.log.warn('a container could not be removed', { container: container.id, error: messageOf(error) }),
      );
    return false;
  }
  return record.startedBefore && wantsRestart(record, state.exitCode);
}

/** Bundles, mounts and directories that belong to no container of ours. */
function removeUnknown(room: Room): void {
  for (const id of readdirSync(room.paths.bundles())) {
    if (room.registry.find(id)) continue;
    try {
      unmountAll(room.paths.bundle(id));
      removeBundle(room, id);
    } catch (error) {
      room.log.warn('something left over could not be removed', { container: id, error: messageOf(error) });
    }
  }
}

/** What runtimes keep of containers that are not there any more. */
async function forgetUnknown(room: Room): Promise<void> {
  for (const name of Object.keys(room.config.runtimes)) {
    const root = room.paths.runtimeRoot(name);
    if (!existsSync(root)) continue;
    for (const id of readdirSync(root)) {
      if (room.registry.find(id)) continue;
      try {
        await room.runtimes.get(name).delete(id, { force: true });
      } catch (error) {
        room.log.warn('a runtime keeps something left over', { container: id, error: messageOf(error) });
      }
    }
  }
}

/** Exit files are the truth about ends; who has none and no conmon either was left alone by it. */
function watchForEnds(room: Room, adopted: readonly Container[]): { close(): void } {
  const watching = new Set(adopted);
  const onExit = (id: string, exit: { code: number; at: Date }) => {
    const container = room.registry.find(id);
    if (container?.run) containerExited(room, container, container.run, exit);
  };
  const exits: ExitWatch = watchExits(room.paths.exits(), onExit);
  const timer = setInterval(() => {
    for (const container of watching) {
      const { run } = container;
      const conmon = container.record.state.run?.conmon;
      if (!run || run.exiting) watching.delete(container);
      else if (!conmon || !isAlive(conmon)) monitorEnded(room, container, run);
    }
    if (watching.size === 0) clearInterval(timer);
  }, lookMs);
  timer.unref();
  return {
    close() {
      exits.close();
      clearInterval(timer);
    },
  };
}

/** In the background: an engine that starts does not wait for its containers. */
function startAgain(room: Room, containers: readonly Container[]): void {
  for (const container of containers) {
    container.lock
      .run(async () => {
        if (!container.running) await startLocked(room, container);
      })
      .catch((error: unknown) => {
        room.log.warn('a container could not be started again', { container: container.id, error: messageOf(error) });
      });
  }
}
