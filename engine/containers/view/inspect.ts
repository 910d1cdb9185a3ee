import type { ContainerInspect, ContainerState, MountPoint, NetworkSettings } from '@cleat/protocol/api/container';
import type { ImageId } from '../../ids.js';
import type { SandboxSettings } from '../../networks/service.js';
import type { Context } from '../context.js';
import { shownLinks } from '../links/links.js';
import type { Container } from '../state/container.js';
import { isRunning, type StoredState } from '../state/life.js';
import { type ContainerRecord, isVolume, type MountRecord } from '../state/record.js';
import { completeConfig, completeHostConfig } from './complete.js';
import { inspectedNetworks } from './networks.js';

interface Known {
  /** The image that it was made from. */
  readonly revision: number;
  readonly networks: number;
  readonly execs: string;
  readonly links: readonly string[] | null;
  readonly inspect: ContainerInspect;
}

const known = new WeakMap<Container, Known>();

/**
 * The answer of `docker inspect`: from the engine's own state, without I/O and without asking an extension. The same
 * object means the same content: an encoder may keep what it encoded.
 */
export function inspectContainer(context: Context, container: Container): ContainerInspect {
  const { revision } = container;
  const networks = context.networks.revision;
  const execs = [...container.execIds].join();
  const links = shownLinks(context, container);
  const last = known.get(container);
  const fresh =
    last?.revision === revision &&
    last.networks === networks &&
    last.execs === execs &&
    last.links?.join() === links?.join();
  if (last && fresh) return last.inspect;
  const inspect = inspectNow(context, container, links);
  known.set(container, { revision, networks, execs, links, inspect });
  return inspect;
}

function inspectNow(
  context: Pick<Context, 'images' | 'networks' | 'paths'>,
  container: Container,
  Links: string[] | null,
): ContainerInspect {
  const { record } = container;
  const directory = context.paths.directory(record.id);
  const files = { ResolvConfPath: 'resolv.conf', HostnamePath: 'hostname', HostsPath: 'hosts' };
  const ran = record.startedBefore || isRunning(record.state);
  const file = (name: string): string => (ran ? `${directory}/${name}` : '');
  return {
    Id: record.id,
    Created: record.created,
    Path: record.path,
    Args: record.args,
    State: apiState(record.state),
    Image: record.imageId,
    ResolvConfPath: file(files.ResolvConfPath),
    HostnamePath: file(files.HostnamePath),
    HostsPath: file(files.HostsPath),
    LogPath: ran ? record.logPath : '',
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'overlay2',
    Platform: record.platform || 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: record.appArmorProfile,
    ExecIDs: container.execIds.size > 0 ? [...container.execIds] : null,
    HostConfig: completeHostConfig({ ...record.hostConfig, Links }),
    GraphDriver: { Name: 'overlay2', Data: graphData(context, record.id, record.imageId) },
    Mounts: record.mounts.map(mountPoint),
    Config: completeConfig({ ...record.config, MacAddress: requestedMac(record) }),
    NetworkSettings: networkSettings(
      record,
      context.networks.settings(record.id, record.endpoints, {
        containerName: record.name,
        hostname: record.config.Hostname ?? '',
        hasRun: record.startedBefore,
      }),
    ),
  };
}

/** The MAC address that was asked for on the container's main network: until API 1.51 it is shown as the container's. */
function requestedMac({ hostConfig, endpoints }: ContainerRecord): string | undefined {
  const mode = hostConfig.NetworkMode === 'default' ? 'bridge' : (hostConfig.NetworkMode ?? 'bridge');
  const main = endpoints[mode] ?? Object.values(endpoints).find(({ NetworkID }) => NetworkID === mode);
  return main?.MacAddress || undefined;
}

/** `State` in the API's words. Docker shows a container that waits for its restart as running, too. */
export function apiState(state: StoredState): ContainerState {
  return {
    Status: state.status,
    Running: isRunning(state),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: state.status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(state.health && { Health: state.health }),
  };
}

/** A mount as `Mounts` shows it. */
export function mountPoint(mount: MountRecord): MountPoint {
  return {
    Type: mount.type,
    ...(isVolume(mount) && { Name: mount.name }),
    ...(mount.type === 'image' && { Name: mount.source }),
    // Where an image lies is nobody's business, and changes with each start.
    Source: mount.type === 'image' ? mount.imageId : mount.source,
    Destination: mount.destination,
    ...(isVolume(mount) && { Driver: mount.driver }),
    Mode: mount.mode,
    RW: mount.rw,
    Propagation: mount.propagation,
  };
}

function networkSettings(record: ContainerRecord, sandbox: SandboxSettings): NetworkSettings {
  const { pid } = record.state;
  // Without a file of its own the namespace is found by the process in it.
  const ofProcess = sandbox.sandboxId !== '' && pid > 0 ? `/proc/${pid}/ns/net` : '';
  return {
    SandboxID: sandbox.sandboxId,
    SandboxKey: sandbox.sandboxKey || ofProcess,
    Ports: sandbox.ports,
    Networks: inspectedNetworks(record, sandbox.networks),
  };
}

function graphData(context: Pick<Context, 'images' | 'paths'>, id: string, imageId: ImageId): Record<string, string> {
  let lower = '';
  try {
    lower = [context.paths.ownFiles(id), ...context.images.layerPaths(imageId)].join(':');
  } catch {
    // The image was removed by force; the container can still be looked at.
  }
  return {
    LowerDir: lower,
    MergedDir: context.paths.rootfs(id),
    UpperDir: context.paths.upper(id),
    WorkDir: context.paths.work(id),
  };
}
