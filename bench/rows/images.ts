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
async function makeArchive(engine: BenchEngine, count: number, size: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-bench-load-'));
  archives.set(engine, directory);
  for (let at = 0; at < count; at++) await writeFile(join(directory, `${at}`), randomBytes(size));
  await run('tar', '-C', directory, '-cf', join(directory, 'first.tar'), '--exclude=*.tar', '.');
  await engine.docker('import', join(directory, 'first.tar'), name);
  await engine.docker('save', '-o', join(directory, 'image.tar'), name);
  await engine.docker('rmi', name);
}

async function run(command: string, ...args: string[]): Promise<void> {
  const [code] = (await once(spawn(command, args, { stdio: 'ignore' }), 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}

export function loading(count: number, size: number, more: Partial<Row> = {}): Row {
  return {
    name: `\`docker load\` of ${Math.round((count * size) / 1e6)} MB in ${count} files`,
    unit: 'ms',
    between: stock,
    atMost: 1,
    samples: 5,
    prepare: (engine) => makeArchive(engine, count, size),
    async sample(engine) {
      const archive = join(archives.get(engine) ?? '', 'image.tar');
      const took = await milliseconds(() => engine.docker('load', '-q', '-i', archive));
      await engine.docker('rmi', name);
      return took;
    },
    async finish(engine) {
      await rm(archives.get(engine) ?? '', { recursive: true, force: true });
    },
    ...more,
  };
}

/** Images, as people carry them from one host to another. */
export const imageRows: readonly Row[] = [loading(1500, 64_000), loading(20, 10_000_000)];
