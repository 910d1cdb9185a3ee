import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf } from '../cgroup.js';
import type { BenchEngine } from '../engines.js';
import { EventReaders } from '../event-readers.js';
import { type Row, stock } from '../row.js';
import { ask, create, inParallel, milliseconds, numbers, remove } from '../work.js';

const existing = 100;
const readers = 50;
const made = 200;
const crowd = 1_000;
const eventsPerSecond = 100;
const crowdSeconds = 10;

const nothing = { Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
const nameOf = (index: number): string => `there-${index}`;

/** The engine as a whole: its start, and what it tells of itself. */
export const engineWideRows: readonly Row[] = [
  {
    name: `start of the engine with ${existing} containers, until it lists them`,
    unit: 'ms',
    between: stock,
    atMost: 0.8,
    samples: 7,
    prepare: (engine) => inParallel(numbers(existing), 8, (index) => create(engine, nothing, nameOf(index))),
    async sample(engine) {
      await engine.halt();
      return await milliseconds(async () => {
        engine.launch();
        await listed(engine, existing);
      });
    },
    finish: (engine) => inParallel(numbers(existing), 8, (index) => remove(engine, nameOf(index))),
  },
  {
    name: `${made} containers are created and removed, 8 at once, while ${readers} clients read events, until each has all`,
    unit: 'ms',
    between: stock,
    atMost: 0.5,
    samples: 5,
    async sample(engine) {
      using all = await EventReaders.open(engine.socket, readers);
      // dockerd sends the head a moment before it listens.
      await sleep(200);
      return await milliseconds(async () => {
        await inParallel(numbers(made), 8, async () => remove(engine, await create(engine, nothing)));
        await all.seen(made);
      });
    },
  },
  {
    name: `memory while ${crowd} clients read events, ${eventsPerSecond} a second for ${crowdSeconds} s; each has all`,
    unit: 'MB',
    between: stock,
    below: 200,
    samples: 1,
    async sample(engine) {
      using all = await EventReaders.open(engine.socket, crowd);
      await sleep(200);
      let most = 0;
      const volumes = (eventsPerSecond * crowdSeconds) / 2;
      const work: Promise<unknown>[] = [];
      for (const index of numbers(volumes)) {
        work.push(comeAndGo(engine, `crowd-${index}`));
        await sleep(2_000 / eventsPerSecond);
        if (index % 50 === 0) most = Math.max(most, memoryOf(engine.processes()).resident);
      }
      await Promise.all(work);
      const missed = await all.missing(volumes, 20_000);
      // dockerd leaves out events of a reader that does not keep up.
      if (missed > 0 && engine.name === 'cleat') throw new Error(`${missed} readers of events have not got all`);
      return Math.max(most, memoryOf(engine.processes()).resident) / 1e6;
    },
  },
];

async function comeAndGo(engine: BenchEngine, name: string): Promise<void> {
  await ask(engine, 'POST', '/volumes/create', { Name: name });
  await ask(engine, 'DELETE', `/volumes/${name}`);
}

async function listed(engine: BenchEngine, count: number): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      const list = JSON.parse((await ask(engine, 'GET', '/containers/json?all=1')).toString()) as unknown[];
      if (list.length >= count) return;
    } catch (error) {
      // It does not listen yet.
      if (Date.now() > deadline) throw error;
    }
    await sleep(2);
  }
}
