import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Absence, absenceOf } from '@cleat/extensions/absence';
import { readExit, wasOomKilled } from '@cleat/linux/conmon/exits';
import { Backoff } from '@cleat/protocol/async/backoff';
import { shared } from '@cleat/protocol/async/shared-signal';
import { conflict, messageOf } from '@cleat/protocol/errors';
import { abortable } from '../../async/abortable.js';
import { newId } from '../../ids.js';
import { nowNanos, parseTime, toNanos } from '../../time.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { isDoomed, type RunRecord } from '../state/life.js';
import type { Run } from '../state/run.js';
import { transition } from '../state/transition.js';
import { eraseContainer } from '../steps/erase.js';
import { launch } from '../steps/launch.js';
import { needsArrived, tellWaiting } from '../steps/presence.js';
import { keepRelease, releaseRun } from '../steps/release.js';
import { killUnwatched } from '../steps/signal.js';
import { startError } from '../steps/start-error.js';
import { wantsRestart } from './restart-policy.js';

/*
 * The life of a container: it starts, ends, and is started again by its restart policy. Commands (`../commands`) decide
 * what is to happen, steps (`../steps`) do the work on the host, and `transition` says what may follow what.
 */

/** @throws Conflict for a container that is being removed, or was removed while the caller waited for its lock */
export function checkThere(container: Container): void {
  if (isDoomed(container.record.state)) throw conflict('container is marked for removal and cannot be started');
}

export interface StartOptions {
  /** Its restart policy wants it to run: where an extension is absent it stays as it is, to be tried again. */
  byPolicy?: boolean;
}

/**
 * Starts it; the caller holds the lock and knows that it does not run. When the start fails, everything is rolled back,
 * the record says why, and `--rm` removes the container.
 */
export async function startLocked(context: Context, container: Container, options: StartOptions = {}): Promise<void> {
  const { record } = container;
  const abort = new AbortController();
  shared(abort.signal); // By all of its volumes.
  container.starting = abort;
  // Remains of a former run (an engine that was killed meanwhile) go first.
  await container.released?.done;
  await releaseRun(context, container).done;
  const run: RunRecord = { mountId: newId(), volumes: [] };
  record.state.run = run;
  container.save();
  try {
    const launched = await launch(context, container, run, abort.signal);
    transition(context, container, { type: 'started', pid: launched.pid, at: launched.startedAt });
    context.watchers.began(context, container);
    watchMonitor(context, container, launched.run, launched.ended);
  } catch (failure) {
    const { error, exitCode } = startError(failure);
    context.spool.ended(record.id);
    container.ended();
    const released = releaseRun(context, container);
    // An extension that hangs must not hold up the command that stopped this start; the next start waits for the rest.
    if (abort.signal.aborted) keepRelease(context, container, released);
    else await released.done;
    // The one who starts it again, or stopped it, decides what becomes of it.
    if (options.byPolicy && (abort.signal.aborted || absenceOf(error))) throw error;
    container.noRun();
    transition(context, container, { type: 'start-failed', exitCode, error: messageOf(error) });
    if (record.hostConfig.AutoRemove) await eraseContainer(context, container, { volumes: true });
    throw error;
  } finally {
    container.starting = undefined;
  }
}

export interface Exit {
  /** 128 + n after signal n. */
  code: number;
  at: Date;
  /** Why, when it was not its own end. */
  error?: string;
}

/** An end that is noticed so much later happened while no engine looked. */
const lateMs = 2000;
/** After SIGKILL, as the shell counts. */
const killedCode = 137;

/** Deals with the end of a run once its conmon has ended. */
function watchMonitor(context: Context, container: Container, run: Run, ended: Promise<void>): void {
  ended
    .then(() => monitorEnded(context, container, run))
    .catch((error: unknown) => {
      context.log.error('the end of a conmon could not be dealt with', {
        container: container.id,
        error: messageOf(error),
      });
    });
}

/** conmon is gone: either it left an exit file, or somebody killed it and the container runs unwatched. */
export function monitorEnded(context: Context, container: Container, run: Run): void {
  if (run.exiting || context.closed) return;
  const exit = readExit(context.paths.exits(), container.id);
  if (exit) {
    containerExited(context, container, run, exit);
    return;
  }
  context.log.warn('conmon was killed; its container is killed too', { container: container.id });
  killUnwatched(container);
  containerExited(context, container, run, {
    code: killedCode,
    at: new Date(),
    error: 'conmon, which monitored the container, was killed: the container was killed too',
  });
}

/** Records an end, publishes it, and clears up behind it. Once per run, however often it is noticed. */
export function containerExited(context: Context, container: Container, run: Run, exit: Exit): void {
  // Once this engine has let go, the next one deals with it.
  if (run.exiting || context.closed) return;
  run.exiting = true;
  container.lock
    .run(() => finish(context, container, run, exit))
    .catch((error: unknown) => {
      context.log.error('dealing with the end of a container failed', {
        container: container.id,
        error: messageOf(error),
      });
    });
}

