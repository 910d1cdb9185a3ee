import { setMaxListeners } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { absenceOf } from '@cleat/extensions/absence';
import { createContainer as createMonitored, type MonitoredContainer } from '@cleat/linux/conmon/create';
import { HeldPath, removeEmptyHeld } from '@cleat/linux/helper/held-path';
import { mountTmpfs } from '@cleat/linux/mount/mount';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { processIdentity } from '@cleat/linux/process/identity';
import { CleatError, cancelled, conflict, isClass, messageOf, notModified, systemError } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import { abortable } from '../../async/abortable.js';
import { newId } from '../../ids.js';
import type { Sandbox } from '../../networks/service.js';
import { goTime, nowNanos } from '../../time.js';
import { cgroupOf } from '../cgroup.js';
import type { Container } from '../container.js';
import { linkEnvironment } from '../links/environment.js';
import { checkLinks } from '../links/links.js';
import type { ContainerRecord, RunRecord } from '../record.js';
import type { Room } from '../room.js';
import { checkMountedAccounts } from '../spec/accounts.js';
import { sharedWith } from '../spec/namespaces.js';
import { specFor } from '../spec/spec.js';
import { containerLayers } from '../writable-layer.js';
import { announce } from './announce.js';
import { watchMonitor } from './exit.js';
import { startHealthChecks } from './health.js';
import { logInfo } from './log-info.js';
import { prepareMounts } from './mount-volumes.js';
import { logDriver } from './needs.js';
import { keepRelease, releaseRun } from './release.js';
import { removeLocked } from './remove.js';
import { Run } from './run.js';
import { sandboxRequest } from './sandbox-request.js';
import { prepareSecrets } from './secrets.js';
import { checkOwners } from './shared-owners.js';
import { startError } from './start-error.js';

/** @throws NotModified, Conflict: what `docker start` may be told without trying */
export function checkStartable(container: Container): void {
  const { status } = container.record.state;
  if (status === 'paused') throw conflict('cannot start a paused container, try unpause instead');
  if (status === 'running' || status === 'restarting') throw notModified('container is already running');
  checkThere(container);
}

/** @throws Conflict for one that is being removed, or was while somebody waited for his turn */
export function checkThere(container: Container): void {
  const { status } = container.record.state;
  if (status === 'removing' || status === 'dead') {
    throw conflict('container is marked for removal and cannot be started');
  }
}

/** `docker start`: waits for whatever else happens to this container, and for nothing of another. */
export async function startContainer(room: Room, container: Container): Promise<void> {
  if (!container.restarts.starting) checkStartable(container);
  await container.lock.run(async () => {
    // One that waits for an extension is tried at once; if it fails for the same reason, it goes on waiting.
    const byPolicy = container.restarts.starting;
    if (!byPolicy || container.record.state.status !== 'restarting') checkStartable(container);
    container.restarts.reset();
    container.record.manuallyStopped = false;
    container.record.restartCount = 0;
    try {
      await startLocked(room, container, { byPolicy });
    } finally {
      if (container.record.state.status !== 'restarting') container.restarts.release();
    }
  });
}

export interface StartOptions {
  /** Its restart policy wants it to run: where an extension is absent it stays as it is, to be tried again. */
  byPolicy?: boolean;
}

/**
 * Starts it; the caller holds the lock and knows that it does not run. Whatever fails, everything is rolled back, the
 * record tells what happened, and `--rm` removes it.
 */
