import { memoryOf } from '../cgroup.js';
import { peers, type Row, stock } from '../row.js';
import { ask, create, inParallel, milliseconds, numbers, post, remove, settled, times } from '../work.js';

const sleeper = { Cmd: ['sleep', '100000'], HostConfig: { NetworkMode: 'none' } };
const sleeping = 50;
const listed = 200;
const churned = 64;

/** Containers: the everyday, without anybody's extension. */
export const containerRows: readonly Row[] = [
  {
    name: '`docker run --rm busybox true`, bridge network',
    unit: 'ms',
    between: stock,
    beside: peers,
    atMost: 0.22,
    samples: 15,
    sample: (engine) => milliseconds(() => engine.docker('run', '--rm', 'busybox', 'true')),
  },
  {
    name: 'the same, `--network none`',
    unit: 'ms',
    between: stock,
    beside: peers,
    atMost: 0.26,
    samples: 15,
    sample: (engine) => milliseconds(() => engine.docker('run', '--rm', '--network', 'none', 'busybox', 'true')),
  },
  {
    name: '`docker exec C true`',
    unit: 'ms',
    between: stock,
    beside: peers,
    atMost: 0.7,
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
    between: stock,
    beside: ['newer'],
    atMost: 0.22,
    samples: 3,
    async sample(engine) {
      const before = engine.group.cpu();
      await inParallel(numbers(churned), 16, async () => {
        const id = await create(engine, { Cmd: ['true'] });
        await post(engine, `/containers/${id}/start`);
        await post(engine, `/containers/${id}/wait`);
        await remove(engine, id);
      });
      // Background work after the last answer belongs to it, too.
      await settled(engine);
      return (engine.group.cpu() - before) / churned;
    },
  },
  {
    name: `\`containers/json?all=1\` with ${listed} containers`,
    unit: 'ms',
    between: stock,
    atMost: 0.1,
    samples: 101,
    prepare: async (engine) => {
      await inParallel(numbers(listed), 8, (index) => create(engine, sleeper, `listed-${index}`));
      // Neither engine's first answers, nor this client's, are those of every day.
      await times(200, () => ask(engine, 'GET', '/containers/json?all=1'));
    },
    sample: (engine) => milliseconds(() => ask(engine, 'GET', '/containers/json?all=1')),
    finish: (engine) => inParallel(numbers(listed), 8, (index) => remove(engine, `listed-${index}`)),
  },
  {
    name: `resident memory, ${sleeping} sleeping containers, engine and monitors together`,
    unit: 'MB',
    between: stock,
    beside: peers,
    atMost: 0.3,
    samples: 1,
    prepare: (engine) =>
      inParallel(numbers(sleeping), 8, async (index) => {
        await post(engine, `/containers/${await create(engine, sleeper, `sleeper-${index}`)}/start`);
      }),
    async sample(engine) {
      await settled(engine);
      return memoryOf(engine.processes()).resident / 1e6;
    },
    finish: (engine) => inParallel(numbers(sleeping), 8, (index) => remove(engine, `sleeper-${index}`)),
  },
];
