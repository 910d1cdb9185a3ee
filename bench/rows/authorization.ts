import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@cleat/protocol/errors';
import type { BenchEngine } from '../engines.js';
import { getOften } from '../kept-connections.js';
import { PluginProcess } from '../plugin-process.js';
import { type Row, stock } from '../row.js';
import { ask, create, milliseconds, remove } from '../work.js';

const requests = 1_000;
/** Requests before those that count: what an engine does after it read its configuration again is not the plugin's. */
const settling = 300;
const name = `cleat-bench-authz-${process.pid}`;
const path = '/containers/authorized/json';

/** One process for both engines, where both look. */
const authorizer = new PluginProcess(
  [process.execPath, fileURLToPath(new URL('../allow-all.js', import.meta.url))],
  join('/run/docker/plugins', `${name}.sock`),
);
/** The one request that it refuses, as `allow-all.ts` has it. */
const refusedPath = '/images/bench-refused/json';
let users = 0;

const work = (engine: BenchEngine): Promise<number> => milliseconds(() => getOften(engine.socket, path, 1, requests));

/** Names the plugin, or none, and waits until the engine does as it is told (the plugin refuses one request), and rests. */
async function authorize(engine: BenchEngine, plugins: string[]): Promise<void> {
  engine.reload({ 'authorization-plugins': plugins });
  for (let round = 0; round < 200; round++) {
    if ((await isAuthorized(engine)) === plugins.length > 0) {
      await getOften(engine.socket, path, 1, settling);
      return;
    }
    await sleep(25);
  }
  throw new Error(`${engine.name} did not reload its configuration`);
}

/** There is no such image: the engine says so, unless it asks the plugin first. */
async function isAuthorized(engine: BenchEngine): Promise<boolean> {
  const said = await ask(engine, 'GET', refusedPath).then(String, messageOf);
  return said.includes('authorization denied');
}

/** The time that requests take with an authorizer, less what they take without. */
export const authorizationRows: readonly Row[] = [
  {
    name: `what an authorizer adds to ${requests} requests, one after the other`,
    unit: 'ms',
    between: stock,
    atMost: 0.8,
    samples: 9,
    async prepare(engine) {
      if (users++ === 0) await authorizer.start();
      await create(engine, { Cmd: ['true'] }, 'authorized');
      await authorize(engine, [name]);
      await work(engine);
      await authorize(engine, []);
    },
    async sample(engine) {
      const without = await work(engine);
      await authorize(engine, [name]);
      const withIt = await work(engine);
      await authorize(engine, []);
      return withIt - without;
    },
    async finish(engine) {
      await remove(engine, 'authorized');
      if (--users === 0) await authorizer.end();
    },
  },
];
