import { call } from '@cleat/cli/tour/client';
import { memoryOf } from './cgroup.js';
import type { BenchEngine } from './engines.js';

/** One line of the table: what is done, and how much of dockerd's figure it may take at most. */
export interface Row {
  readonly name: string;
  readonly unit: 'ms' | 'ms CPU' | 'MB';
  /** Our figure divided by dockerd's. */
  readonly atMost: number;
  /** Made once per engine before the samples. */
  prepare?(engine: BenchEngine): Promise<void>;
  sample(engine: BenchEngine): Promise<number>;
  /** Removes what `prepare` made. */
  finish?(engine: BenchEngine): Promise<void>;
  /** Samples per engine, taken in turn; the median counts. */
  readonly samples: number;
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const create = async (engine: BenchEngine, config: object, name?: string): Promise<string> => {
  const path = name === undefined ? '/containers/create' : `/containers/create?name=${name}`;
  const { body } = await call(engine.socket, 'POST', path, { Image: 'busybox', ...config });
  return (JSON.parse(body.toString()) as { Id: string }).Id;
};
const post = (engine: BenchEngine, path: string): Promise<unknown> => call(engine.socket, 'POST', path);
const remove = (engine: BenchEngine, id: string): Promise<unknown> =>
  call(engine.socket, 'DELETE', `/containers/${id}?force=1&v=1`);

/** `work` for each of `items`, at most `width` at once. */
async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const sleeper = { Cmd: ['sleep', '100000'], HostConfig: { NetworkMode: 'none' } };
const sleeping = 50;
const listed = 200;
const churned = 64;

export const rows: readonly Row[] = [
  {
    name: '`docker run --rm busybox true`, bridge network',
    unit: 'ms',
    atMost: 0.4,
    samples: 15,
    sample: (engine) => milliseconds(() => engine.docker('run', '--rm', 'busybox', 'true')),
  },
  {
    name: 'the same, `--network none`',
    unit: 'ms',
    atMost: 0.4,
    samples: 15,
    sample: (engine) => milliseconds(() => engine.docker('run', '--rm', '--network', 'none', 'busybox', 'true')),
  },
  {
    name: '`docker exec C true`',
    unit: 'ms',
    atMost: 0.75,
    samples: 15,
    prepare: async (engine) => {
      await post(engine, `/containers/${await create(engine, sleeper, 'target')}/start`);
    },
    sample: (engine) => milliseconds(() => engine.docker('exec', 'target', 'true')),
    finish: async (engine) => {
      await remove(engine, 'target');
    },
  },
  {
    name: 'create+start+wait+delete over the API, 16 at once, bridge: CPU time per container',
    unit: 'ms CPU',
    atMost: 0.33,
    samples: 3,
    async sample(engine) {
      const before = engine.group.cpu();
      await inParallel(numbers(churned), 16, async () => {
        const id = await create(engine, { Cmd: ['true'] });
        await post(engine, `/containers/${id}/start`);
        await post(engine, `/containers/${id}/wait`);
        await remove(engine, id);
      });
      // What goes on in the background after the last answer belongs to it too.
      await settled(engine);
      return (engine.group.cpu() - before) / churned;
    },
  },
  {
    name: `\`containers/json?all=1\` with ${listed} containers`,
    unit: 'ms',
    atMost: 0.1,
    samples: 101,
    prepare: async (engine) => {
      await inParallel(numbers(listed), 8, (index) => create(engine, sleeper, `listed-${index}`));
      // Neither engine's first answers, nor this client's, are those of every day.
      for (let round = 0; round < 200; round++) await call(engine.socket, 'GET', '/containers/json?all=1');
    },
    sample: (engine) => milliseconds(() => call(engine.socket, 'GET', '/containers/json?all=1')),
    finish: (engine) => inParallel(numbers(listed), 8, (index) => remove(engine, `listed-${index}`)),
  },
  {
    name: `resident memory, ${sleeping} sleeping containers, engine and monitors together`,
    unit: 'MB',
    atMost: 0.35,
    samples: 1,
    prepare: (engine) =>
      inParallel(numbers(sleeping), 8, async (index) => {
        await post(engine, `/containers/${await create(engine, sleeper, `sleeper-${index}`)}/start`);
      }),
    async sample(engine) {
      await settled(engine);
      return memoryOf(engine.group.processes()).resident / 1e6;
    },
    finish: (engine) => inParallel(numbers(sleeping), 8, (index) => remove(engine, `sleeper-${index}`)),
  },
];

/** Until the engine does next to nothing for a second, or ten have passed. */
async function settled(engine: BenchEngine): Promise<void> {
  for (let second = 0; second < 10; second++) {
    const before = engine.group.cpu();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (engine.group.cpu() - before < 20) return;
  }
}
