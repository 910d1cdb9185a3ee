import { isIP } from 'node:net';
import { constants } from 'node:os';
import type { Change } from '@cleat/sdk/watch';
import type { Wish } from '../labels/wish.js';
import type { Address } from '../model/model.js';

/** A running container, as far as it matters here. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly startedAt: string;
  readonly labels: Readonly<Record<string, string>>;
  /** By the name of each network. */
  readonly networks: ReadonlyMap<string, string>;
  /** Whether it has the host's network. */
  readonly onHost: boolean;
  /** TCP ports that its image or its user declared. */
  readonly exposed: readonly number[];
  readonly published: readonly { readonly port: number; readonly at: Address }[];
  /** The state of its own HEALTHCHECK. */
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  readonly isPaused: boolean;
  readonly stopSignal: string;
  /** How long it may take to stop, in ms. */
  readonly stopMs: number;
}

type ContainerChange = Extract<Change, { kind: 'container' }>;

/** Docker's, for a container that does not say. */
const defaultStop = { signal: 'SIGTERM', seconds: 10 };

/** Reads an engine's answers, old and new ones; undefined: it is no container that runs. */
export function containerOf({ id, object, inspect }: ContainerChange): Container | undefined {
  if (inspect === undefined || !/^[0-9a-f]{64}$/.test(id)) return undefined;
  const { State: state, Config: config, NetworkSettings: settings, HostConfig: hostConfig } = inspect;
  if (!state?.Running || state.Restarting) return undefined;
  const networks = Object.entries(settings?.Networks ?? {}).flatMap(([name, endpoint]): [string, string][] => {
    const ip = [endpoint?.IPAddress, endpoint?.GlobalIPv6Address].find((text) => isIP(text ?? '') !== 0);
    return ip === undefined ? [] : [[name, ip]];
  });
  const exposed = Object.keys(config?.ExposedPorts ?? {}).flatMap((port) => tcpPort(port) ?? []);
  const published = (object.Ports ?? []).flatMap(({ IP = '', PrivatePort, PublicPort, Type }) =>
    Type === 'tcp' && PublicPort !== undefined && isIP(IP) !== 0
      ? [{ port: PrivatePort, at: { ip: IP, port: PublicPort } }]
      : [],
  );
  return {
    id,
    name: (inspect.Name ?? '').replace(/^\//, ''),
    created: inspect.Created ?? '',
    startedAt: state.StartedAt ?? '',
    labels: config?.Labels ?? {},
    networks: new Map(networks.sort(([a], [b]) => (a < b ? -1 : 1))),
    onHost: hostConfig?.NetworkMode === 'host',
    exposed: [...new Set(exposed)].sort((a, b) => a - b),
    published,
    health: state.Health?.Status ?? 'none',
    isPaused: state.Paused ?? false,
    stopSignal: config?.StopSignal || defaultStop.signal,
    stopMs: (config?.StopTimeout ?? defaultStop.seconds) * 1_000,
  };
}

function tcpPort(text: string): number | undefined {
  const [, port] = /^(\d+)(?:\/tcp)?$/.exec(text) ?? [];
  return port === undefined ? undefined : Number(port);
}

/**
 * Where a container may be reached, the best first: in the network that its label names, or else in each of its
 * networks, at the port that its label names, or else the only one that it exposes; and last, where that port is
 * published on the host.
 * @param override the host's address, for a balancer to which 127.0.0.1 is another host: published ports there come first
 * @returns a sentence when there is no such place
 */
export function addressesOf(container: Container, wish: Wish, override: string | undefined): Address[] | string {
  const { networks, exposed, onHost } = container;
  const port = wish.port ?? portOf(container);
  if (port === undefined) {
    return exposed.length === 0
      ? 'it exposes no port: say which with the label interlock.port'
      : `it exposes ports ${exposed.join(', ')}: say which with the label interlock.port`;
  }
  if (wish.network !== undefined) {
    const ip = networks.get(wish.network);
    return ip === undefined ? `it is not in network ${wish.network}, which its label names` : [{ ip, port }];
  }
  const own = onHost ? [{ ip: '127.0.0.1', port }] : [...networks.values()].map((ip) => ({ ip, port }));
  const published = container.published
    .filter((one) => one.port === port)
    .map(({ at }) => ({ ip: override ?? (isUnspecified(at.ip) ? '127.0.0.1' : at.ip), port: at.port }));
  const all = override === undefined ? [...own, ...published] : [...published, ...own];
  if (all.length === 0) return 'it is in no network, and publishes no port';
  return all.filter((one, at) => all.findIndex(({ ip, port: same }) => ip === one.ip && same === one.port) === at);
}

/** The only port, or one that is HTTP's. */
function portOf({ exposed, published }: Container): number | undefined {
  const known = exposed.length > 0 ? exposed : [...new Set(published.map(({ port }) => port))];
  return known.length === 1 ? known[0] : [80, 8080].find((port) => known.includes(port));
}

const isUnspecified = (ip: string): boolean => ip === '0.0.0.0' || ip === '::';

/** Signals after which a container is taken for one that is about to end, besides its own stop signal. */
const deadly = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGQUIT'];

/** Whether a `kill` event with this signal, a number, says that the container is about to end. */
export function isFarewell(container: Container, signal: string): boolean {
  return [...deadly, container.stopSignal].some((name) => String(signalNumber(name)) === signal);
}

/** The number of a signal: a name with or without SIG, or a number. */
export function signalNumber(text: string): number | undefined {
  const name = /^\d+$/.test(text) ? text : text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
  const [, from, by = '0'] = /^SIG(RTMIN|RTMAX)(?:[+-](\d+))?$/.exec(name) ?? [];
  if (from !== undefined) return from === 'RTMIN' ? 34 + Number(by) : 64 - Number(by);
  return /^\d+$/.test(name) ? Number(name) : constants.signals[name as NodeJS.Signals];
}
