import type { ContainerSummary } from '@cleat/protocol/api/container';
import type { SandboxSettings } from '../../networks/service.js';
import { parseTime } from '../../time.js';
import type { Context } from '../context.js';
import type { ContainerQuery } from '../service.js';
import type { Container } from '../state/container.js';
import { isRunning } from '../state/life.js';
import { apiState, mountPoint } from './inspect.js';
import { compileFilters } from './list-filters.js';
import { listedNetworks } from './networks.js';
import { portList } from './port-list.js';
import { statusText } from './status-text.js';

/**
 * `docker ps`: newest first, from memory alone. Sizes are the caller's business, because they need the disk.
 * @throws InvalidParameter for an unknown filter or a value that makes no sense; NotFound for `before`/`since`
 */
export function listContainers(
  context: Pick<Context, 'images' | 'networks' | 'registry'>,
  query: ContainerQuery,
): ContainerSummary[] {
  const matches = compileFilters(context, query.filters);
  // A filter on the state, and a limit, look at all containers; otherwise only those that run are shown.
  const everyState = query.all || query.limit !== undefined || matches.wantsEveryState;
  const rows: ContainerSummary[] = [];
  const networks = context.networks.revision;
  for (const container of context.registry.all().reverse()) {
    if (!everyState && !isRunning(container.record.state)) continue;
    const row = rowOf(context, container, networks);
    if (matches.test(container, row.sandbox)) rows.push(row.summary);
    if (query.limit !== undefined && rows.length >= query.limit) break;
  }
  return rows;
}

interface Row {
  /** The image that it was made from. */
  revision: number;
  networks: number;
  status: string;
  name: string;
  sandbox: SandboxSettings;
  summary: ContainerSummary;
}

/**
 * The list is asked for far more often than it changes: a container's row is made anew only when something about it
 * changed, so the same object means the same content (and its encoder may keep the encoded text).
 */
const known = new WeakMap<Container, Row>();

function rowOf(context: Pick<Context, 'networks' | 'registry'>, container: Container, networks: number): Row {
  const { record, revision } = container;
  const name = context.registry.namesOf(container).join();
  const { status } = record.state;
  const row = known.get(container);
  if (row?.revision === revision && row.networks === networks && row.status === status && row.name === name) {
    // Time passes: `Up 5 minutes`.
    const Status = status === 'created' ? row.summary.Status : statusText(apiState(record.state));
    if (Status !== row.summary.Status) row.summary = { ...row.summary, Status };
    return row;
  }
  const sandbox = context.networks.settings(container.id, record.endpoints);
  const made = { revision, networks, status, name, sandbox, summary: summary(context, container, sandbox) };
  known.set(container, made);
  return made;
}

function summary(context: Pick<Context, 'registry'>, container: Container, sandbox: SandboxSettings): ContainerSummary {
  const { record } = container;
  const created = parseTime(record.created) ?? 0n;
  const annotations = record.hostConfig.Annotations ?? {};
  return {
    Id: record.id,
    Names: context.registry.namesOf(container).map((name) => `/${name}`),
    Image: record.config.Image ?? record.imageId,
    ImageID: record.imageId,
    Command: commandText(record.path, record.args),
    Created: Number(created / 1_000_000_000n),
    Ports: portList(sandbox.ports),
    Labels: record.config.Labels ?? {},
    State: record.state.status,
    Status: statusText(apiState(record.state)),
    HostConfig: {
      NetworkMode: record.hostConfig.NetworkMode ?? 'default',
      ...(Object.keys(annotations).length > 0 && { Annotations: annotations }),
    },
    Health: { Status: record.state.health?.Status ?? 'none', FailingStreak: record.state.health?.FailingStreak ?? 0 },
    NetworkSettings: { Networks: listedNetworks(record, sandbox.networks) },
    Mounts: record.mounts.map(mountPoint),
  };
}

/** Arguments with a space are quoted, as Docker prints them. */
function commandText(path: string, args: readonly string[]): string {
  if (args.length === 0) return path;
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}
