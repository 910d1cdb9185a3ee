import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findCommand, hostFacts } from '@cleat/linux/host';
import { run } from '@cleat/linux/process/run';
import { messageOf } from '@cleat/protocol/errors';
import { whyNoGo } from './go.js';
import { Lineup } from './lineup.js';
import { OverlayPair } from './overlay-pair.js';
import { absentPeers, peerVersions } from './peers.js';
import { type BenchPlugin, type PluginName, PluginPair } from './plugin-pair.js';
import { markdown, type Result, resultOf } from './report.js';
import type { Row, SideName } from './row.js';
import { numbered } from './rows.js';
import { wantedRows } from './wanted.js';

const help = `Usage: npm run bench -- [--rows N,N-N…] [--samples N] [--out DIR] [--base DIR] [--strict]
Measures Cleat against dockerd, against itself with extensions elsewhere, and a plugin written with its kit against one
in Go, side by side in one run: interleaved samples, medians, ratios.
  --rows     which lines, counted from 1 over all tables, such as 1,3,60-79 (default: all)
  --samples  samples per side, instead of each line's own
  --out      where bench.md and bench.json go (default .cache/bench)
  --base     where the engines keep their data (default /var/lib/cleat-bench)
  --strict   exit 1 when a ratio misses its limit
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
  const count = Object.values(numbered).reduce((sum, rows) => sum + rows.length, 0);
  const wanted = values.rows === undefined ? undefined : wantedRows(values.rows, count);
  const isWanted = ([number]: readonly [number, unknown]) => wanted?.has(number) ?? true;
  const engineRows = numbered.engines.filter(isWanted).map(([, row]) => row);
  const pluginRows = numbered.plugins.filter(isWanted).map(([, row]) => row);
  const overlayRows = numbered.overlays.filter(isWanted).map(([, row]) => row);
  for (const program of engineRows.length > 0 ? ['dockerd', 'containerd', 'docker', 'unshare'] : []) {
    if (findCommand(program) === undefined) throw new Error(`${program} is not installed (Debian: docker.io)`);
  }
  const absent = absentPeers();
  for (const why of absent.values()) process.stdout.write(`${why}\n`);
  const lineup = new Lineup(values.base);
  await using plugins = new PluginPair();
  const overlays = new OverlayPair(values.base);
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => reject(new Error(`ended by ${signal}`)));
  });
  const results: Result[] = [];
  const failures: string[] = [];
  try {
    const measuring = async () => {
      for (const row of engineRows.filter(canBeMeasured)) {
        const beside = (row.beside ?? []).filter((name) => !absent.has(name));
        results.push(await measure({ ...row, beside }, (name) => lineup.get(name), values.samples));
      }
      results.push(...(await measurePlugins(pluginRows, plugins, values.samples)));
      for (const row of overlayRows.filter(canBeMeasured)) {
        results.push(await measure(row, (name) => overlays.get(name), values.samples));
      }
    };
    await Promise.race([interrupted, measuring()]);
  } finally {
    for (const made of [lineup, overlays]) await made[Symbol.asyncDispose]();
    failures.push(...lineup.failures, ...overlays.failures);
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

/** Says why not. */
function canBeMeasured({ name, needs = {} }: { name: string; needs?: Readonly<Record<string, string>> }): boolean {
  const absent = Object.entries(needs).filter(([program]) => findCommand(program) === undefined);
  for (const [program, debian] of absent) {
    process.stdout.write(`${name}: left out, ${program} is not installed (Debian: ${debian})\n`);
  }
  return absent.length === 0;
}

/** The rows that need Go, where it can be had. */
async function measurePlugins(
  rows: readonly Row<BenchPlugin, PluginName>[],
  plugins: PluginPair,
  samples: string | undefined,
): Promise<Result[]> {
  if (rows.length === 0) return [];
  const reason = whyNoGo();
  if (reason !== undefined) {
    process.stdout.write(`Plugins in Go and TypeScript: skipped, ${reason}\n`);
    return [];
  }
  const results: Result[] = [];
  for (const row of rows) results.push(await measure(row, (name) => plugins.get(name), samples));
  return results;
}

async function measure<Side, Name extends SideName>(
  row: Row<Side, Name>,
  get: (name: Name) => Promise<Side>,
  samples: string | undefined,
): Promise<Result> {
  const [theirs, ours] = row.between;
  const both = [await get(theirs), await get(ours)] as const;
  const others: { name: Name; side: Side; samples: number[] }[] = [];
  for (const name of row.beside ?? []) others.push({ name, side: await get(name), samples: [] });
  process.stdout.write(`${row.name} …\n`);
  const figures = { theirs: [] as number[], ours: [] as number[] };
  const sides = [{ side: both[0], samples: figures.theirs }, { side: both[1], samples: figures.ours }, ...others];
  const all = sides.map(({ side }) => side);
  try {
    for (const side of all) await row.prepare?.(side);
    for (let round = 0; round < Number(samples ?? row.samples); round++) {
      // There and back, so that none of them always follows the same one.
      const order = round % 2 === 0 ? sides : sides.toReversed();
      for (const { side, samples } of order) samples.push(await row.sample(side));
    }
  } catch (error) {
    // The row's own processes are ended, as far as that goes; the failure is what counts.
    for (const side of all) await row.finish?.(side).catch(() => {});
    throw error;
  }
  for (const side of all) await row.finish?.(side);
  const result = resultOf(row, figures.theirs, figures.ours, others);
  process.stdout.write(
    `  ${result.theirs.toFixed(1)} → ${result.ours.toFixed(1)} ${row.unit}, ${result.ratio.toFixed(2)}\n`,
  );
  return result;
}

/** Things that were there before stay. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Not empty, or not there.
  }
}

async function notes(): Promise<string[]> {
  const { kernelVersion, operatingSystem } = hostFacts();
  const programs = ['dockerd', 'runc', 'crun'].filter((name) => findCommand(name) !== undefined);
  const versions = await Promise.all(programs.map((name) => run(name, ['--version'])));
  const first = (text = ''): string => text.split('\n')[0] ?? '';
  return [
    `${versions.map(({ stdout }) => first(stdout)).join('; ')}; Node.js ${process.version}`,
    ...(await peerVersions()),
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
