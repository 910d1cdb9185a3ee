import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type ExitWatch, readExit, watchExits } from '@cleat/linux/conmon/exits';
import { releaseHeld } from '@cleat/linux/helper/held-path';
import { unmountAll } from '@cleat/linux/mount/mount';
import { isAlive } from '@cleat/linux/process/identity';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import { goTime, nowNanos } from '../../time.js';
import type { Container } from '../container.js';
import { isRunning } from '../record.js';
import type { Room } from '../room.js';
import { volumeUse } from '../volume-use.js';
import { announce, tellLate } from './announce.js';
import { containerExited, monitorEnded } from './exit.js';
import { thaw } from './freeze.js';
import { startHealthChecks } from './health.js';
import { logInfo } from './log-info.js';
import { logDriver } from './needs.js';
import { settleLeaving } from './networks.js';
import { releaseRun, removeBundle } from './release.js';
import { removeLocked } from './remove.js';
import { wantsRestart } from './restart-policy.js';
import { Run } from './run.js';
import { startByPolicy } from './start-by-policy.js';
import { settleUpdate } from './update.js';

/** As Docker: it ran when the engine last looked, and nobody can tell how it ended (the host was switched off). */
const unknownEnd = 255;
/** How often adopted conmons are looked at; those that we started ourselves report their end. */
const lookMs = 1000;

/**
 * Start-up is recovery: what runs is adopted, what ended meanwhile gets its end, what is left over of neither is
 * removed, restart policies apply. The store, the pid files and the exit files say it all; nothing was counted.
 *
 * No extension is waited for here: whatever asks one goes on in the background, each container by itself.
 */
export async function recoverContainers(room: Room): Promise<{ close(): void }> {
  mkdirSync(room.paths.exits(), { recursive: true, mode: 0o700 });
  mkdirSync(room.paths.directories(), { recursive: true, mode: 0o710 });
  mkdirSync(room.paths.bundles(), { recursive: true, mode: 0o711 });
  mkdirSync(room.paths.archives(), { recursive: true, mode: 0o710 });
  const containers = room.registry.all();
  for (const container of containers) tellLate(room, container);
  const adopted = containers.filter((container) => adopt(room, container));
  const lost = containers.filter((container) => !adopted.includes(container));
  const ran = new Set(lost.filter((container) => recordEnd(room, container)));
  // Their first answer is to be right.
  await Promise.all(adopted.map((container) => takeBack(room, container)));
  removeUnknown(room);
  removeArchives(room);
  removeUnborn(room);
  await forgetUnknown(room);
  const watch = watchForEnds(room, adopted);
  inBackground(room, 'what is left of networks', room.networks.reconcile(new Set(adopted.map(({ id }) => id))));
  for (const container of adopted) void connect(room, container);
  for (const container of lost) {
    inBackground(room, 'what is left of a container', settle(room, container, ran.has(container)));
  }
  room.volumes.reconcile();
  return watch;
}

/** The engine does not stop before it is done. */
function inBackground(room: Room, what: string, work: Promise<void>): void {
  const done = work
    .catch((error: unknown) => room.log.error(`${what} could not be dealt with`, { error: messageOf(error) }))
    .finally(() => room.background.delete(done));
  room.background.add(done);
}

/** Whether it still runs (or has ended with an exit file that is not dealt with): then it is ours again. */
function adopt(room: Room, container: Container): boolean {
  const { id, record } = container;
  const { state } = record;
  const init = state.run?.init;
  if (!init || !isRunning(state) || state.status === 'restarting') return false;
  // It runs, or it ended while nobody looked: both are this run, whose end is dealt with in the ordinary way.
  if (!isAlive(init) && !readExit(room.paths.exits(), id)) return false;
  releaseHeld(room.paths.held(id));
  container.began(new Run(room.paths.bundle(id), () => room.spool.wake(id)));
  room.spool.began(id);
  resumeLog(room, container);
  return true;
}

/** Undoes what the engine before was doing to it for a moment when it was killed. */
async function takeBack(room: Room, container: Container): Promise<void> {
  await thaw(room, container);
  await settleUpdate(room, container);
}

/** Its extensions are told of it as soon as they are there; it runs on in any case. */
async function connect(room: Room, container: Container): Promise<void> {
  const { id, record, run: live } = container;
  const { run } = record.state;
  if (!live) return;
  const warn = (error: unknown) =>
    room.log.warn('a running container could not be taken over completely', { container: id, error: messageOf(error) });
  for (const { name, path, driver, ...volume } of run?.volumes ?? []) {
    room.volumes.adopt(name, volumeUse(room, container, run?.mountId ?? '', volume), { path, driver });
  }
  startHealthChecks(room, container);
  // The name is the record's; an engine may have been killed before its network heard of it.
  room.networks.rename(id, record.name);
  await room.networks.adopt(id).catch(warn);
  await settleLeaving(room, container).catch(warn);
}

