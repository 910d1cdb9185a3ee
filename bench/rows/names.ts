import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { systemError } from '@cleat/protocol/errors';
import type { BenchEngine } from '../engines.js';
import { type Row, stock } from '../row.js';
import { ask, create, post, remove } from '../work.js';

const network = 'bench-names';
const containers = ['bench-asker', 'bench-db'];
const seconds = 3;

/** The name of another container, again and again, by Debian's `dnsperf` within a container's network. */
async function answersPerSecond(engine: BenchEngine, clients: number): Promise<number> {
  const shown = await ask(engine, 'GET', `/containers/${containers[0]}/json`);
  const { State } = JSON.parse(shown.toString()) as { State: { Pid: number } };
  // It reads them again and again.
  const questions = join(engine.directory, 'questions');
  writeFileSync(questions, `${containers[1]} A\n`);
  const asked = ['-s', '127.0.0.11', '-d', questions, '-l', String(seconds), '-c', String(clients), '-q', '100'];
  const inside = [`--target=${State.Pid}`, '--net', 'dnsperf', ...asked];
  const { code, stdout, stderr } = await run('nsenter', inside, { env: process.env });
  const [, rate] = /Queries per second:\s+([\d.]+)/.exec(stdout) ?? [];
  if (code !== 0 || rate === undefined) throw systemError(`dnsperf failed: ${stderr}`);
  return Number(rate);
}

const row = (clients: number): Row => ({
  name: `answers per second to \`dnsperf\` in a container, about another one; ${clients} clients, 100 questions at once`,
  unit: 'calls/s',
  between: stock,
  beside: ['newer'],
  needs: { dnsperf: 'dnsperf' },
  atLeast: 1,
  samples: 5,
  async prepare(engine) {
    await ask(engine, 'POST', '/networks/create', { Name: network });
    for (const name of containers) {
      await create(engine, { Cmd: ['sleep', '100000'], HostConfig: { NetworkMode: network } }, name);
      await post(engine, `/containers/${name}/start`);
    }
  },
  sample: (engine) => answersPerSecond(engine, clients),
  async finish(engine) {
    for (const name of containers) await remove(engine, name);
    await ask(engine, 'DELETE', `/networks/${network}`);
  },
});

/** Names on networks of users. */
export const nameRows: readonly Row[] = [row(1), row(8)];
