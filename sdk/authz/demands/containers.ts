import {
  ContainerCreateRequest,
  ContainerStartRequest,
  ContainerUpdateRequest,
  ExecCreateRequest,
  type HostConfig,
} from '@cleat/protocol/api/container';
import { forbidden } from '@cleat/protocol/errors';
import Type from '@cleat/protocol/schema';
import { bodyOf, unknownMembers } from '../body.js';
import type { Demand } from '../demand.js';
import type { Seen } from '../seen.js';
import { isBefore } from '../target.js';
import { amountsOfNew, amountsOfUpdate } from './amounts.js';
import { endpointDemands, networkOf } from './endpoints.js';
import { hostPath, mountDemands, volumeKeys } from './mounts.js';
import { privilegeDemands } from './privileges.js';
import { object, setting } from './words.js';

/** Demands of requests about containers and their processes. @throws Forbidden */
export function containerDemands(seen: Seen): Demand[] {
  const { action, query, body, isNormalised } = seen;
  switch (action.name) {
    case 'container:create':
      return create(seen);
    case 'container:start':
      return [...checkpointDemands(query.one('checkpoint-dir')), ...oldStart(seen)];
    case 'container:checkpoint':
    case 'container:checkpoint-list':
      return checkpoint(seen);
    case 'container:update': {
      const update = bodyOf(ContainerUpdateRequest, body, isNormalised);
      return [
        ...privilegeDemands(update),
        ...amountsOfUpdate(update),
        ...unknownMembers(ContainerUpdateRequest, body).map((path) => setting('unknown', path)),
      ];
    }
    case 'container:exec':
    case 'plugin:exec': {
      if (seen.params.name !== undefined && action.object === 'exec') return [];
      const exec = bodyOf(ExecCreateRequest, body, isNormalised);
      return exec.Privileged ? [setting('privileged', 'exec')] : [];
    }
    case 'container:rename':
      return [{ what: 'name', type: 'container', name: query.one('name') }];
    case 'container:commit':
      return [object('container', query.one('container'), 'change')];
    default:
      return [];
  }
}

/** Until API 1.23 a start had a HostConfig of its own, which a stock engine may not show. */
function oldStart({ version, body, isNormalised }: Seen): Demand[] {
  if (!isBefore(version, '1.24')) return [];
  if (body !== '') return hostDemands(bodyOf(ContainerStartRequest, body, isNormalised));
  return isNormalised ? [] : [setting('unseen', 'container:start')];
}

const Checkpoint = Type.Object({ CheckpointDir: Type.Optional(Type.String()) });

/** A checkpoint is written to, and read from, any directory of the host that is named. Cleat shows no body: it makes none. */
function checkpoint({ action, method, query, body, isNormalised }: Seen): Demand[] {
  const isMade = action.name === 'container:checkpoint' && method === 'POST' && !isNormalised;
  const { CheckpointDir = '' } = isMade ? bodyOf(Checkpoint, body, isNormalised) : {};
  return [...checkpointDemands(query.one('dir')), ...checkpointDemands(CheckpointDir)];
}

const checkpointDemands = (directory: string): Demand[] => (directory === '' ? [] : [hostPath(directory, false)]);

function create(seen: Seen): Demand[] {
  const { query, version, body, isNormalised } = seen;
  const request = bodyOf(ContainerCreateRequest, body, isNormalised);
  // Go reads the members of a HostConfig beside `HostConfig`, too: a few of them, or all where there is no such member.
  const beside = withoutEmpty(bodyOf(ContainerStartRequest, body, isNormalised));
  const inner = request.HostConfig ? withoutEmpty(request.HostConfig) : undefined;
  const host = inner ? { ...legacy(beside), ...inner } : beside;
  return [
    { what: 'create', type: 'container', name: query.one('name'), labels: request.Labels ?? {} },
    ...secretDemands(request.Labels ?? {}),
    ...(request.Image ? [object('image', request.Image, 'use')] : []),
    ...hostDemands(host),
    ...(inner ? hostDemands(beside) : []),
    ...(isBefore(version, '1.41') && !host.CgroupnsMode ? [setting('namespaces', 'cgroup')] : []),
    ...volumeKeys(request.Volumes),
    ...networkOf(host),
    ...endpointDemands(request.NetworkingConfig?.EndpointsConfig ?? {}, { mode: host.NetworkMode ?? '', isNormalised }),
    ...amountsOfNew(host),
    ...unknownMembers(createAndHost, body).map((path) => setting('unknown', path)),
  ];
}

const secretLabel = 'io.cleat.secret.';

/** Labels by which Cleat gives a container secrets (`docs/guide/secrets.md`). */
function secretDemands(labels: Readonly<Record<string, string>>): Demand[] {
  const own = Object.entries(labels).filter(([key]) => key.startsWith(secretLabel));
  return own.map(([key, value]) => setting('secrets', `${key.slice(secretLabel.length)}=${value}`));
}

/** Those that moby's `getHostConfig` takes where there is a `HostConfig` as well. */
function legacy({ Memory, MemorySwap, VolumeDriver }: HostConfig): HostConfig {
  return withoutEmpty({ Memory, MemorySwap, VolumeDriver });
}

/** The members of both of a create's structs. */
const createAndHost = {
  ...ContainerCreateRequest,
  properties: { ...ContainerStartRequest.properties, ...ContainerCreateRequest.properties },
};

/** Demands of a HostConfig, whichever request it came with. */
function hostDemands(host: HostConfig): Demand[] {
  return [...privilegeDemands(host), ...mountDemands(host), ...joined(host)];
}

/** Other containers, whose namespaces, volumes or names it gets. */
function joined(host: HostConfig): Demand[] {
  const spaces = [host.PidMode, host.IpcMode, host.NetworkMode, host.UTSMode, host.Cgroup].flatMap((mode) => {
    const [kind, ...name] = (mode ?? '').split(':');
    return kind === 'container' ? [name.join(':')] : [];
  });
  // `CONTAINER[:MODE]`, and a link is `CONTAINER[:ALIAS]`.
  const first = (texts: readonly string[] | null | undefined) =>
    (texts ?? []).map((text) => text.split(':', 1)[0] ?? '');
  return [
    ...[...spaces, ...first(host.Links)].map((name) => object('container', nameOf(name), 'change')),
    ...first(host.VolumesFrom).map(
      (name): Demand => ({ what: 'object', type: 'container', name: nameOf(name), use: 'change', takes: 'mounts' }),
    ),
  ];
}

/** @throws Forbidden */
function nameOf(text: string): string {
  const name = text.replace(/^\/+/, '');
  if (name === '') throw forbidden('the request names a container without a name');
  return name;
}

/** Without members that say nothing, so that they do not hide others. */
function withoutEmpty<T extends object>(given: T): T {
  return Object.fromEntries(
    Object.entries(given).filter(
      ([, value]) => value !== null && value !== undefined && value !== '' && value !== 0 && value !== false,
    ),
  ) as T;
}