/** What was and will be printed goes to the log driver as soon as that is there. */
function resumeLog(room: Room, container: Container): void {
  room.spool.resumeDriver(container.id, logDriver(room, container), logInfo(room, container));
}

/** What does not run says so. @returns whether it ran when the engine last looked */
function recordEnd(room: Room, container: Container): boolean {
  const { state } = container.record;
  const ran = isRunning(state) && state.status !== 'restarting';
  if (ran) {
    Object.assign(state, { exitCode: unknownEnd, finishedAt: goTime(nowNanos()) });
    state.error = 'the engine did not see how it ended: the host was restarted, or its monitor was killed';
  }
  if (isRunning(state)) state.status = 'exited';
  delete state.thaw;
  delete state.updating;
  state.pid = 0;
  if (ran) announce(room, container, 'die', { exitCode: String(state.exitCode) });
  else container.note();
  return ran;
}

/** Removes one that was to be removed, starts one that its policy wants to run, clears up behind the others. */
async function settle(room: Room, container: Container, ran: boolean): Promise<void> {
  const { record } = container;
  const { state } = record;
  await settleLeaving(room, container);
  const doomed =
    state.status === 'removing' ||
    state.status === 'dead' ||
    (record.hostConfig.AutoRemove === true && record.startedBefore);
  if (!doomed && record.startedBefore && wantsRestart(record, state.exitCode)) {
    // Its start clears up first: by then the extensions are there that have to be told. So it is with its output.
    startByPolicy(room, container);
    return;
  }
  await container.lock.run(async () => {
    if (ran || room.spool.owes(container.id)) resumeLog(room, container);
    room.spool.ended(container.id);
    await releaseRun(room, container).done;
    if (!doomed) return;
    if (state.status === 'removing') state.status = 'exited';
    await removeLocked(room, container, { volumes: record.hostConfig.AutoRemove === true }).catch((error: unknown) =>
      room.log.warn('a container could not be removed', { container: container.id, error: messageOf(error) }),
    );
  });
}

/** Bundles, mounts and directories that belong to no container of ours. */
function removeUnknown(room: Room): void {
  for (const id of readdirSync(room.paths.bundles())) {
    if (room.registry.byFullId(id)) continue;
    try {
      unmountAll(room.paths.bundle(id));
      removeBundle(room, id);
    } catch (error) {
      room.log.warn('something left over could not be removed', { container: id, error: messageOf(error) });
    }
  }
}

/** Directories of containers that were being made. Only without a file: nobody's data goes because a record is missing. */
function removeUnborn(room: Room): void {
  for (const id of readdirSync(room.paths.directories())) {
    if (room.registry.byFullId(id)) continue;
    try {
      rmSync(room.paths.ownFiles(id), { recursive: true, force: true });
      removeEmpty(room.paths.directory(id));
    } catch (error) {
      room.log.warn('there is a directory of no container', { container: id, error: messageOf(error) });
    }
  }
}

/** @throws ENOTDIR, ENOTEMPTY where there is more than directories */
function removeEmpty(directory: string): void {
  for (const name of readdirSync(directory)) removeEmpty(join(directory, name));
  rmdirSync(directory);
}

/** What an engine looked into when it was killed. */
function removeArchives(room: Room): void {
  for (const name of readdirSync(room.paths.archives())) {
    const directory = join(room.paths.archives(), name);
    try {
      unmountAll(directory);
      if (statSync(directory).isDirectory()) rmdirSync(directory);
      else unlinkSync(directory);
    } catch (error) {
      room.log.warn('a temporary mount that was left over could not be removed', {
        directory,
        error: messageOf(error),
      });
    }
  }
}

/** What runtimes keep of containers that are not there any more. */
async function forgetUnknown(room: Room): Promise<void> {
  for (const name of Object.keys(room.config.runtimes)) {
    const root = room.paths.runtimeRoot(name);
    if (!existsSync(root)) continue;
    for (const id of readdirSync(root)) {
      if (room.registry.byFullId(id)) continue;
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
    const container = room.registry.byFullId(id);
    if (container?.run) containerExited(room, container, container.run, exit);
    // Of a start that failed: nobody waits for it. While one is under way, its end may still be wanted.
    else if (!container?.starting) rmSync(join(room.paths.exits(), id), { force: true });
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