export async function startLocked(room: Room, container: Container, options: StartOptions = {}): Promise<void> {
  const { record } = container;
  const abort = new AbortController();
  // Each of its volumes listens; more than ten are no leak.
  setMaxListeners(0, abort.signal);
  container.starting = abort;
  // What a former run left behind (an engine that was killed meanwhile) goes first.
  await container.released?.done;
  await releaseRun(room, container).done;
  const run: RunRecord = { mountId: newId(), volumes: [] };
  record.state.run = run;
  container.save();
  try {
    await launch(room, container, run, abort.signal);
  } catch (failure) {
    const { error, exitCode } = startError(failure);
    room.spool.ended(record.id);
    container.ended();
    const released = releaseRun(room, container);
    // An extension that hangs must not hold up whoever stopped this; the next start waits for the rest.
    if (abort.signal.aborted) keepRelease(room, container, released);
    else await released.done;
    // What becomes of it is for whoever starts it again, or stopped it, to say.
    if (options.byPolicy && (abort.signal.aborted || absenceOf(error))) throw error;
    container.noRun();
    record.state.status = record.startedBefore ? 'exited' : 'created';
    record.state.pid = 0;
    record.state.exitCode = exitCode;
    record.state.error = messageOf(error);
    container.note();
    if (record.hostConfig.AutoRemove) await removeLocked(room, container, { volumes: true });
    throw error;
  } finally {
    container.starting = undefined;
  }
}

async function launch(room: Room, container: Container, run: RunRecord, signal: AbortSignal): Promise<void> {
  const { record } = container;
  const { id, hostConfig } = record;
  const bundle = room.paths.bundle(id);
  const rootfs = room.paths.rootfs(id);
  checkLinks(room, container);
  mkdirSync(rootfs, { recursive: true, mode: 0o711 });
  mountOverlay({ ...containerLayers(room, record), target: rootfs });
  // All at once; `allSettled` so that nothing is on its way any more when a failure is cleared up.
  const [network, mounts, logging, secrets] = await Promise.allSettled([
    abortable(attachNetworks(room, container), signal, () => room.networks.detach(id)),
    prepareMounts(room, container, run, signal),
    // One that began although nobody waits for it any more is ended with the start.
    abortable(startLogging(room, container), signal),
    prepareSecrets(room, container, signal),
  ]);
  if (network.status === 'fulfilled') network.value.ready.catch(() => {}); // It is awaited below, unless we throw first.
  if (network.status === 'rejected') throw network.reason;
  if (mounts.status === 'rejected') throw mounts.reason;
  if (logging.status === 'rejected') throw logging.reason;
  if (secrets.status === 'rejected') throw secrets.reason;
  const sandbox = network.value;
  record.endpoints = sandbox.endpoints;

  await checkMountedAccounts(room, record, rootfs, mounts.value);
  const spec = specFor({
    record,
    config: room.config,
    rootfs,
    network: sandbox.namespace,
    sources: {
      paths: mounts.value,
      hosts: sandbox.hostsPath,
      hostname: sandbox.hostnamePath,
      resolvConf: sandbox.resolvConfPath,
      shm: sharedMemory(room, container),
      secrets: secrets.value,
      recursiveReadOnly: await recursiveReadOnly(room, record),
      init: hostConfig.Init && !hostConfig.PidMode ? initBinary(room) : undefined,
    },
    links: linkEnvironment(room, container),
    cgroupsPath: cgroupOf(room.config, record),
    pidOf: (ref) => {
      const other = room.registry.get(ref);
      const { state } = other.record;
      return { id: other.id, pid: state.pid, running: other.running, restarting: state.status === 'restarting' };
    },
  });
  record.appArmorProfile = spec.process.apparmorProfile ?? '';
  writeFileSync(join(bundle, 'config.json'), stringify(spec), { mode: 0o600 });
  room.spool.began(id);

  const monitored = await monitor(room, container, signal, sandbox);
  checkOwners(room, hostConfig);
  run.init = processIdentity(monitored.pid);
  run.conmon = processIdentity(monitored.conmonPid);
  // The container has mounted them itself by now; a driver that is to unmount must not find them in use.
  for (const source of mounts.value.values()) if (source instanceof HeldPath) source[Symbol.dispose]();
  removeEmptyHeld(room.paths.held(container.id));
  const live = new Run(bundle, () => room.spool.wake(id));
  container.began(live);
  await becomeRunning(room, container, monitored, live, signal);
}

async function attachNetworks(room: Room, container: Container): Promise<Sandbox> {
  try {
    return await room.networks.attach(sandboxRequest(room, container));
  } catch (error) {
    throw networkError(error);
  }
}

