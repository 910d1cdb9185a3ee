import { type DeviceLimits, replaceDeviceLimits } from '@cleat/linux/cgroup/block-devices';
import type { ContainerUpdateRequest, HostConfig } from '@cleat/protocol/api/container';
import { CleatError, conflict, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { deviceLimits, limits, perDevice } from '../../oci/resources.js';
import { cgroupOf } from '../cgroup.js';
import type { Context } from '../context.js';
import { checkRestartPolicy } from '../create/restart.js';
import { checkDevices, checkResources } from '../create/validate.js';
import { settleRestarting } from '../life/lifecycle.js';
import type { Container } from '../state/container.js';

/** Fields of the request that are limits; the restart policy goes its own way. */
type Limits = Omit<ContainerUpdateRequest, 'RestartPolicy'>;

/** Settings of a start that no OCI runtime changes later. */
const fromNextStart = [
  'CgroupParent',
  'Devices',
  'DeviceCgroupRules',
  'DeviceRequests',
  'MemorySwappiness',
  'OomKillDisable',
  'Ulimits',
] as const satisfies (keyof Limits)[];

/**
 * `docker update`: limits and the restart policy, of a container in any state. What the request leaves out, or gives
 * as zero, stays as it is, but for `PidsLimit`, whose 0 lifts the limit (moby `daemon/container/container_unix.go`,
 * UpdateContainer).
 * @returns `null` for no warnings, as moby
 * @throws InvalidParameter, Conflict; System with the runtime's words, and then nothing has changed
 */
export async function updateContainer(
  context: Context,
  container: Container,
  request: ContainerUpdateRequest,
): Promise<{ Warnings: string[] | null }> {
  const { RestartPolicy: policy, ...requested } = request;
  const { record } = container;
  checkRestartPolicy({ RestartPolicy: policy });
  checkDevices(requested);
  const Warnings = checkResources(requested, { update: true });
  const changes = given(requested);
  await container.lock.run(async () => {
    const { hostConfig } = record;
    const fail = (error: CleatError) =>
      new CleatError(error.class, `Cannot update container ${container.id}: ${error.message}`, { cause: error });
    if (record.state.status === 'removing' || record.state.status === 'dead') {
      throw fail(conflict('container is marked for removal and cannot be "update"'));
    }
    const contradiction = contradictionOf(hostConfig, changes);
    if (contradiction) throw fail(conflict(contradiction));
    if (policy?.Name && policy.Name !== 'no' && hostConfig.AutoRemove) {
      throw fail(conflict('Restart policy cannot be updated because AutoRemove is enabled for the container'));
    }
    if (record.state.status === 'running' || record.state.status === 'paused') {
      const late = fromNextStart.filter((field) => changes[field] !== undefined);
      if (late.length > 0) {
        throw fail(invalidParameter(`${late.join(', ')} cannot be changed while it runs: stop it first`));
      }
      if (Object.keys(changes).length > 0)
        await apply(context, container, changes).catch((cause) => {
          throw fail(cause);
        });
    }
    record.hostConfig = { ...hostConfig, ...changes };
    if (policy?.Name) {
      record.hostConfig.RestartPolicy = { Name: policy.Name, MaximumRetryCount: policy.MaximumRetryCount ?? 0 };
    }
    context.events.together(() => {
      context.emit(container, 'update');
      container.save();
    });
  });
  if (container.restarts.waitingFor !== undefined && !isStillWanted(container))
    await settleRestarting(context, container);
  return { Warnings: Warnings.length > 0 ? Warnings : null };
}

/** @throws System with the runtime's words, after what it had changed is as it was */
async function apply(
  context: Pick<Context, 'config' | 'log' | 'runtimes'>,
  container: Container,
  changes: Limits,
): Promise<void> {
  const { id, record } = container;
  const runtime = context.runtimes.get(record.runtime);
  const before = record.hostConfig;
  record.state.updating = true;
  container.save();
  let wanted: DeviceLimits = {};
  try {
    const cgroup = cgroupOf(context.config, record);
    // A path that is no device is found before anything has changed.
    wanted = deviceLimits(changes);
    await runtime.update(id, limits({ ...before, ...changes }, { update: true }), cgroup);
    replaceDeviceLimits(cgroup, deviceLimits(before), wanted);
  } catch (cause) {
    const restored = { ...before, ...(changes.PidsLimit !== undefined && { PidsLimit: before.PidsLimit ?? 0 }) };
    await restore(context, container, restored, wanted).catch((error: unknown) => {
      context.log.warn('limits could not be set back', { container: id, error: messageOf(error) });
    });
    throw systemError(messageOf(cause), { cause });
  } finally {
    // Saved with the limits that hold now; after a failure, at the next occasion.
    delete record.state.updating;
  }
}

/** An update that the engine before was killed in was not answered: the limits on record hold. */
export async function settleUpdate(
  context: Pick<Context, 'config' | 'log' | 'runtimes'>,
  container: Container,
): Promise<void> {
  const { record } = container;
  if (!record.state.updating) return;
  const restored = { ...record.hostConfig, PidsLimit: record.hostConfig.PidsLimit ?? 0 };
  try {
    await restore(context, container, restored, {});
  } catch (error) {
    context.log.warn('the limits of a container may not be those on record', {
      container: container.id,
      error: messageOf(error),
    });
  }
  delete record.state.updating;
  container.save();
}

/** @param failed changes that may be in force */
async function restore(
  context: Pick<Context, 'config' | 'runtimes'>,
  { id, record }: Container,
  limitsBefore: HostConfig,
  failed: DeviceLimits,
): Promise<void> {
  const cgroup = cgroupOf(context.config, record);
  await context.runtimes.get(record.runtime).update(id, limits(limitsBefore, { update: true }), cgroup);
  const before = deviceLimits(limitsBefore);
  // A list that was not there lifts what there is.
  const all = { weight: [], readBps: [], writeBps: [], readIops: [], writeIops: [], ...withValues(before) };
  replaceDeviceLimits(cgroup, failed, all);
}

const withValues = (lists: DeviceLimits): DeviceLimits =>
  Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== undefined));

