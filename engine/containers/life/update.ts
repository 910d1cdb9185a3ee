import type { ContainerUpdateRequest } from '@cleat/protocol/api/container';
import { conflict, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import { checkCpusets } from '../create/validate.js';
import type { Room } from '../room.js';
import { limits } from '../spec/resources.js';
import { settleRestarting } from './stop.js';

const minimumMemory = 6 * 1024 * 1024;
const policies = ['no', 'always', 'unless-stopped', 'on-failure'];

/** Fields of the request that are limits; the restart policy goes its own way. */
type Limits = Omit<ContainerUpdateRequest, 'RestartPolicy'>;

/**
 * `docker update`: limits and the restart policy, of a container in any state. What the request leaves out, or gives
 * as zero, stays as it is (moby `daemon/container/container_unix.go`, UpdateContainer).
 * @throws InvalidParameter, Conflict; System with the runtime's words, and then nothing has changed
 */
export async function updateContainer(
  room: Room,
  container: Container,
  request: ContainerUpdateRequest,
): Promise<{ Warnings: string[] }> {
  const { RestartPolicy: policy, ...wished } = request;
  const { record } = container;
  const { hostConfig } = record;
  if (policy?.Name) refuseBadPolicy(policy.Name, policy.MaximumRetryCount ?? 0, hostConfig.AutoRemove === true);
  const changes = given(wished);
  refuseContradictions({ ...hostConfig, ...changes }, changes, hostConfig);
  checkCpusets(changes);
  const result = await container.lock.run(async () => {
    if (record.state.status === 'removing' || record.state.status === 'dead') {
      throw conflict(
        `Cannot update container ${container.id}: Container is marked for removal and cannot be "update".`,
      );
    }
    const runs = record.state.status === 'running' || record.state.status === 'paused';
    if (runs && Object.keys(changes).length > 0) {
      record.state.updating = true;
      container.save();
      try {
        await room.runtimes.get(record.runtime).update(container.id, limits({ ...hostConfig, ...changes }));
      } catch (cause) {
        delete record.state.updating;
        container.save();
        throw systemError(`Cannot update container ${container.id}: ${messageOf(cause)}`, { cause });
      }
      delete record.state.updating;
    }
    Object.assign(hostConfig, changes);
    // CPU limits come as `--cpus` or as period and quota; the later word holds.
    if (changes.NanoCpus) Object.assign(hostConfig, { CpuPeriod: 0, CpuQuota: 0 });
    if (changes.CpuPeriod || changes.CpuQuota) hostConfig.NanoCpus = 0;
    if (policy?.Name)
      hostConfig.RestartPolicy = { Name: policy.Name, MaximumRetryCount: policy.MaximumRetryCount ?? 0 };
    container.save();
    room.emit(container, 'update');
    return { Warnings: [] };
  });
  if (container.restarts.waitingFor !== undefined && !isStillWanted(container)) await settleRestarting(room, container);
  return result;
}

/** An update that the engine before was killed in was not answered: the limits on record hold. */
export async function settleUpdate(room: Room, container: Container): Promise<void> {
  const { record } = container;
  if (!record.state.updating) return;
  try {
    await room.runtimes.get(record.runtime).update(container.id, limits(record.hostConfig));
  } catch (error) {
    room.log.warn('the limits of a container may not be those on record', {
      container: container.id,
      error: messageOf(error),
    });
  }
  delete record.state.updating;
  container.save();
}

/** Whether the policy that one waits for an extension under still wants it to run. */
function isStillWanted({ record }: Container): boolean {
  const { Name: name } = record.hostConfig.RestartPolicy ?? {};
  return name === 'on-failure' ? record.state.exitCode !== 0 : name !== '' && name !== 'no';
}

/** Only what says something: zero, empty and null mean "as it was". */
function given(wished: Limits): Limits {
  return Object.fromEntries(
    Object.entries(wished).filter(
      ([, value]) =>
        value !== null &&
        value !== undefined &&
        value !== 0 &&
        value !== '' &&
        !(Array.isArray(value) && value.length === 0),
    ),
  );
}

function refuseBadPolicy(name: string, retries: number, autoRemove: boolean): void {
  if (!policies.includes(name)) {
    throw invalidParameter(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (name !== 'on-failure' && retries > 0) {
    throw invalidParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (autoRemove && name !== 'no') {
    throw conflict('Restart policy cannot be updated because AutoRemove is enabled for the container');
  }
}

function refuseContradictions(after: Limits, changes: Limits, before: Limits): void {
  if (changes.Memory !== undefined && changes.Memory < minimumMemory) {
    throw invalidParameter('Minimum memory limit allowed is 6MB');
  }
  if (changes.NanoCpus && (changes.CpuPeriod || changes.CpuQuota)) {
    throw invalidParameter('Conflicting options: Nano CPUs and CPU Period/Quota cannot both be set.');
  }
  const swap = after.MemorySwap ?? 0;
  if (changes.Memory !== undefined && swap > 0 && changes.Memory > swap) {
    throw invalidParameter(
      changes.MemorySwap === undefined && before.MemorySwap
        ? 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time'
        : 'Minimum memoryswap limit should be larger than memory limit, see usage',
    );
  }
}
