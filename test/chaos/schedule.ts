import { type Manner, manners } from './plugin/misbehaviour.js';

/** The kinds of extensions that are made to suffer. */
export type Kind = 'volume' | 'network' | 'ipam' | 'log' | 'authz';

/** A fault: its victims, its nature and its time. */
export interface Fault {
  readonly victims: readonly (Kind | 'engine')[];
  readonly what: Suffering;
  /** ms after the schedule's beginning. */
  readonly at: number;
  /** ms until it is over: a killed one is started again, a stopped one goes on, a misbehaving one behaves. */
  readonly lasts: number;
}

export type Suffering =
  | { readonly type: 'kill' }
  | { readonly type: 'stop' }
  | { readonly type: 'misbehave'; readonly method: string; readonly manner: Manner; readonly performs: boolean };

/** The options of a container in the schedule. */
export interface ContainerPlan {
  readonly name: string;
  readonly volume?: string;
  readonly network?: string;
  readonly log: boolean;
}

export interface NetworkPlan {
  readonly name: string;
  /** Whether the network's driver, and its address management, is the kind that suffers, or what nobody touches. */
  readonly driver: boolean;
  readonly ipam: boolean;
}

export type Operation =
  | { readonly op: ContainerOperation; readonly container: string }
  | { readonly op: VolumeOperation; readonly volume: string }
  | { readonly op: NetworkOperation; readonly network: string }
  | { readonly op: 'network connect' | 'network disconnect'; readonly network: string; readonly container: string }
  | { readonly op: GlobalOperation };

export type ContainerOperation =
  | 'create'
  | 'start'
  | 'run'
  | 'stop'
  | 'kill'
  | 'restart'
  | 'rm -f'
  | 'exec'
  | 'logs'
  | 'logs -f'
  | 'cp in'
  | 'cp out'
  | 'inspect';
export type VolumeOperation = 'volume create' | 'volume inspect' | 'volume rm';
export type NetworkOperation = 'network create' | 'network inspect' | 'network rm';
export type GlobalOperation = 'ps' | 'info' | 'events' | 'volume ls' | 'volume prune' | 'network ls';

export interface Timed {
  /** ms of pause before it. */
  readonly after: number;
  readonly operation: Operation;
}

/** Clients that work at the same time, each one operation after the other, while faults come and go. */
export interface Schedule {
  readonly seed: number;
  readonly index: number;
  readonly containers: readonly ContainerPlan[];
  readonly networks: readonly NetworkPlan[];
  readonly volumes: readonly string[];
  readonly clients: readonly (readonly Timed[])[];
  readonly faults: readonly Fault[];
}

export function textOfOperation(operation: Operation): string {
  const { op, ...rest } = operation;
  return [op, ...Object.values(rest)].join(' ');
}

export function textOfFault({ victims, what, at, lasts }: Fault): string {
  return `at ${at} ms, for ${lasts} ms: ${victims.join(' and ')} ${textOfSuffering(what)}`;
}

function textOfSuffering(what: Suffering): string {
  if (what.type === 'kill') return 'killed (SIGKILL)';
  if (what.type === 'stop') return 'stopped (SIGSTOP)';
  const done = what.performs ? ', having done what was asked' : '';
  return `${manners[what.manner]} (${what.manner}), when asked ${what.method}${done}`;
}

/** The schedule as somebody reads it who has to find out what happened. */
export function textOfSchedule({ containers, networks, clients, faults }: Schedule): string {
  const used = clients.flat().map(({ operation }) => textOfOperation(operation));
  const isUsed = ({ name }: { name: string }) => used.some((text) => text.split(' ').includes(name));
  return [
    ...containers
      .filter(isUsed)
      .map(
        ({ name, volume, network, log }) =>
          `  ${name}: volume ${volume ?? '-'}, network ${network ?? '-'}, log ${log ? 'plugin' : '-'}`,
      ),
    ...networks
      .filter(isUsed)
      .map(({ name, driver, ipam }) => `  ${name}: ${driver ? 'driver' : '-'}, ${ipam ? 'ipam' : '-'}`),
    ...clients.map(
      (steps, client) =>
        `  client ${client + 1}: ${steps.map(({ after, operation }) => `+${after} ms ${textOfOperation(operation)}`).join(', ')}`,
    ),
    ...faults.map((fault) => `  fault ${textOfFault(fault)}`),
  ].join('\n');
}
