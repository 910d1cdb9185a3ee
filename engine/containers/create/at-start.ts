import type { HostConfig } from '@cleat/protocol/api/container';
import { shortId } from '../../ids.js';
import { checkStartable } from '../commands/start.js';
import type { Context } from '../context.js';
import { shownLogPath } from '../log-path.js';
import type { Container } from '../state/container.js';
import { type ContainerRecord, isAnonymous, type MountRecord } from '../state/record.js';
import { removeAnonymousVolumes } from '../steps/erase.js';
import { bindSources, checkSources, makeMounts, requestedMounts, settleHostConfig } from './create.js';
import { withDefaults } from './defaults.js';
import { populateVolumes } from './populate.js';

/** Settings that a start may change. */
type Settings = Pick<ContainerRecord, 'hostConfig' | 'endpoints' | 'links' | 'mounts' | 'logPath' | 'runtime'>;

function set(record: ContainerRecord, { hostConfig, endpoints, links, mounts, logPath, runtime }: Settings): void {
  record.hostConfig = hostConfig;
  record.endpoints = endpoints;
  record.links = links;
  record.mounts = mounts;
  record.logPath = logPath;
  record.runtime = runtime;
}

/**
 * The host configuration that clients until API 1.23 send with start takes the place of the one of create, as Docker
 * 1.11 had it. It is checked as there; when it is refused, nothing has changed.
 * @throws InvalidParameter, NotFound; NotModified and Conflict as start does
 */
export async function setHostConfig(context: Context, container: Container, given: HostConfig): Promise<void> {
  await container.lock.run(async () => {
    checkStartable(container);
    const { id, record } = container;
    const hostConfig = withDefaults(given, context.config);
    const { config } = record;
    // The name that a container is given here is not one that somebody asked for.
    const own = config.Hostname === shortId(id) ? { ...config, Hostname: '' } : config;
    const sameNetwork = hostConfig.NetworkMode === record.hostConfig.NetworkMode;
    const runtime = hostConfig.Runtime;
    const { endpoints, links } = await settleHostConfig(context, {
      hostConfig,
      given: own,
      config,
      endpoints: sameNetwork ? record.endpoints : {},
    });
    const requested = requestedMounts(context, hostConfig, config);
    hostConfig.Runtime = context.runtimes.resolve(runtime, bindSources(requested));
    await checkSources(context, requested);
    // A volume without a name that is there already goes on to be used.
    const present = new Map(record.mounts.filter(isAnonymous).map((one) => [one.destination, one]));
    const kept = requested.flatMap((one) => {
      const isKept = one.type === 'volume' && one.anonymous;
      return (isKept && present.get(one.destination)) || [];
    });
    const made: MountRecord[] = [];
    const wanted = requested.filter(({ destination }) => !kept.some((one) => one.destination === destination));
    const before = { ...record };
    try {
      const mounts = [...kept, ...(await makeMounts(context, wanted, made))];
      const logPath = shownLogPath(context.paths.directory(id), id, hostConfig.LogConfig?.Type);
      set(record, { hostConfig, endpoints, links, mounts, logPath, runtime: hostConfig.Runtime ?? '' });
      await populateVolumes(context, { id, record: { ...record, mounts: made } });
      container.save();
    } catch (error) {
      set(record, before);
      await removeAnonymousVolumes(context, made);
      throw error;
    }
    await removeAnonymousVolumes(
      context,
      before.mounts.filter((one) => isAnonymous(one) && !kept.includes(one)),
    );
  });
}
