import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchEngine } from '../engines.js';
import { publisher } from '../published-plugin.js';
import { type Row, stock } from '../row.js';
import { ask, milliseconds, numbers, settled } from '../work.js';

const alias = 'bench-managed';
const many = numbers(10).map((index) => `${alias}-${index}`);

async function install(engine: BenchEngine, names: readonly string[], ...options: string[]): Promise<void> {
  const reference = await publisher.serve(engine);
  const flags = ['--grant-all-permissions', ...options];
  for (const name of names) await engine.docker('plugin', 'install', ...flags, '--alias', name, reference);
}

async function removeAll(engine: BenchEngine, names: readonly string[]): Promise<void> {
  for (const name of names) await engine.docker('plugin', 'rm', '-f', name);
  await publisher.withdraw(engine);
}

let serial = 0;

/** Until a call goes through to the plugin; one that is refused is made again, as a user would. */
async function answers(engine: BenchEngine, plugin: string): Promise<void> {
  const Name = `bench-asked-${++serial}`;
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await ask(engine, 'POST', '/volumes/create', { Name, Driver: `${plugin}:latest` });
      asked.push(Name);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(10);
    }
  }
}

/** Until the engine answers at all. */
async function listens(engine: BenchEngine): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      return void (await ask(engine, 'GET', '/_ping'));
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(5);
    }
  }
}

/** Volumes that {@link answers} made: each of them would be something to bring back at the next start. */
const asked: string[] = [];

async function removeAsked(engine: BenchEngine): Promise<void> {
  for (const name of asked.splice(0)) await ask(engine, 'DELETE', `/volumes/${name}`);
}

/** The plugin's first process: that of a PID namespace, in a control group that has the plugin's name, for either engine. */
async function processOf(engine: BenchEngine, plugin: string): Promise<number> {
  const id = (await engine.docker('plugin', 'inspect', '--format', '{{.Id}}', plugin)).trim();
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isFirstOf(name, id));
  if (pid === undefined) throw new Error(`${engine.name} has no process of its plugin`);
  return Number(pid);
}

function isFirstOf(pid: string, id: string): boolean {
  try {
    const isFirst = /^NSpid:\s+\d+\s+1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return isFirst && readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id);
  } catch {
    // It ended meanwhile.
    return false;
  }
}

/** Managed plugins: the same package, from the same registry, on either engine. */
export const managedRows: readonly Row[] = [
  {
    name: '`docker plugin install --disable` of 36 MB, from a registry on loopback',
    unit: 'ms',
    between: stock,
    atMost: 0.8,
    samples: 5,
    prepare: async (engine) => {
      await install(engine, [alias], '--disable');
      await engine.docker('plugin', 'rm', alias);
    },
    async sample(engine) {
      const reference = await publisher.serve(engine);
      // Both clear away in the background what the last one left: none of it may be there still.
      await settled(engine);
      const flags = ['--grant-all-permissions', '--disable', '--alias', alias];
      const took = await milliseconds(() => engine.docker('plugin', 'install', ...flags, reference));
      await engine.docker('plugin', 'rm', alias);
      return took;
    },
    finish: (engine) => publisher.withdraw(engine),
  },
  {
    name: '`docker plugin enable`',
    unit: 'ms',
    between: stock,
    atMost: 0.6,
    samples: 9,
    prepare: (engine) => install(engine, [alias]),
    async sample(engine) {
      await engine.docker('plugin', 'disable', alias);
      return await milliseconds(() => engine.docker('plugin', 'enable', alias));
    },
    finish: (engine) => removeAll(engine, [alias]),
  },
  {
    name: '`kill -9` of a plugin, to its next successful call',
    unit: 'ms',
    between: stock,
    below: 1000,
    samples: 5,
    prepare: (engine) => install(engine, [alias]),
    async sample(engine) {
      await answers(engine, alias);
      // It is well: not one that ended a moment ago.
      await sleep(3_500);
      const pid = await processOf(engine, alias);
      const took = await milliseconds(async () => {
        process.kill(pid, 'SIGKILL');
        while (existsSync(`/proc/${pid}`)) await sleep(1);
        await answers(engine, alias);
      });
      await removeAsked(engine);
      return took;
    },
    finish: (engine) => removeAll(engine, [alias]),
  },
  {
    // Without --live-restore: either engine ends its plugins when it ends, and starts all of them anew.
    name: `start of the engine with ${many.length} enabled plugins, until the last of them answers`,
    unit: 'ms',
    between: stock,
    atMost: 0.5,
    samples: 5,
    prepare: (engine) => install(engine, many),
    async sample(engine) {
      const ids = await engine.docker('plugin', 'ls', '--quiet', '--no-trunc');
      await engine.halt();
      const left = ids.split('\n').filter((id) => id !== '' && readdirSync('/proc').some((pid) => isFirstOf(pid, id)));
      if (left.length > 0) throw new Error(`${engine.name} left plugins running`);
      const took = await milliseconds(async () => {
        engine.launch();
        // Ten who ask in vain would take a processor from either engine.
        await listens(engine);
        await Promise.all(many.map((name) => answers(engine, name)));
      });
      await removeAsked(engine);
      return took;
    },
    finish: (engine) => removeAll(engine, many),
  },
];
