import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@cleat/linux/process/run';
import { systemError } from '@cleat/protocol/errors';
import type { BenchEngine } from '../engines.js';
import { type Row, stock } from '../row.js';
import { create, milliseconds, post, remove } from '../work.js';

const main = fileURLToPath(new URL('../../../examples/balancer/dist/main.js', import.meta.url));
const port = 8080;

interface Running {
  readonly directory: string;
  readonly process: ChildProcess;
}

const balancers = new Map<BenchEngine, Running>();
let serial = 0;

/** The first answer that comes through, asked for in the engine's network namespace. */
async function answered(engine: BenchEngine, host: string): Promise<void> {
  const ask = `curl --silent --fail --output /dev/null --header "Host: ${host}" http://127.0.0.1:${port}/`;
  const [program = '', ...args] = [...engine.entering, 'sh', '-c', `until ${ask}; do :; done`];
  const { code, stderr } = await run(program, args, { env: process.env, deadlineMs: 20_000 });
  if (code !== 0) throw systemError(`nobody answered for ${host}: ${stderr}`);
}

async function started(engine: BenchEngine, kind: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-bench-balancer-'));
  chmodSync(directory, 0o711);
  mkdirSync(join(directory, 'run'));
  const args = [
    ...[main, '--balancer', kind, '--engine', `unix://${engine.socket}`, '--port', String(port)],
    ...['--directory', join(directory, 'run'), '--socket', join(directory, 'socket'), '--drain-timeout', '1000'],
  ];
  const [program = '', ...before] = [...engine.entering, process.execPath];
  const child = spawn(program, [...before, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  balancers.set(engine, { directory, process: child });
  await once(child, 'spawn');
}

async function ended(engine: BenchEngine): Promise<void> {
  const running = balancers.get(engine);
  if (!running) return;
  balancers.delete(engine);
  const exit = once(running.process, 'exit');
  running.process.kill('SIGTERM');
  await exit;
  rmSync(running.directory, { recursive: true, force: true });
}

async function inService(engine: BenchEngine): Promise<number> {
  const name = `n${++serial}`;
  const Labels = { 'interlock.domain': `${name}.bench`, 'interlock.port': '80' };
  const Cmd = ['sh', '-c', 'touch index.html; exec httpd -f -p 80'];
  const id = await create(engine, { Cmd, Labels });
  const ms = await milliseconds(async () => {
    await post(engine, `/containers/${id}/start`);
    await answered(engine, `${name}.bench`);
  });
  await remove(engine, id);
  return ms;
}

const row = (kind: string): Row => ({
  name: `\`examples/balancer\` with ${kind}: a new backend, from the start of its container to its first answer`,
  unit: 'ms',
  between: stock,
  below: 1_000,
  samples: 7,
  prepare: (engine) => started(engine, kind),
  sample: inService,
  finish: ended,
});

/** A load balancer that follows the engine's events; both engines are asked the same way. */
export const balancerRows: readonly Row[] = ['nginx', 'haproxy']
  .filter((kind) => existsSync(`/usr/sbin/${kind}`))
  .map(row);