async function finish(context: Context, container: Container, run: Run, exit: Exit): Promise<void> {
  const { id, record } = container;
  if (container.run !== run) return;
  // A signal that is being sent has its event first.
  await container.signals.run(() => {});
  const oomKilled = wasOomKilled(context.paths.bundle(id));
  context.watchers.ended(context, container);
  context.spool.ended(id);
  container.ended();
  // An exit file's time is coarse, and at times older than the start's event: it is used only for an end long ago.
  const late = Date.now() - exit.at.getTime() > lateMs;
  const at = late ? toNanos(exit.at) : nowNanos();
  const ranMs = Number((at - (parseTime(record.state.startedAt) ?? 0n)) / 1_000_000n);
  const restarts = !container.restarts.cancelled && !context.stopping && wantsRestart(record, exit.code);
  transition(context, container, {
    type: 'ended',
    exitCode: exit.code,
    error: exit.error ?? '',
    oomKilled,
    at,
    ranMs,
    restarts,
    ...(late && { late: exit.at }),
  });
  rmSync(join(context.paths.exits(), id), { force: true });
  const released = releaseRun(context, container);
  keepRelease(context, container, released);
  // A client that waited may next remove the network that it was in, or look for what its volumes' drivers bring home
  // on Unmount. A container that is restarted stays in its networks.
  if (!restarts) await Promise.all([released.detached, released.unmounted]);
  const result = { StatusCode: exit.code, ...(exit.error ? { Error: { Message: exit.error } } : {}) };
  container.waiters.settle('next-exit', result);
  container.waiters.settle('not-running', result);
  if (!restarts && record.hostConfig.AutoRemove && !container.restartRequested) {
    await eraseContainer(context, container, { volumes: true });
  }
  // The next start waits for the rest; nobody else has to.
  if (restarts) scheduleRestart(context, container, ranMs);
}

/** After Docker's back-off; until then it counts as running, and a stop or a removal cancels it. */
function scheduleRestart(context: Context, container: Container, ranMs: number): void {
  container.restarts.schedule(ranMs, () => {
    container.restarts.fired();
    if (container.restarts.cancelled || container.record.state.status !== 'restarting') return;
    startByPolicy(context, container);
  });
}

/** Between two starts that failed although what they needed had answered. */
const pauses = { firstMs: 500, longestMs: 30_000 };

/**
 * Starts a container, in the background, because its restart policy wants it to run. One whose extension is not there
 * (yet), or hangs, waits for it: visibly, without using up its restarts, and without end, unless somebody stops or
 * removes it or takes its policy away. Any other failure is on record and not tried again, as in Docker (moby
 * `daemon/monitor.go`).
 */
export function startByPolicy(context: Context, container: Container): void {
  const signal = container.restarts.begin();
  if (container.record.state.status !== 'restarting') transition(context, container, { type: 'start-due' });
  // The signal ends a start that is on its way, too.
  signal.addEventListener('abort', () => container.starting?.abort(), { once: true });
  startWhenPossible(context, container, signal)
    .catch((error: unknown) => {
      if (signal.aborted) return;
      context.log.warn('a container could not be started again', { container: container.id, error: messageOf(error) });
    })
    .finally(() => container.restarts.done(signal));
}

async function startWhenPossible(context: Context, container: Container, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff(pauses);
  for (;;) {
    await needsArrived(context, container, signal);
    // Clearing up behind the last run may hang on an extension: it is waited for where a stop is not held up by it.
    if (container.released) await abortable(container.released.done, signal);
    const absence = await container.lock.run(() => attempt(context, container, signal));
    if (!absence) return;
    await backoff.wait({ signal });
  }
}

/** @returns the extension that was lost in the middle of it, if one was */
async function attempt(context: Context, container: Container, signal: AbortSignal): Promise<Absence | undefined> {
  // Stopped, or started by a user, while this waited for its turn.
  if (signal.aborted || container.record.state.status !== 'restarting') return undefined;
  try {
    await startLocked(context, container, { byPolicy: true });
    return undefined;
  } catch (error) {
    const absence = absenceOf(error);
    if (!absence || signal.aborted) throw error;
    tellWaiting(context, container, absence, messageOf(error));
    return absence;
  }
}

/** A container that only waits for its restart, or for what it needs for it, is stopped by not restarting it. */
export async function settleRestarting(context: Context, container: Container): Promise<void> {
  const waited = container.restarts.waitingFor !== undefined;
  container.restarts.cancel();
  await container.lock.run(async () => {
    const { state, hostConfig } = container.record;
    if (state.status !== 'restarting') return;
    transition(context, container, { type: 'start-given-up', at: nowNanos(), ...(waited && { error: '' }) });
    // Remains of a run before the engine's start. Where the engine stops, the next one removes it.
    if (state.run && !container.released && !context.stopping) {
      keepRelease(context, container, releaseRun(context, container));
    }
    container.waiters.settle('not-running', { StatusCode: state.exitCode });
    if (hostConfig.AutoRemove) await eraseContainer(context, container, { volumes: true });
  });
}
