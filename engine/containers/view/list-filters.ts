import { invalidParameter } from '@cleat/protocol/errors';
import {
  booleanFilter,
  checkFilters,
  type Filters,
  filterValues,
  matchExact,
  matchLabels,
  matchName,
  matchPrefix,
} from '../../filters.js';
import type { ImageId } from '../../ids.js';
import type { SandboxSettings } from '../../networks/service.js';
import { zeroTime } from '../../time.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { isRunning } from '../state/life.js';
import { isVolume } from '../state/record.js';
import { portList } from './port-list.js';

/** The filters of `docker ps` (moby `daemon/list.go`). On Linux every `isolation` matches (`daemon/list_unix.go`). */
const accepted = [
  'ancestor',
  'annotation',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];
const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healthStates = ['none', 'starting', 'healthy', 'unhealthy'];

type Test = (container: Container, sandbox: SandboxSettings) => boolean;

/** Checks everything that can be checked before the first container is looked at. */
export function compileFilters(
  context: Pick<Context, 'images' | 'networks' | 'registry'>,
  filters: Filters,
): { test: Test; wantsEveryState: boolean } {
  checkFilters(filters, accepted);
  const tests = [
    byIdentity(filters),
    byState(filters),
    byAncestor(context, filters),
    byPosition(context, filters),
    byVolume(filters),
    byNetwork(context, filters),
    byPort(filters),
  ];
  // Cleat has no swarm, so nothing is a task.
  const tasksOnly = booleanFilter(filters, 'is-task') === true;
  return {
    test:
      Object.keys(filters).length === 0
        ? () => true
        : (container, sandbox) => !tasksOnly && tests.every((test) => test(container, sandbox)),
    wantsEveryState: Boolean(filterValues(filters, 'status') ?? filterValues(filters, 'exited')),
  };
}

function byIdentity(filters: Filters): Test {
  return ({ record }) =>
    matchPrefix(filters, 'id', record.id) &&
    (matchName(filters, 'name', record.name) || matchName(filters, 'name', `/${record.name}`)) &&
    matchLabels(filters, record.config.Labels) &&
    matchLabels(filters, record.hostConfig.Annotations, 'annotation');
}

function byState(filters: Filters): Test {
  oneOf(filters, 'status', statuses);
  oneOf(filters, 'health', healthStates);
  const codes = filterValues(filters, 'exited')?.map((value) => {
    if (!/^-?\d+$/.test(value)) throw invalidParameter(`invalid filter 'exited=${value}': ${goSyntax('Atoi', value)}`);
    return Number(value);
  });
  return ({ record: { state } }) =>
    matchExact(filters, 'status', state.status) &&
    matchExact(filters, 'health', state.health?.Status ?? 'none') &&
    (!codes || (codes.includes(state.exitCode) && !isRunning(state) && state.finishedAt !== zeroTime));
}

/** Go's error for a text that is not a number. */
const goSyntax = (parser: string, text: string) => `strconv.${parser}: parsing ${JSON.stringify(text)}: invalid syntax`;

function oneOf(filters: Filters, name: string, allowed: readonly string[]): void {
  for (const value of filterValues(filters, name) ?? []) {
    if (!allowed.includes(value)) throw invalidParameter(`invalid filter '${name}=${value}'`);
  }
}

/** Made from the image, or from one that has all of its layers at the bottom. */
function byAncestor(context: Pick<Context, 'images'>, filters: Filters): Test {
  const wanted = filterValues(filters, 'ancestor');
  if (!wanted) return () => true;
  const bottoms: string[][] = [];
  const layers = new Map<string, string[] | undefined>();
  const layersOf = (imageId: ImageId): string[] | undefined => {
    if (!layers.has(imageId))
      layers.set(
        imageId,
        tryOr(() => context.images.layerPaths(imageId).toReversed()),
      );
    return layers.get(imageId);
  };
  const ids = new Set<string>();
  for (const ref of wanted) {
    const image = tryOr(() => context.images.resolve(ref));
    if (!image) continue;
    ids.add(image.id);
    const bottom = layersOf(image.id);
    if (bottom && bottom.length > 0) bottoms.push(bottom);
  }
  return ({ record }) => {
    if (ids.has(record.imageId)) return true;
    const own = layersOf(record.imageId);
    return own !== undefined && bottoms.some((bottom) => bottom.every((layer, index) => own[index] === layer));
  };
}

/** An image that is gone matches nothing; it is no error to ask for it. */
function tryOr<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** `before` and `since`: created before, or after, a certain container. */
function byPosition(context: Pick<Context, 'registry'>, filters: Filters): Test {
  const createdAt = (name: string): string[] =>
    (filterValues(filters, name) ?? []).map((ref) => context.registry.get(ref).record.created);
  const before = createdAt('before');
  const since = createdAt('since');
  return ({ record }) =>
    before.every((moment) => record.created < moment) && since.every((moment) => record.created > moment);
}

function byVolume(filters: Filters): Test {
  const wanted = filterValues(filters, 'volume');
  if (!wanted) return () => true;
  return ({ record }) =>
    record.mounts.some(
      (mount) => wanted.includes(isVolume(mount) ? mount.name : mount.source) || wanted.includes(mount.destination),
    );
}

/** By name, ID or its beginning of a network that the container is connected to. */
function byNetwork(context: Pick<Context, 'networks'>, filters: Filters): Test {
  const wanted = filterValues(filters, 'network');
  if (!wanted) return () => true;
  return ({ record }, sandbox) => {
    const networks = Object.entries(sandbox.networks);
    if (networks.length === 0) networks.push([modeNetwork(context, record.hostConfig.NetworkMode), {}]);
    return networks.some(([name, endpoint]) =>
      wanted.some((value) => value === name || (value !== '' && (endpoint.NetworkID ?? '').startsWith(value))),
    );
  };
}

function modeNetwork(context: Pick<Context, 'networks'>, mode = 'default'): string {
  return mode === 'default' ? context.networks.defaultNetwork : mode;
}

/** `expose` and `publish`: ports that a running container has; with both, one of either is enough. */
function byPort(filters: Filters): Test {
  const exposed = portRanges('expose', filters);
  const published = portRanges('publish', filters);
  if (!exposed && !published) return () => true;
  const within = (ranges: PortRange[] | undefined, port: number, type: string): boolean =>
    (ranges ?? []).some(({ from, to, protocol }) => protocol === type && port >= from && port <= to);
  return (_, { ports }) =>
    portList(ports).some(
      ({ PrivatePort, PublicPort = 0, Type }) =>
        within(exposed, PrivatePort, Type) || within(published, PublicPort, Type),
    );
}

interface PortRange {
  from: number;
  to: number;
  protocol: string;
}

/** `80`, `80/tcp`, `8000-8010` or `8000-8010/udp`. @throws InvalidParameter */
function portRanges(name: 'expose' | 'publish', filters: Filters): PortRange[] | undefined {
  return filterValues(filters, name)?.map((value) => {
    const refused = (why: string) => invalidParameter(`error while looking up for ${name} ${value}: ${why}`);
    const [, first = '', last = first, protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(value) ?? [];
    if (first === '') throw refused(goSyntax('ParseUint', value));
    const [from, to] = [Number(first), Number(last)];
    if (Math.max(from, to) > 65535) {
      throw refused(`strconv.ParseUint: parsing ${JSON.stringify(from > 65535 ? first : last)}: value out of range`);
    }
    if (to < from) throw refused(`invalid port range: ${value}`);
    return { from, to, protocol: protocol.toLowerCase() };
  });
}
