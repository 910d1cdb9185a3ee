import { kindOf } from '@cleat/protocol/kinds/index';
import { methodPath } from '@cleat/protocol/kinds/kind';
import type { Manner } from './plugin/misbehaviour.js';
import { Random } from './random.js';
import type {
  ContainerOperation,
  ContainerPlan,
  Fault,
  GlobalOperation,
  Kind,
  NetworkPlan,
  Operation,
  Schedule,
  Suffering,
  Timed,
} from './schedule.js';

export interface Possibilities {
  readonly kinds: readonly [Kind, ...Kind[]];
  /** Only plugins of our own misbehave on command; a battery can be killed and stopped. */
  readonly misbehaviour: boolean;
}

/** Depends on its numbers alone, not on what was generated before. */
export function generate(seed: number, index: number, possibilities: Possibilities): Schedule {
  const random = new Random(seed, index);
  const prefix = `s${index}`;
  const volumes = [`${prefix}-v1`, `${prefix}-v2`];
  const networks: NetworkPlan[] = [1, 2].map((number) => {
    const driver = random.chance(0.7);
    return { name: `${prefix}-n${number}`, driver, ipam: !driver || random.chance(0.6) };
  });
  const containers: ContainerPlan[] = [1, 2, 3].map((number) => ({
    name: `${prefix}-c${number}`,
    volume: random.chance(0.65) ? random.pick(['v1', 'v2']).replace('v', `${prefix}-v`) : undefined,
    network: random.chance(0.5) ? random.pick(['n1', 'n2']).replace('n', `${prefix}-n`) : undefined,
    log: random.chance(0.5),
  }));
  const clients = Array.from({ length: random.between(2, 3) }, (_, client) =>
    steps(random, client, { containers, networks, volumes }),
  );
  return { seed, index, containers, networks, volumes, clients, faults: faults(random, possibilities) };
}

interface Things {
  readonly containers: readonly ContainerPlan[];
  readonly networks: readonly NetworkPlan[];
  readonly volumes: readonly string[];
}

/** A client cares mostly for a container of its own, and now and then meddles with another's. */
function steps(random: Random, client: number, things: Things): Timed[] {
  const own = things.containers[client];
  if (own === undefined) return [];
  const operations: Operation[] = [];
  if (own.network !== undefined) operations.push({ op: 'network create', network: own.network });
  if (random.chance(0.2)) operations.push({ op: 'run', container: own.name });
  else operations.push({ op: 'create', container: own.name }, { op: 'start', container: own.name });
  const count = random.between(1, 3);
  for (let done = 0; done < count; done++) operations.push(another(random, own, things));
  return operations.map((operation) => ({ after: random.chance(0.5) ? 0 : random.between(1, 300), operation }));
}

const containerOperations: readonly (readonly [number, ContainerOperation])[] = [
  [3, 'start'],
  [3, 'stop'],
  [3, 'kill'],
  [2, 'restart'],
  [4, 'rm -f'],
  [2, 'exec'],
  [1, 'logs'],
  [2, 'logs -f'],
  [1, 'cp in'],
  [1, 'cp out'],
  [1, 'inspect'],
  [2, 'run'],
];
const globalOperations: readonly [GlobalOperation, ...GlobalOperation[]] = [
  'ps',
  'info',
  'events',
  'volume ls',
  'volume prune',
  'network ls',
];

function another(random: Random, own: ContainerPlan, { containers, networks, volumes }: Things): Operation {
  const container = random.chance(0.8) ? own.name : one(random, containers).name;
  return random.weighted<() => Operation>([
    [12, () => ({ op: random.weighted(containerOperations), container })],
    [
      4,
      () => ({
        op: random.pick(['volume create', 'volume create', 'volume inspect', 'volume rm'] as const),
        volume: one(random, volumes),
      }),
    ],
    [
      2,
      () => ({
        op: random.pick(['network create', 'network inspect', 'network rm'] as const),
        network: one(random, networks).name,
      }),
    ],
    [
      3,
      () => ({
        op: random.pick(['network connect', 'network disconnect'] as const),
        network: one(random, networks).name,
        container,
      }),
    ],
    [2, () => ({ op: random.pick(globalOperations) })],
  ])();
}

function one<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[random.between(0, choices.length - 1)];
  if (choice === undefined) throw new RangeError('nothing to choose from');
  return choice;
}

/** When faults begin, at most. */
const latestMs = 700;
const longestMs = 1_400;

function faults(random: Random, { kinds, misbehaviour }: Possibilities): Fault[] {
  const count = random.between(1, 3);
  const found: Fault[] = [];
  for (let number = 0; number < count; number++) {
    const kind = random.pick(kinds);
    const at = random.between(0, latestMs);
    const lasts = random.between(100, longestMs);
    const withEngine = !found.some(({ victims }) => victims.includes('engine')) && random.chance(0.12);
    if (withEngine) {
      const both = random.chance(0.4) && !found.some(({ victims }) => victims.includes(kind));
      found.push({ victims: both ? ['engine', kind] : ['engine'], what: { type: 'kill' }, at, lasts: lasts / 2 });
    } else if (!found.some(({ victims }) => victims.includes(kind))) {
      found.push({ victims: [kind], what: suffering(random, kind, misbehaviour), at, lasts });
    }
  }
  return found;
}

/** Methods of which one call alone is worth spoiling, besides all of them. */
const methods: Record<Kind, readonly [string, ...string[]]> = {
  volume: ['Create', 'Get', 'Mount', 'Mount', 'Unmount', 'Unmount', 'Remove', 'List', 'Capabilities'],
  network: ['CreateNetwork', 'DeleteNetwork', 'CreateEndpoint', 'DeleteEndpoint', 'Join', 'Join', 'Leave'],
  ipam: ['RequestPool', 'ReleasePool', 'RequestAddress', 'RequestAddress', 'ReleaseAddress'],
  log: ['StartLogging', 'StartLogging', 'StopLogging', 'Capabilities'],
  authz: ['AuthZReq', 'AuthZRes'],
};
const anyManner: readonly (readonly [number, Manner])[] = [
  [6, 'hang'],
  [2, 'slow'],
  [3, 'error'],
  [1, 'crash'],
  [3, 'reset'],
  [2, 'half'],
  [1, 'truncated'],
  [1, 'garbage'],
  [1, 'array'],
  [2, 'types'],
  [1, 'wire'],
  [0.5, 'flood'],
];

function suffering(random: Random, kind: Kind, misbehaviour: boolean): Suffering {
  if (!misbehaviour || random.chance(0.35)) return { type: random.chance(0.6) ? 'kill' : 'stop' };
  const method = random.chance(0.3) ? '*' : methodPath(kindOf(kind), random.pick(methods[kind])).slice(1);
  const performs = random.chance(0.5);
  if (method === 'VolumeDriver.Mount' && random.chance(0.2)) {
    return { type: 'misbehave', method, manner: 'elsewhere', performs };
  }
  const manner = random.weighted(anyManner);
  // A plugin that answers with an error has not done it: an engine must be able to rely on that.
  return { type: 'misbehave', method, manner, performs: performs && manner !== 'error' && manner !== 'crash' };
}
