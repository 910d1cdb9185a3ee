import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ExitWatch, readExit, watchExits } from '@cleat/linux/conmon/exits';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { releaseHeld } from '@cleat/linux/helper/held-path';
import { isAlive } from '@cleat/linux/process/identity';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import { nowNanos } from '../../time.js';
import type { Context } from '../context.js';
import { containerExited, monitorEnded, startByPolicy } from '../life/lifecycle.js';
import { wantsRestart } from '../life/restart-policy.js';
import { type Announcer, tellLate } from '../state/announce.js';
import type { Container } from '../state/container.js';
import { isDoomed, isLive } from '../state/life.js';
import { Run } from '../state/run.js';
import { transition } from '../state/transition.js';
import { eraseContainer } from '../steps/erase.js';
import { removeLeftOvers } from '../steps/left-overs.js';
import { logInfo } from '../steps/log-info.js';
import { logDriver } from '../steps/needs.js';
import { releaseRun } from '../steps/release.js';
import { volumeUse } from '../volume-use.js';
import { settleLeaving } from './networks.js';
import { settleFreeze } from './pause.js';
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
export async function recoverContainers(context: Context): Promise<{ close(): void }> {
  makeDirectories(context.paths.exits(), 0o700);
  makeDirectories(context.paths.directories(), 0o710);
  makeDirectories(context.paths.bundles(), 0o711);
  makeDirectories(context.paths.archives(), 0o710);
  const containers = context.registry.all();
  for (const container of containers) tellLate(context, container);
  const adopted = containers.filter((container) => adopt(context, container));
  const lost = containers.filter((container) => !adopted.includes(container));
  const ran = new Set(lost.filter((container) => recordEnd(context, container)));
  // Their first answer is to be right.
  await Promise.all(adopted.map((container) => takeBack(context, container)));
  await removeLeftOvers(context);
  const watch = watchForEnds(context, adopted);
  inBackground(context, 'what is left of networks', context.networks.reconcile(new Set(adopted.map(({ id }) => id))));
  for (const container of adopted) void connect(context, container);
  for (const container of lost) {
    inBackground(context, 'what is left of a container', settle(context, container, ran.has(container)));
  }
  context.volumes.reconcile();
  return watch;
}

/** The engine does not stop before it is done. */
function inBackground(context: Pick<Context, 'background' | 'log'>, what: string, work: Promise<void>): void {
  const done = work
    .catch((error: unknown) => context.log.error(`${what} could not be dealt with`, { error: messageOf(error) }))
    .finally(() => context.background.delete(done));
  context.background.add(done);
}

/** Whether it still runs (or has ended with an exit file that is not dealt with): then it is ours again. */
function adopt(context: Pick<Context, 'config' | 'paths' | 'spool'>, container: Container): boolean {
  const { id, record } = container;
  const { state } = record;
  const init = state.run?.init;
  if (!init || !isLive(state)) return false;
  // It runs, or it ended while nobody looked: both are this run, whose end is dealt with in the ordinary way.
  if (!isAlive(init) && !readExit(context.paths.exits(), id)) return false;
  releaseHeld(context.paths.held(id));
  container.began(new Run(context.paths.bundle(id), () => context.spool.wake(id)));
  context.spool.began(id);
  resumeLog(context, container);
  return true;
}

/** Undoes what the engine before was doing to it for a moment when it was killed. */
async function takeBack(context: Context, container: Container): Promise<void> {
  await settleFreeze(context, container);
  await settleUpdate(context, container);
}

/** Its extensions are told of it as soon as they are there; it runs on in any case. */
async function connect(context: Context, container: Container): Promise<void> {
  const { id, record, run: live } = container;
  const { run } = record.state;
  if (!live) return;
  const warn = (error: unknown) =>
    context.log.warn('a running container could not be taken over completely', {
      container: id,
      error: messageOf(error),
    });
  for (const { name, path, driver, ...volume } of run?.volumes ?? []) {
    context.volumes.adopt(name, volumeUse(context, container, run?.mountId ?? '', volume), { path, driver });
  }
  context.watchers.began(context, container);
  // The name is the record's; an engine may have been killed before its network heard of it.
  await context.networks.rename(id, record.name).catch(warn);
  await context.networks.adopt(id).catch(warn);
  await settleLeaving(context, container).catch(warn);
}

/** All output, old and new, goes to the log driver as soon as that is there. */
function resumeLog(context: Pick<Context, 'config' | 'paths' | 'spool'>, container: Container): void {
  context.spool.resumeDriver(container.id, logDriver(context, container), logInfo(context, container));
}

/** A container that does not run says so. @returns whether it ran when the engine last looked */
function recordEnd(context: Announcer, container: Container): boolean {
  const { state } = container.record;
  const marked = state.thaw || state.updating;
  delete state.thaw;
  delete state.updating;
  if (isLive(state)) {
    const error = 'the engine did not see how it ended: the host was restarted, or its monitor was killed';
    transition(context, container, { type: 'end-missed', exitCode: unknownEnd, error, at: nowNanos() });
    return true;
  }
  if (state.status === 'restarting') transition(context, container, { type: 'start-given-up', at: nowNanos() });
  else if (marked) container.note();
  return false;
}

/** Removes one that was to be removed, starts one that its policy wants to run, clears up behind the others. */
async function settle(context: Context, container: Container, ran: boolean): Promise<void> {
  const { record } = container;
  const { state } = record;
  await settleLeaving(context, container);
  const doomed = isDoomed(state) || (record.hostConfig.AutoRemove === true && record.startedBefore);
  if (!doomed && record.startedBefore && wantsRestart(record, state.exitCode)) {
    // Its start clears up first: by then the extensions are there that have to be told. So it is with its output.
    startByPolicy(context, container);
    return;
  }
  await container.lock.run(async () => {
    if (ran || context.spool.owes(container.id)) resumeLog(context, container);
    context.spool.ended(container.id);
    await releaseRun(context, container).done;
    if (!doomed) return;
    await eraseContainer(context, container, { volumes: record.hostConfig.AutoRemove === true }).catch(
      (error: unknown) =>
        context.log.warn('a container could not be removed', { container: container.id, error: messageOf(error) }),
    );
  });
}

/** Exit files are the truth about ends; who has none and no conmon either was left alone by it. */
function watchForEnds(context: Context, adopted: readonly Container[]): { close(): void } {
  const watching = new Set(adopted);
  const onExit = (id: string, exit: { code: number; at: Date }) => {
    const container = context.registry.byFullId(id);
    if (container?.run) containerExited(context, container, container.run, exit);
    // A start that failed: nobody waits for it. While one is under way, its end may still be wanted.
    else if (!container?.starting) rmSync(join(context.paths.exits(), id), { force: true });
  };
  const exits: ExitWatch = watchExits(context.paths.exits(), onExit);
  const timer = setInterval(() => {
    for (const container of watching) {
      const { run } = container;
      const conmon = container.record.state.run?.conmon;
      if (!run || run.exiting) watching.delete(container);
      else if (!conmon || !isAlive(conmon)) monitorEnded(context, container, run);
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
