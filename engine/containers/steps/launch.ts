import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { createContainer as createMonitored } from '@cleat/linux/conmon/create';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { HeldPath, removeEmptyHeld } from '@cleat/linux/helper/held-path';
import { mountTmpfs } from '@cleat/linux/mount/mount';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { processIdentity } from '@cleat/linux/process/identity';
import { givingPipes } from '@cleat/linux/runtime/stdio-owner';
import { CleatError, cancelled, conflict, isClass, messageOf, systemError } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import { abortable } from '../../async/abortable.js';
import type { Sandbox } from '../../networks/service.js';
import { ownerOnHost, remapOf, rootOwner } from '../../oci/remap.js';
import type { OciProcess } from '../../oci/types.js';
import { goTime, nowNanos } from '../../time.js';
import { placeOf } from '../cgroup.js';
import type { Context } from '../context.js';
import { linkEnvironment } from '../links/environment.js';
import { checkLinks } from '../links/links.js';
import { checkMountedAccounts } from '../oci-spec/accounts.js';
import { sharedWith } from '../oci-spec/namespaces.js';
import { specFor } from '../oci-spec/spec.js';
import type { Container } from '../state/container.js';
import type { RunRecord } from '../state/life.js';
import type { ContainerRecord } from '../state/record.js';
import { Run } from '../state/run.js';
import { containerLayers } from '../writable-layer.js';
import { logInfo } from './log-info.js';
import { prepareMounts } from './mount-volumes.js';
import { logDriver } from './needs.js';
import { sandboxRequest } from './sandbox-request.js';
import { prepareSecrets } from './secrets.js';
import { checkOwners } from './shared-owners.js';
import { keepSourceFlags } from './source-flags.js';
import { pidOf, userNamespaceFor } from './user-namespace.js';

/** A run whose process the runtime has started. */
export interface Launched {
  readonly run: Run;
  /** PID of the container's first process, on the host. */
  readonly pid: number;
  /** RFC 3339 with nanoseconds. */
  readonly startedAt: string;
  /** Settles when conmon has ended. */
  readonly ended: Promise<void>;
}

/**
 * Mounts, connects and starts a container. What it made is on record in `run`, or found by the container's ID: when
 * this fails, `releaseRun` removes it.
 */
export async function launch(
  context: Context,
  container: Container,
  run: RunRecord,
  signal: AbortSignal,
): Promise<Launched> {
  const { record } = container;
  const { id, hostConfig } = record;
  const bundle = context.paths.bundle(id);
  const rootfs = context.paths.rootfs(id);
  checkLinks(context, container);
  makeDirectories(rootfs, 0o711);
  mountOverlay({ ...containerLayers(context, record), target: rootfs });
  // All at once; `allSettled`, so that all have ended before a failure is cleared up.
  const [network, mounts, logging, secrets] = await Promise.allSettled([
    abortable(attachNetworks(context, container), signal, () => context.networks.detach(id)),
    prepareMounts(context, container, run, signal),
    // A driver that begins after the start was aborted is ended with the start.
    abortable(startLogging(context, container), signal),
    prepareSecrets(context, container, signal),
  ]);
  if (network.status === 'fulfilled') network.value.ready.catch(() => {}); // It is awaited below, unless we throw first.
  if (network.status === 'rejected') throw network.reason;
  if (mounts.status === 'rejected') throw mounts.reason;
  if (logging.status === 'rejected') throw logging.reason;
  if (secrets.status === 'rejected') throw secrets.reason;
  const sandbox = network.value;
  record.endpoints = sandbox.endpoints;

  await checkMountedAccounts(context, record, rootfs, mounts.value);
  const spec = await specFor({
    record,
    config: context.config,
    rootfs,
    sandbox,
    sources: {
      paths: mounts.value,
      hosts: sandbox.hostsPath,
      hostname: sandbox.hostnamePath,
      resolvConf: sandbox.resolvConfPath,
      shm: sharedMemory(context, container),
      secrets: secrets.value,
      recursiveReadOnly: await recursiveReadOnly(context, record),
      init: hostConfig.Init && !hostConfig.PidMode ? initBinary(context) : undefined,
    },
    links: linkEnvironment(context, container),
    hidden: container.hiddenVariables,
    cgroupsPath: placeOf(context.config, record).specified,
    pidOf: pidOf(context),
    helper: context.helper,
  });
  await keepSourceFlags(context, record, spec.mounts, mounts.value, signal);
  record.appArmorProfile = spec.process.apparmorProfile ?? '';
  const runtime = context.runtimes.get(record.runtime);
  runtime.filters?.give(spec);
  writeFileSync(join(bundle, 'config.json'), stringify(spec), { mode: 0o600 });
  context.spool.began(id);

  const monitored = await monitor(context, container, signal, sandbox, spec.process.user);
  runtime.filters?.learn(id, spec);
  checkOwners(context, hostConfig);
  run.init = processIdentity(monitored.pid);
  run.conmon = processIdentity(monitored.conmonPid);
  // The container has mounted them itself by now; a driver that is to unmount must not find them in use.
  for (const source of mounts.value.values()) if (source instanceof HeldPath) source[Symbol.dispose]();
  removeEmptyHeld(context.paths.held(container.id));
  const live = new Run(bundle, () => context.spool.wake(id));
  container.began(live);
  const startedAt = goTime(nowNanos());
  await runtime.start(id, { signal });
  if (signal.aborted) throw cancelled('the start was stopped: the container is being removed');
  return { run: live, pid: monitored.pid, startedAt, ended: monitored.ended };
}

