import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { busyboxTar } from '@cleat/cli/tour/busybox';
import { findCommand, hostFacts } from '@cleat/linux/host';
import { run } from '@cleat/linux/process/run';
import { messageOf } from '@cleat/protocol/errors';
import { type BenchEngine, Cleat, Dockerd } from './engines.js';
import { markdown, type Result, resultOf } from './report.js';
import { type Row, rows } from './rows.js';

const help = `Usage: npm run bench -- [--rows N,N…] [--samples N] [--out DIR] [--base DIR] [--strict]
Measures Cleat against dockerd, side by side in one run: interleaved samples, medians, ratios.
  --rows     which lines of the table, counted from 1 (default: all)
  --samples  samples per engine, instead of each line's own
  --out      where bench.md and bench.json go (default .cache/bench)
  --base     where both engines keep their data (default /var/lib/cleat-bench)
  --strict   exit 1 when a ratio is over its limit
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string' },
      samples: { type: 'string' },
      out: { type: 'string', default: '.cache/bench' },
      base: { type: 'string', default: '/var/lib/cleat-bench' },
      strict: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (process.getuid?.() !== 0) throw new Error('the benchmark runs containers: it needs root');
  for (const program of ['dockerd', 'containerd', 'docker', 'unshare']) {
    if (findCommand(program) === undefined) throw new Error(`${program} is not installed (Debian: docker.io)`);
  }
  const wanted = values.rows?.split(',').map(Number);
  const chosen = rows.filter((_, index) => wanted === undefined || wanted.includes(index + 1));
  const engines = { dockerd: new Dockerd('dockerd', values.base), cleat: new Cleat('cleat', values.base) };
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => reject(new Error(`ended by ${signal}`)));
  });
  const results: Result[] = [];
  let failures: string[] = [];
  try {
    await Promise.race([interrupted, measure(chosen, engines, results, values.samples)]);
  } finally {
    failures = (await Promise.all(Object.values(engines).map((engine) => engine.stop()))).flat();
    for (const failure of failures) process.stderr.write(`left behind: ${failure}\n`);
    removeIfEmpty(values.base);
  }
  const table = markdown(results, await notes());
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, 'bench.md'), table);
  writeFileSync(join(values.out, 'bench.json'), `${JSON.stringify(results, null, 2)}\n`);
  process.stdout.write(`\n${table}`);
  const over = results.some(({ pass }) => !pass);
  return failures.length > 0 || (values.strict === true && over) ? 1 : 0;
}

async function measure(
  chosen: readonly Row[],
  engines: { dockerd: BenchEngine; cleat: BenchEngine },
  results: Result[],
  samples: string | undefined,
): Promise<void> {
  const busybox = await busyboxTar();
  const both = [engines.dockerd, engines.cleat];
  for (const engine of both) await engine.start(busybox);
  // Caches, lazily loaded modules and JIT: the first run of anything is nobody's everyday.
  for (const engine of both)
    for (let round = 0; round < 3; round++) await engine.docker('run', '--rm', 'busybox', 'true');
  for (const row of chosen) {
    process.stdout.write(`${row.name} …\n`);
    for (const engine of both) await row.prepare?.(engine);
    const figures = { dockerd: [] as number[], cleat: [] as number[] };
    for (let round = 0; round < Number(samples ?? row.samples); round++) {
      figures.dockerd.push(await row.sample(engines.dockerd));
      figures.cleat.push(await row.sample(engines.cleat));
    }
    for (const engine of both) await row.finish?.(engine);
    const result = resultOf(row, figures.dockerd, figures.cleat);
    results.push(result);
    process.stdout.write(
      `  ${result.dockerd.toFixed(1)} → ${result.cleat.toFixed(1)} ${row.unit}, ${result.ratio.toFixed(2)}\n`,
    );
  }
}

/** What was there before stays. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Not empty, or not there.
  }
}

async function notes(): Promise<string[]> {
  const { kernelVersion, operatingSystem } = hostFacts();
  const [docker, runc] = await Promise.all(['dockerd', 'runc'].map((name) => run(name, ['--version'])));
  const first = (text = ''): string => text.split('\n')[0] ?? '';
  return [
    `${first(docker?.stdout)}; ${first(runc?.stdout)}; Node.js ${process.version}`,
    `${operatingSystem}, Linux ${kernelVersion}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'}`,
    `${new Date().toISOString().slice(0, 10)}; medians of interleaved samples; each engine in a network namespace and control group of its own`,
  ];
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`bench: ${messageOf(error)}\n`);
    process.exit(1);
  },
);
