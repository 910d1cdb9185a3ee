import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { errnoOf } from '@cleat/linux/syscall/errno';
import type { ContainerConfig, ContainerCreateRequest, HostConfig } from '@cleat/protocol/api/container';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import type { VolumeCreateRequest } from '@cleat/protocol/api/volume';
import { invalidParameter, isClass, messageOf } from '@cleat/protocol/errors';
import { type ContainerId, newId, shortId } from '../../ids.js';
import { checkCgroupParent } from '../../oci/cgroups.js';
import { remapOf } from '../../oci/remap.js';
import { refuseLargeRecord } from '../../store/record-size.js';
import { goTime, nowNanos } from '../../time.js';
import type { Context } from '../context.js';
import { hasLegacyLinks, resolveLinks } from '../links/links.js';
import { shownLogPath } from '../log-path.js';
import { sharedWith } from '../oci-spec/namespaces.js';
import type { CreatedContainer, CreateOptions } from '../service.js';
import type { Container } from '../state/container.js';
import { newLife } from '../state/life.js';
import type { ContainerLink, ContainerRecord, MountRecord } from '../state/record.js';
import { removeAnonymousVolumes } from '../steps/erase.js';
import { passOnFromDataRoot } from './data-root.js';
import { withDefaults } from './defaults.js';
import { commandOf, mergeConfig } from './merge.js';
import { collectMounts, type RequestedMount } from './mount-spec.js';
import { generateName } from './names.js';
import { populateVolumes } from './populate.js';
import { checkSecretsPlace, requestedSecrets } from './requested-secrets.js';
import { checkConfig, checkHostConfig, checkRemapped } from './validate.js';
import { makeWorkingDirectory } from './working-directory.js';

/** Makes a container: everything is checked, volumes are made, nothing runs. */
export async function createContainer(
  context: Context,
  request: ContainerCreateRequest,
  options: CreateOptions,
): Promise<CreatedContainer> {
  const { HostConfig: givenHost, NetworkingConfig: networking, ...given } = request;
  if (!given.Image) throw invalidParameter('no image specified');
  const image = context.images.resolve(given.Image, options.platform);
  const hostConfig = withDefaults(givenHost ?? {}, context.config);
  const config = mergeConfig(given, image.config);
  refuseLargeRecord('the container', config, hostConfig, networking);
  const command = commandOf(config);
  if (command.length === 0) throw invalidParameter('no command specified');
  checkConfig(config);
  const runtime = hostConfig.Runtime;
  const { warnings, endpoints, links } = await settleHostConfig(context, {
    hostConfig,
    given,
    config,
    endpoints: networking?.EndpointsConfig ?? {},
  });

  const id = newId<ContainerId>();
  const reserved = reserveName(context, options.name, id);
  const directory = context.paths.directory(id);
  const made: MountRecord[] = [];
  context.registry.making.set(id, made);
  try {
    const secrets = requestedSecrets(given.Labels ?? {});
    const requested = requestedMounts(context, hostConfig, config);
    if (options.readOnlyNonRecursive) for (const mount of requested) keepWritableBelow(mount);
    hostConfig.Runtime = context.runtimes.resolve(runtime, bindSources(requested));
    checkSecretsPlace(secrets, requested, hostConfig.Tmpfs ?? {});
    await checkSources(context, requested);
    const mounts = await makeMounts(context, requested, made);
    makeDirectories(directory, 0o710);
    fillHostname(context, config, hostConfig, id);
    const record: ContainerRecord = {
      v: 1,
      id,
      name: reserved.name,
      created: goTime(nowNanos()),
      path: command[0] ?? '',
      args: command.slice(1),
      imageId: image.id,
      platform: image.os || 'linux',
      ...(options.builder !== undefined && { builder: options.builder }),
      config,
      hostConfig,
      endpoints,
      ...(links.length > 0 && { links }),
      mounts,
      ...(secrets.length > 0 && { secrets }),
      runtime: hostConfig.Runtime ?? '',
      logPath: shownLogPath(directory, id, hostConfig.LogConfig?.Type),
      appArmorProfile: '',
      restartCount: 0,
      manuallyStopped: false,
      startedBefore: false,
      state: { ...newLife },
    };
    await makeWorkingDirectory(context, { id, record });
    await populateVolumes(context, { id, record });
    context.events.together(() => {
      context.emit({ id, record }, 'create');
      context.registry.add(record);
    });
    return { Id: id, Warnings: warnings };
  } catch (error) {
    reserved.release();
    rmSync(directory, { recursive: true, force: true });
    context.registry.making.delete(id);
    await removeAnonymousVolumes(context, made);
    throw error;
  } finally {
    context.registry.making.delete(id);
  }
}

