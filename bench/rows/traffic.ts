import type { BenchEngine } from '../engines.js';
import { OtherHost } from '../other-host.js';
import { type Row, stock } from '../row.js';
import { Listeners, latency, type Transport, throughput, trafficPorts, trafficPrograms } from '../traffic.js';
import { ask, create, post, remove, whereabouts } from '../work.js';

const network = 'bench-traffic';
const containers = ['bench-sender', 'bench-receiver'] as const;

/** A share of theirs: limit for streams and, the other way round, for latency. */
const asGood = 0.98;

interface Ready {
  readonly listeners: Listeners;
  readonly otherHost: OtherHost;
  /** The beginning of a command that is to run in the network namespace of the container that sends. */
  readonly fromContainer: readonly string[];
  readonly receiver: string;
}

const ready = new Map<BenchEngine, Ready>();

async function prepare(engine: BenchEngine): Promise<void> {
  await ask(engine, 'POST', '/networks/create', { Name: network });
  const [sender, receiver] = containers;
  const published = Object.fromEntries(trafficPorts.map((port) => [port, [{ HostPort: port.split('/')[0] }]]));
  const bare = { Cmd: ['sleep', '100000'], HostConfig: { NetworkMode: network } };
  await create(engine, bare, sender);
  await create(
    engine,
    {
      ...bare,
      ExposedPorts: Object.fromEntries(trafficPorts.map((port) => [port, {}])),
      HostConfig: { ...bare.HostConfig, PortBindings: published },
    },
    receiver,
  );
  for (const name of containers) await post(engine, `/containers/${name}/start`);
  const otherHost = await OtherHost.beside(engine);
  const from = await whereabouts(engine, sender, network);
  const to = await whereabouts(engine, receiver, network);
  const listeners = await Listeners.start(to.entering);
  ready.set(engine, { listeners, otherHost, fromContainer: from.entering, receiver: to.address });
}

async function finish(engine: BenchEngine): Promise<void> {
  const { listeners, otherHost } = ready.get(engine) ?? {};
  ready.delete(engine);
  await listeners?.end();
  await otherHost?.end();
  for (const name of containers) await remove(engine, name);
  await ask(engine, 'DELETE', `/networks/${network}`);
}

/** Ways to the container that receives: where a command runs, and which address it speaks to. */
const ways = {
  'between two containers': (_, { fromContainer, receiver }) => [fromContainer, receiver],
  'from another host to a published port': (_, { otherHost }) => [otherHost.entering, otherHost.engineAddress],
  'from the host to a published port': ({ entering }, { otherHost }) => [entering, otherHost.engineAddress],
  'from the host to a published port, by loopback': ({ entering }) => [entering, '127.0.0.1'],
} as const satisfies Record<string, (engine: BenchEngine, ready: Ready) => [readonly string[], string]>;

type Way = keyof typeof ways;

function wayOf(way: Way, engine: BenchEngine): readonly [readonly string[], string] {
  const there = ready.get(engine);
  if (there === undefined) throw new Error(`${engine.name} has no containers for traffic`);
  return ways[way](engine, there);
}

const usual = {
  between: stock,
  beside: ['newer'],
  needs: trafficPrograms,
  samples: 9,
  paired: true,
  prepare,
  finish,
} as const;

const stream = (way: Way, transport: Transport): Row => ({
  ...usual,
  name: `${way}: ${transport.toUpperCase()} stream (\`iperf3\`)`,
  unit: 'Gbit/s',
  atLeast: asGood,
  sample: (engine) => throughput(...wayOf(way, engine), transport),
});

const pings = (way: Way, transport: Transport, percentile: 50 | 99): Row => ({
  ...usual,
  name: `${way}: ${transport.toUpperCase()} latency, percentile ${percentile} (\`sockperf\`)`,
  unit: 'µs',
  atMost: 1 / asGood,
  sample: (engine) => latency(...wayOf(way, engine), transport, percentile),
});

/** Packets of containers on a network of a user's. */
export const trafficRows: readonly Row[] = (Object.keys(ways) as Way[]).flatMap((way) => [
  stream(way, 'tcp'),
  stream(way, 'udp'),
  pings(way, 'tcp', 50),
  pings(way, 'tcp', 99),
  pings(way, 'udp', 50),
]);
