import type { BenchEngine } from '../engines.js';
import { type Row, stock } from '../row.js';
import { sharedDriver } from '../shared-plugin.js';
import { ask, create, milliseconds, numbers, post, remove, settled, times } from '../work.js';

/** So many calls are one sample: a single one is over before the clock has moved far. */
const calls = 20;
const linesPrinted = 200_000;

const perCall = async (work: (index: number) => Promise<unknown>): Promise<number> =>
  (await milliseconds(() => times(calls, work))) / calls;

let serial = 0;
const newName = (): string => `bench-${++serial}`;

async function createVolumes(engine: BenchEngine, driver: string): Promise<number> {
  const names = numbers(calls).map(newName);
  const ms = await perCall((index) => ask(engine, 'POST', '/volumes/create', { Name: names[index], Driver: driver }));
  for (const name of names) await ask(engine, 'DELETE', `/volumes/${name}`);
  return ms;
}

const inspected = 'bench-inspected';
const makeInspected = async (engine: BenchEngine): Promise<void> => {
  await ask(engine, 'POST', '/volumes/create', { Name: inspected, Driver: 'local' });
};
const removeInspected = async (engine: BenchEngine): Promise<void> => {
  await ask(engine, 'DELETE', `/volumes/${inspected}`);
};

const runWithVolume = (engine: BenchEngine): Promise<number> =>
  milliseconds(() => engine.docker('run', '--rm', '-v', `${inspected}:/v`, 'busybox', 'true'));

/** Cost of a container's output for its engine and log driver; the container pays for the printing itself. */
async function printLines(engine: BenchEngine): Promise<number> {
  const before = engine.group.cpu();
  const id = await create(engine, { Cmd: ['seq', `${linesPrinted}`], HostConfig: { NetworkMode: 'none' } });
  await post(engine, `/containers/${id}/start`);
  await post(engine, `/containers/${id}/wait`);
  await settled(engine);
  const cpu = engine.group.cpu() - before;
  await remove(engine, id);
  return (1000 * cpu) / linesPrinted;
}

/** Extensions: through a plugin, on a socket instead of in process, and in bad company. */
export const extensionRows: readonly Row[] = [
  {
    name: '`volumes/create` through a volume plugin',
    unit: 'ms',
    between: stock,
    atMost: 0.75,
    samples: 25,
    // Neither engine's first calls are those of every day.
    prepare: (engine) => times(25, () => createVolumes(engine, sharedDriver)),
    sample: (engine) => createVolumes(engine, sharedDriver),
  },
  {
    name: '`docker volume create -d PLUGIN`',
    unit: 'ms',
    between: stock,
    atMost: 0.8,
    samples: 25,
    async sample(engine) {
      const name = newName();
      const ms = await milliseconds(() => engine.docker('volume', 'create', '-d', sharedDriver, name));
      await ask(engine, 'DELETE', `/volumes/${name}`);
      return ms;
    },
  },
  {
    name: 'one call of an extension: `GET /volumes/V`',
    unit: 'ms',
    between: ['cleat', 'processes'],
    samples: 25,
    prepare: makeInspected,
    sample: (engine) => perCall(() => ask(engine, 'GET', `/volumes/${inspected}`)),
    finish: removeInspected,
  },
  {
    name: 'a container start: `docker run --rm -v V:/v busybox true`',
    unit: 'ms',
    between: ['cleat', 'processes'],
    samples: 15,
    prepare: makeInspected,
    sample: runWithVolume,
    finish: removeInspected,
  },
  {
    name: `a line of output, of ${linesPrinted.toLocaleString('en')}: CPU time of engine and log driver`,
    unit: 'µs CPU',
    between: ['cleat', 'processes'],
    samples: 3,
    sample: printLines,
  },
  ...['/containers/json?all=1', `/volumes/${inspected}`, '/info'].map(
    (path): Row => ({
      name: `\`GET ${path}\``,
      unit: 'ms',
      between: ['cleat', 'crowded'],
      atMost: 1.1,
      samples: 51,
      prepare: makeInspected,
      sample: (engine) => perCall(() => ask(engine, 'GET', path)),
      finish: removeInspected,
    }),
  ),
  {
    name: '`volumes/create` of the battery’s',
    unit: 'ms',
    between: ['cleat', 'crowded'],
    atMost: 1.1,
    samples: 25,
    sample: (engine) => createVolumes(engine, 'local'),
  },
  {
    name: '`docker run --rm -v V:/v busybox true`',
    unit: 'ms',
    between: ['cleat', 'crowded'],
    atMost: 1.1,
    samples: 15,
    prepare: makeInspected,
    sample: runWithVolume,
    finish: removeInspected,
  },
];