async function attachNetworks(
  context: Pick<Context, 'config' | 'networks' | 'paths' | 'registry'>,
  container: Container,
): Promise<Sandbox> {
  try {
    return await context.networks.attach({
      ...sandboxRequest(context, container),
      owner: userNamespaceFor(context, container),
    });
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
async function monitor(
  context: Context,
  { record }: Container,
  signal: AbortSignal,
  sandbox: Sandbox,
  user: OciProcess['user'],
) {
  const { id, config } = record;
  const remap = remapOf(context.config, record.hostConfig);
  const command = context.runtimes.command(record.runtime, 'create');
  const runtime = context.runtimes.get(record.runtime);
  const bundle = context.paths.bundle(id);
  const tty = config.Tty === true;
  const creating = createMonitored({
    conmonPath: context.conmonPath ?? 'conmon',
    id,
    bundle,
    ...(remap && config.Tty !== true ? givingPipes(command, ownerOnHost(remap, user)) : command),
    command: record.path,
    exitDir: context.paths.exits(),
    pidFile: join(bundle, 'pid'),
    conmonPidFile: join(bundle, 'conmon.pid'),
    persistDir: bundle,
    logPath: context.spool.pathFor(id),
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

async function startLogging(context: Pick<Context, 'config' | 'paths' | 'spool'>, container: Container): Promise<void> {
  await context.spool.startDriver(container.id, logDriver(context, container), logInfo(context, container));
}

/** The directory behind /dev/shm when it is not the container's alone. */
function sharedMemory(
  context: Pick<Context, 'config' | 'paths' | 'registry'>,
  { id, record }: Container,
): string | undefined {
  const mode = record.hostConfig.IpcMode;
  if (mode === 'host') return '/dev/shm';
  const other = sharedWith(mode);
  if (other !== undefined) {
    const owner = context.registry.get(other);
    const theirs = owner.record.hostConfig.IpcMode;
    if (theirs === 'host') return '/dev/shm';
    if (theirs !== 'shareable') {
      throw conflict(
        `can't join IPC of container ${owner.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      );
    }
    return context.paths.shm(owner.id);
  }
  if (mode !== 'shareable') return undefined;
  const directory = context.paths.shm(id);
  makeDirectories(directory, 0o700);
  mountTmpfs(directory, {
    source: 'shm',
    size: record.hostConfig.ShmSize ?? 67_108_864,
    mode: '1777',
    ...rootOwner(remapOf(context.config, record.hostConfig)),
    flags: 2 | 4 | 8,
  });
  return directory;
}

/** Asks the runtime only when there is something to be made read-only. */
async function recursiveReadOnly(
  context: Pick<Context, 'runtimes'>,
  { mounts, runtime }: ContainerRecord,
): Promise<boolean> {
  if (!mounts.some((mount) => mount.type !== 'tmpfs' && !mount.rw)) return false;
  const [major = 0, minor = 0] = release().split('.').map(Number);
  // mount_setattr(2) came with 5.12.
  if (major < 5 || (major === 5 && minor < 12)) return false;
  return await context.runtimes.knowsMountOption(runtime, 'rro');
}

function initBinary(context: Pick<Context, 'config'>): string {
  if (context.config.initPath) return context.config.initPath;
  throw systemError('no init was found for --init: install the package tini, or name one with --init-path');
}