export interface RequestedHost {
  /** With its defaults; what it names is resolved in it. */
  readonly hostConfig: HostConfig;
  /** The container's own configuration as it was asked for, and with its image's below it. */
  readonly given: ContainerConfig;
  readonly config: ContainerConfig;
  readonly endpoints: Record<string, EndpointSettings | null>;
}

/** Checks a host configuration, and resolves what it names. @throws InvalidParameter, NotFound */
export async function settleHostConfig(
  context: Context,
  { hostConfig, given, config, endpoints: asked }: RequestedHost,
): Promise<{ warnings: string[]; endpoints: Record<string, EndpointSettings>; links: ContainerLink[] }> {
  const warnings = checkHostConfig(given, hostConfig);
  if (remapOf(context.config, hostConfig)) checkRemapped(hostConfig);
  checkCgroupParent(context.config, hostConfig.CgroupParent ?? '');
  hostConfig.Runtime = context.runtimes.resolve(hostConfig.Runtime);
  const requested = requestedEndpoints(hostConfig, config, asked);
  const { mode, endpoints } = context.networks.requested(hostConfig.NetworkMode ?? 'default', requested);
  hostConfig.NetworkMode = mode;
  resolveShared(context, hostConfig);
  const links = resolveLinks(context, hostConfig);
  // Their view follows the names of containers.
  if (hasLegacyLinks(hostConfig)) delete hostConfig.Links;
  await context.spool.checkDriver(hostConfig.LogConfig?.Type ?? '', hostConfig.LogConfig?.Config ?? {});
  return { warnings, endpoints, links };
}

/** A read-only bind as it was before Docker 25: what is mounted below its source is not. */
function keepWritableBelow(mount: RequestedMount): void {
  if (mount.type === 'bind' && !mount.rw) mount.readOnlyNonRecursive = true;
}

export const bindSources = (requested: readonly RequestedMount[]): string[] =>
  requested.flatMap((mount) => (mount.type === 'bind' ? [mount.source] : []));

/** Everything that is to be mounted. @throws InvalidParameter */
export function requestedMounts(
  context: Pick<Context, 'config' | 'registry'>,
  hostConfig: HostConfig,
  config: ContainerConfig,
): RequestedMount[] {
  const requested = collectMounts(hostConfig, Object.keys(config.Volumes ?? {}), (ref) => mountsOf(context, ref));
  for (const mount of requested) passOnFromDataRoot(mount, context.config.dataRoot);
  return requested;
}

function reserveName(context: Pick<Context, 'registry'>, requested: string | undefined, id: ContainerId) {
  if (requested) return context.registry.reserve(requested, id);
  const name = generateName((candidate) => context.registry.nameTaken(candidate));
  return context.registry.reserve(name, id);
}

/** The networks that were asked for; without any, that of the network mode. */
function requestedEndpoints(
  host: HostConfig,
  config: ContainerConfig,
  given: Record<string, EndpointSettings | null>,
): Record<string, EndpointSettings> {
  const mode = host.NetworkMode ?? 'default';
  if (mode.startsWith('container:') || config.NetworkDisabled) return {};
  const endpoints: Record<string, EndpointSettings> = {};
  for (const [name, settings] of Object.entries(given)) {
    endpoints[name === 'default' ? 'bridge' : name] = { ...settings };
  }
  const own = mode === 'default' ? 'bridge' : mode;
  if (Object.keys(endpoints).length === 0) endpoints[own] = {};
  // On a network of the user's own, links are its aliases.
  if (host.Links?.length && !hasLegacyLinks(host) && endpoints[own] && !endpoints[own].Links) {
    endpoints[own].Links = host.Links;
  }
  if (config.MacAddress && endpoints[own] && !endpoints[own].MacAddress) endpoints[own].MacAddress = config.MacAddress;
  return endpoints;
}

