import { memoryOf } from '../cgroup.js';
import type { BenchEngine } from '../engines.js';
import { median } from '../report.js';
import { type Row, stock } from '../row.js';
import { ask, create, inParallel, milliseconds, numbers, post, remove, settled } from '../work.js';

const network = 'bench-network';
const together = 100;
const many = 20;
const networkOf = (index: number): string => `${network}-${index}`;

const beside = ['newer'] as const;
const sleeper = { Cmd: ['sleep', '100000'] };

const createNetwork = (engine: BenchEngine, Name: string): Promise<Buffer> =>
  ask(engine, 'POST', '/networks/create', { Name });
const removeNetwork = (engine: BenchEngine, name: string): Promise<Buffer> =>
  ask(engine, 'DELETE', `/networks/${name}`);

const withNetwork = {
  prepare: async (engine: BenchEngine) => void (await createNetwork(engine, network)),
  finish: async (engine: BenchEngine) => void (await removeNetwork(engine, network)),
};

/** One after the other on one network. @returns how long the start of each took, in ms */
async function startTogether(engine: BenchEngine): Promise<number[]> {
  const took: number[] = [];
  for (const index of numbers(together)) {
    const id = await create(engine, { ...sleeper, HostConfig: { NetworkMode: network } }, `together-${index}`);
    took.push(await milliseconds(() => post(engine, `/containers/${id}/start`)));
  }
  return took;
}

const removeTogether = (engine: BenchEngine): Promise<void> =>
  inParallel(numbers(together), 4, (index) => remove(engine, `together-${index}`));

/** @returns how long the start of a container on so many networks takes, in ms */
async function startOnNetworks(engine: BenchEngine, count: number): Promise<number> {
  const id = await create(engine, { ...sleeper, HostConfig: { NetworkMode: networkOf(0) } });
  // Requests that say it at the creation are younger than the older engine.
  for (const index of numbers(count).slice(1)) {
    await ask(engine, 'POST', `/networks/${networkOf(index)}/connect`, { Container: id });
  }
  const took = await milliseconds(() => post(engine, `/containers/${id}/start`));
  await remove(engine, id);
  return took;
}

const withManyNetworks = {
  prepare: async (engine: BenchEngine) => {
    for (const index of numbers(many)) await createNetwork(engine, networkOf(index));
  },
  finish: async (engine: BenchEngine) => {
    for (const index of numbers(many)) await removeNetwork(engine, networkOf(index));
  },
};

/** Networks of users: they come and go, containers start on them, and both may be many. */
export const networkRows: readonly Row[] = [
  {
    name: 'a network is created and removed, over the API',
    unit: 'ms',
    between: stock,
    beside,
    atMost: 0.6,
    samples: 25,
    sample: (engine) =>
      milliseconds(async () => {
        await createNetwork(engine, network);
        await removeNetwork(engine, network);
      }),
  },
  {
    name: '`docker network create N && docker network rm N`',
    unit: 'ms',
    between: stock,
    beside,
    atMost: 0.6,
    samples: 15,
    sample: (engine) =>
      milliseconds(async () => {
        await engine.docker('network', 'create', network);
        await engine.docker('network', 'rm', network);
      }),
  },
  {
    name: '`docker run --rm --network N busybox true`',
    unit: 'ms',
    between: stock,
    beside,
    atMost: 0.4,
    samples: 15,
    ...withNetwork,
    sample: (engine) => milliseconds(() => engine.docker('run', '--rm', '--network', network, 'busybox', 'true')),
  },
  {
    name: `start of a container on a user's network, over the API`,
    unit: 'ms',
    between: stock,
    beside,
    atMost: 0.4,
    samples: 25,
    ...withNetwork,
    async sample(engine) {
      const id = await create(engine, { ...sleeper, HostConfig: { NetworkMode: network } });
      const took = await milliseconds(() => post(engine, `/containers/${id}/start`));
      await remove(engine, id);
      return took;
    },
  },
  {
    name: `${together} containers on one network: the last ten starts by the first ten`,
    unit: 'times',
    between: stock,
    beside,
    below: 1.5,
    samples: 1,
    ...withNetwork,
    async sample(engine) {
      const took = await startTogether(engine);
      await removeTogether(engine);
      return median(took.slice(-10)) / median(took.slice(0, 10));
    },
  },
  {
    name: `${together} containers on one network: resident memory of engine and monitors`,
    unit: 'MB',
    between: stock,
    beside,
    atMost: 0.3,
    samples: 1,
    ...withNetwork,
    async sample(engine) {
      await startTogether(engine);
      await settled(engine);
      const { resident } = memoryOf(engine.processes());
      await removeTogether(engine);
      return resident / 1e6;
    },
  },
  {
    name: `start of a container on ${many} networks`,
    unit: 'ms',
    between: stock,
    beside,
    atMost: 0.4,
    samples: 7,
    ...withManyNetworks,
    sample: (engine) => startOnNetworks(engine, many),
  },
  {
    // Linear, with a part that is the same for any number, is at most 2.
    name: `start of a container on ${many} networks, by that on ${many / 2}`,
    unit: 'times',
    between: stock,
    beside,
    below: 2.2,
    samples: 7,
    ...withManyNetworks,
    async sample(engine) {
      const half = await startOnNetworks(engine, many / 2);
      return (await startOnNetworks(engine, many)) / half;
    },
  },
];