function networkError(error: unknown): CleatError {
  const errorClass = error instanceof CleatError ? error.class : 'System';
  const text = `failed to set up container networking: ${messageOf(error)}`;
  return new CleatError(errorClass, text, { cause: error });
}

/** conmon with the runtime's create, beside the networks' own work; both have ended when this fails. */
async function monitor(room: Room, { record }: Container, signal: AbortSignal, sandbox: Sandbox) {
  const { id, config } = record;
  const runtime = room.runtimes.get(record.runtime);
  const bundle = room.paths.bundle(id);
  const tty = config.Tty === true;
  const creating = createMonitored({
    conmonPath: room.conmonPath ?? 'conmon',
    id,
    bundle,
    ...room.runtimes.command(record.runtime, 'create'),
    command: record.path,
    exitDir: room.paths.exits(),
    pidFile: join(bundle, 'pid'),
    conmonPidFile: join(bundle, 'conmon.pid'),
    persistDir: bundle,
    logPath: room.spool.pathFor(id),
    terminal: tty,
    stdin: config.OpenStdin === true,
    leaveStdinOpen: config.OpenStdin === true && (tty || !config.StdinOnce),
    signal,
  });
  const [created, ready] = await Promise.allSettled([creating, abortable(sandbox.ready, signal)]);
  // First of all the networks' failure: a namespace that was rolled back makes the runtime fail, too.
  if (ready.status === 'rejected') {
    if (created.status === 'fulfilled') await runtime.delete(id, { force: true });
    throw isClass(ready.reason, 'Cancelled') ? ready.reason : networkError(ready.reason);
  }
  if (created.status === 'rejected') throw created.reason;
  return created.value;
}

async function becomeRunning(
  room: Room,
  container: Container,
  monitored: MonitoredContainer,
  live: Run,
  signal: AbortSignal,
): Promise<void> {
  const { record } = container;
  const { state } = record;
  const startedAt = goTime(nowNanos());
  await room.runtimes.get(record.runtime).start(record.id, { signal });
  if (signal.aborted) throw cancelled('the start was stopped: the container is being removed');
  record.startedBefore = true;
  Object.assign(state, { status: 'running', pid: monitored.pid, exitCode: 0, error: '', oomKilled: false, startedAt });
  announce(room, container, 'start');
  startHealthChecks(room, container);
  watchMonitor(room, container, live, monitored.ended);
}

async function startLogging(room: Room, container: Container): Promise<void> {
  await room.spool.startDriver(container.id, logDriver(room, container), logInfo(room, container));
}

/** The directory behind /dev/shm when it is not the container's alone. */
function sharedMemory(room: Room, { id, record }: Container): string | undefined {
  const mode = record.hostConfig.IpcMode;
  if (mode === 'host') return '/dev/shm';
  const other = sharedWith(mode);
  if (other !== undefined) {
    const owner = room.registry.get(other);
    const theirs = owner.record.hostConfig.IpcMode;
    if (theirs === 'host') return '/dev/shm';
    if (theirs !== 'shareable') {
      throw conflict(
        `can't join IPC of container ${owner.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      );
    }
    return room.paths.shm(owner.id);
  }
  if (mode !== 'shareable') return undefined;
  const directory = room.paths.shm(id);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  mountTmpfs(directory, {
    source: 'shm',
    size: record.hostConfig.ShmSize ?? 67_108_864,
    mode: '1777',
    flags: 2 | 4 | 8,
  });
  return directory;
}

/** Asks the runtime only when there is something to be made read-only. */
async function recursiveReadOnly(room: Room, { mounts, runtime }: ContainerRecord): Promise<boolean> {
  if (!mounts.some((mount) => mount.type !== 'tmpfs' && !mount.rw)) return false;
  const [major = 0, minor = 0] = release().split('.').map(Number);
  // mount_setattr(2) came with 5.12.
  if (major < 5 || (major === 5 && minor < 12)) return false;
  return await room.runtimes.knowsMountOption(runtime, 'rro');
}

function initBinary(room: Room): string {
  if (room.config.initPath) return room.config.initPath;
  throw systemError('no init was found for --init: install the package tini, or name one with --init-path');
}