/** Modes that name a container keep its ID: a name may come to mean another one. @throws InvalidParameter */
function resolveShared(context: Pick<Context, 'registry'>, host: HostConfig): void {
  for (const key of ['NetworkMode', 'IpcMode', 'PidMode'] as const) {
    const ref = sharedWith(host[key]);
    if (ref !== undefined) host[key] = `container:${otherContainer(context, ref).id}`;
  }
}

function mountsOf(context: Pick<Context, 'registry'>, ref: string): readonly MountRecord[] {
  return otherContainer(context, ref).record.mounts;
}

/** A container that the request refers to. Not found would read as: the image was not found, and clients would pull. */
function otherContainer(context: Pick<Context, 'registry'>, ref: string, prefix = ''): Container {
  try {
    return context.registry.get(ref);
  } catch (error) {
    if (isClass(error, 'NotFound')) throw invalidParameter(`${prefix}${error.message}`, { cause: error });
    throw error;
  }
}

/** The sources that `--mount type=bind` names must be there. They are the user's paths: looked at by a helper. */
export async function checkSources(
  context: Pick<Context, 'helper'>,
  requested: readonly RequestedMount[],
): Promise<void> {
  const missing = (source: string, why: string, cause: unknown) =>
    invalidParameter(`invalid mount config for type "bind": ${why}${source}`, { cause });
  await Promise.all(
    requested
      .flatMap((mount) => (mount.type === 'bind' && mount.sourceMustExist ? [mount.source] : []))
      .map(async (source) => {
        try {
          await context.helper.call('stat', { path: source, follow: true });
        } catch (cause) {
          if (isClass(cause, 'NotFound') || errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') {
            throw missing(source, 'bind source path does not exist: ', cause);
          }
          throw missing(source, `${messageOf(cause)}: `, cause);
        }
      }),
  );
}

/** @param made gets each as soon as it is there, and has them also when another fails */
export async function makeMounts(
  context: Pick<Context, 'images' | 'volumes'>,
  requested: readonly RequestedMount[],
  made: MountRecord[],
): Promise<MountRecord[]> {
  const making = requested.map(async (one) => {
    const mount = await makeMount(context, one);
    made.push(mount);
    return mount;
  });
  // If one fails, the others are no longer on their way.
  await Promise.allSettled(making);
  return await Promise.all(making);
}

/** A volume that is named comes into being now, so that it is there (and in use) from now on. */
async function makeMount(
  context: Pick<Context, 'images' | 'volumes'>,
  requested: RequestedMount,
): Promise<MountRecord> {
  if (requested.type === 'bind') {
    const { sourceMustExist: _, propagationGiven: _given, ...bind } = requested;
    return bind;
  }
  if (requested.type === 'image') {
    return 'imageId' in requested ? requested : { ...requested, imageId: context.images.resolve(requested.source).id };
  }
  if (!('volume' in requested)) return requested;
  const { volume, ...mount } = requested;
  const request: VolumeCreateRequest = {
    Name: mount.name ?? newId(),
    Driver: volume.driver,
    DriverOpts: volume.options,
    Labels: mount.anonymous ? { 'com.docker.volume.anonymous': '', ...volume.labels } : volume.labels,
  };
  const made = await context.volumes.create(request).catch((cause: unknown) => {
    // Clients take a 404 for the image's, and would go and pull one instead of showing what is missing.
    throw isClass(cause, 'NotFound') ? invalidParameter(messageOf(cause), { cause }) : cause;
  });
  return { ...mount, name: made.Name, driver: made.Driver, source: made.Mountpoint };
}

function fillHostname(context: Pick<Context, 'registry'>, config: ContainerConfig, host: HostConfig, id: string): void {
  if (config.Hostname) return;
  const other = sharedWith(host.NetworkMode);
  if (other !== undefined) {
    const { record } = context.registry.get(other);
    config.Hostname = record.config.Hostname ?? shortId(id);
    config.Domainname = record.config.Domainname ?? config.Domainname;
  } else {
    config.Hostname = host.NetworkMode === 'host' || host.UTSMode === 'host' ? hostname() : shortId(id);
  }
}