/** Whether the policy that one waits for an extension under still wants it to run. */
function isStillWanted({ record }: Container): boolean {
  const { Name: name } = record.hostConfig.RestartPolicy ?? {};
  return name === 'on-failure' ? record.state.exitCode !== 0 : name !== '' && name !== 'no';
}

/**
 * Only what says something: zero, empty and null mean "as it was"; but of `PidsLimit`, 0 means none, and of limits on
 * single devices the empty list.
 */
function given(requested: Limits): Limits {
  return Object.fromEntries(
    Object.entries(requested).filter(([name, value]) => {
      if (name === 'PidsLimit') return typeof value === 'number';
      if (perDevice.some((field) => field === name)) return Array.isArray(value);
      return Array.isArray(value) ? value.length > 0 : Boolean(value);
    }),
  );
}

/** Why the changes do not go with what is set (moby UpdateContainer), or undefined. */
function contradictionOf(before: HostConfig, changes: Limits): string | undefined {
  const { NanoCpus = 0, CpuPeriod = 0, CpuQuota = 0, Memory = 0, MemorySwap = 0 } = changes;
  const already = (what: string, set: string) =>
    `Conflicting options: ${what} cannot be updated as ${set} has already been set`;
  if (NanoCpus > 0 && (before.CpuPeriod ?? 0) > 0) return already('Nano CPUs', 'CPU Period');
  if (NanoCpus > 0 && (before.CpuQuota ?? 0) > 0) return already('Nano CPUs', 'CPU Quota');
  if (CpuPeriod > 0 && (before.NanoCpus ?? 0) > 0) return already('CPU Period', 'NanoCPUs');
  if (CpuQuota > 0 && (before.NanoCpus ?? 0) > 0) return already('CPU Quota', 'NanoCPUs');
  // Without a limit there was none on swap either: what runs has to be given both.
  if (Memory > (before.MemorySwap ?? 0) && MemorySwap === 0 && before.MemorySwap !== -1) {
    return 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time';
  }
  return undefined;
}
