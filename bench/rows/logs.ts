import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { BenchEngine } from '../engines.js';
import { type Row, stock } from '../row.js';
import { create, milliseconds, post, remove } from '../work.js';

/** A million lines of seven characters, as fast as they go through a pipe. */
const printer = { Cmd: ['seq', '1000000', '1999999'], HostConfig: { NetworkMode: 'none' } };
const printed = 'bench-printed';

async function print(engine: BenchEngine, id: string): Promise<void> {
  await post(engine, `/containers/${id}/start`);
  await post(engine, `/containers/${id}/wait`);
}

/** The same client for both engines, as people use it. */
async function readAll(engine: BenchEngine): Promise<void> {
  const child = spawn('docker', ['-H', `unix://${engine.socket}`, 'logs', printed], { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`docker logs ended with ${code}`);
}

/** Output of containers, with the default log driver of both engines. */
export const logRows: readonly Row[] = [
  {
    name: 'a container prints a million short lines, `json-file`: from its start to its exit',
    unit: 'ms',
    between: stock,
    atMost: 0.5,
    samples: 5,
    async sample(engine) {
      const id = await create(engine, printer);
      const took = await milliseconds(() => print(engine, id));
      await remove(engine, id);
      return took;
    },
  },
  {
    name: '`docker logs` of them, to /dev/null',
    unit: 'ms',
    between: stock,
    atMost: 0.2,
    samples: 5,
    async prepare(engine) {
      await print(engine, await create(engine, printer, printed));
    },
    sample: (engine) => milliseconds(() => readAll(engine)),
    async finish(engine) {
      await remove(engine, printed);
    },
  },
];
