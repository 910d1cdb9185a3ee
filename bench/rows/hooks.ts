import type { BenchEngine } from '../engines.js';
import type { Row } from '../row.js';
import { ask, create, milliseconds, remove, times } from '../work.js';

const calls = 20;

async function createContainers(engine: BenchEngine): Promise<number> {
  const ids: string[] = [];
  const ms = await milliseconds(() => times(calls, async () => void ids.push(await create(engine, { Cmd: ['true'] }))));
  for (const id of ids) await remove(engine, id);
  return ms / calls;
}

/** Request hooks: what three of them cost a request that they see, and one that they do not. */
export const hookRows: readonly Row[] = [
  {
    name: '`containers/create` through three request hooks that change nothing',
    unit: 'ms',
    between: ['cleat', 'hooked'],
    adds: 3,
    samples: 15,
    prepare: (engine) => times(5, () => createContainers(engine)),
    sample: createContainers,
  },
  ...['/containers/json?all=1', '/_ping'].map(
    (path): Row => ({
      name: `\`GET ${path}\`, which they do not see`,
      unit: 'ms',
      between: ['cleat', 'hooked'],
      atMost: 1.1,
      samples: 51,
      prepare: (engine) => times(200, () => ask(engine, 'GET', path)),
      sample: async (engine) => (await milliseconds(() => times(calls, () => ask(engine, 'GET', path)))) / calls,
    }),
  ),
];
