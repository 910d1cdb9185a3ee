import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchEngine } from '../engines.js';
import { type Row, stock } from '../row.js';
import { milliseconds } from '../work.js';

/** Where each engine's archive lies while its row is measured. */
const archives = new Map<BenchEngine, string>();
const name = 'bench-loaded:1';

/** Many files of content that no compression makes small. */
async function makeArchive(engine: BenchEngine): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-bench-load-'));
  archives.set(engine, directory);
  const files = (count: number, size: number) =>
    Promise.all(
      Array.from({ length: count }, (_, at) => writeFile(join(directory, `${size}-${at}`), randomBytes(size))),
    );
  await files(1500, 64_000);
  await run('tar', '-C', directory, '-cf', join(directory, 'first.tar'), '--exclude=*.tar', '.');
  await engine.docker('import', join(directory, 'first.tar'), name);
  await engine.docker('save', '-o', join(directory, 'image.tar'), name);
  await engine.docker('rmi', name);
}

async function run(command: string, ...args: string[]): Promise<void> {
  const [code] = (await once(spawn(command, args, { stdio: 'ignore' }), 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}

/** Images, as people carry them from one host to another. */
export const imageRows: readonly Row[] = [
  {
    name: '`docker load` of 96 MB in 1500 files',
    unit: 'ms',
    between: stock,
    atMost: 1,
    samples: 5,
    prepare: makeArchive,
    async sample(engine) {
      const archive = join(archives.get(engine) ?? '', 'image.tar');
      const took = await milliseconds(() => engine.docker('load', '-q', '-i', archive));
      await engine.docker('rmi', name);
      return took;
    },
    async finish(engine) {
      await rm(archives.get(engine) ?? '', { recursive: true, force: true });
    },
  },
];
