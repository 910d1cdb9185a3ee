import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { BenchEngine } from '../engines.js';
import { getOften } from '../kept-connections.js';
import type { Row } from '../row.js';
import { create, milliseconds, post, remove } from '../work.js';
import { loading } from './images.js';

/** The same dockerd, and through `cleat proxy` in front of it. */
const between = ['dockerd', 'proxied'] as const;
const requests = 1000;
const lines = { Cmd: ['seq', '1000000', '1199999'], HostConfig: { NetworkMode: 'none' } };
/** Throughput of at least 0.9. */
const atMost = 1.11;

async function readAll({ socket, name }: BenchEngine): Promise<void> {
  const child = spawn('docker', ['-H', `unix://${socket}`, 'logs', `printed-for-${name}`], { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`docker logs ended with ${code}`);
}

export const proxyRows: readonly Row[] = [
  {
    name: '`_ping`, one connection, for one request',
    unit: 'ms',
    between,
    below: 1,
    samples: 9,
    prepare: (engine) => getOften(engine.socket, '/_ping', 1, requests),
    sample: async (engine) => (await milliseconds(() => getOften(engine.socket, '/_ping', 1, requests))) / requests,
  },
  {
    name: '`docker logs` of 200,000 lines',
    unit: 'ms',
    between,
    atMost,
    samples: 7,
    async prepare(engine) {
      const id = await create(engine, lines, `printed-for-${engine.name}`);
      await post(engine, `/containers/${id}/start`);
      await post(engine, `/containers/${id}/wait`);
    },
    sample: (engine) => milliseconds(() => readAll(engine)),
    async finish(engine) {
      await remove(engine, `printed-for-${engine.name}`);
    },
  },
  loading(20, 10_000_000, { name: '`docker load` of 200 MB', between, atMost, samples: 7 }),
];
