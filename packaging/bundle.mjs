/**
 * Puts the daemon into a few files, cli/dist/bundle/: Node loads them in half the time of some six hundred modules, and
 * in less memory. bin/cleatd runs them as long as nothing was built since. The programs that the daemon starts beside
 * itself are there, too. What was built stays as it is: extensions that do not ship with Cleat are loaded from there,
 * and so is everything where there is no bundle.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { parse } from 'yaml';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'cli/dist/bundle');

/** The programs of their own, by the modules that start them, which name them from their own place. */
const programs = {
  'linux/dist/helper/process.js': 'linux/dist/helper/main.js',
  'engine/dist/layers/unpack/process.js': 'engine/dist/layers/unpack/child.js',
  'engine/dist/spool/driver/worker-runner.js': 'engine/dist/spool/driver/worker.js',
  'engine/dist/store/checkpoint.js': 'engine/dist/store/checkpoint-worker.js',
  'cli/dist/cleatd/daemon.js': 'sdk/dist/host.js',
  'cli/dist/cleatd/preflight.js': 'sdk/dist/host.js',
};
const starters = new Set(Object.keys(programs));
const nameOf = (program) => program.replace('/dist/', '-').replaceAll('/', '-').replace(/\.js$/, '');

/**
 * A module that looks for a file beside itself finds it where the module was built. One that starts a program finds that
 * in the bundle, below the same path as outside of it.
 */
const places = {
  name: 'places',
  transform(code, id) {
    if (!code.includes('import.meta.')) return undefined;
    const here = relative(root, id);
    starters.delete(here);
    const place = here in programs ? here : relative(out, id);
    const host = `new URL('sdk/dist/host.js', import.meta.url).href`;
    return code
      .replaceAll('import.meta.url', `new URL(${JSON.stringify(place)}, import.meta.url).href`)
      .replaceAll(/import\.meta\.resolve\(['"]@cleat\/sdk\/host['"]\)/g, host);
  },
};

/** The daemon, and the batteries that it loads into its own process, by the path that the manifest gives them. */
const manifest = parse(readFileSync(join(root, 'batteries/manifest.yaml'), 'utf8'));
const batteries = Object.values(manifest.extensions).map(({ module }) => join(root, 'batteries/dist', module));
const withBatteries = (path) =>
  [
    `import { fileURLToPath } from 'node:url';`,
    `import { modules } from ${JSON.stringify(join(root, 'protocol/dist/modules.js'))};`,
    ...batteries.map((battery) => {
      const file = `fileURLToPath(new URL(${JSON.stringify(relative(out, battery))}, import.meta.url))`;
      return `modules.set(${file}, () => import(${JSON.stringify(battery)}));`;
    }),
    `await import(${JSON.stringify(path)});`,
  ].join('\n');
const entries = {
  'cleatd.js': withBatteries(join(root, 'cli/dist/cleatd/main.js')),
  'host.js': withBatteries(join(root, 'sdk/dist/host.js')),
};
const main = {
  name: 'main',
  resolveId: (id) => (id in entries ? join(out, id) : undefined),
  load: (id) => entries[relative(out, id)],
};

rmSync(out, { recursive: true, force: true });
const input = { cleatd: 'cleatd.js' };
for (const program of new Set(Object.values(programs))) {
  input[nameOf(program)] = program === 'sdk/dist/host.js' ? 'host.js' : join(root, program);
}
const bundle = await rolldown({
  input,
  platform: 'node',
  plugins: [main, places],
  // Native code, and what loads files of its own.
  external: [/^koffi/, /^lmdb/, /^node-unix-socket/, /^pino/],
  onLog(level, log, next) {
    // Types and tests are checked elsewhere; a module that is missing is an error.
    if (log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
    if (level !== 'warn') next(level, log);
  },
});
await bundle.write({ dir: out, format: 'esm' });
if (starters.size > 0) throw new Error(`start no program: ${[...starters].join(', ')}`);
// All that is bundled lies in one directory, from which it finds what was built; programs have their path below it.
for (const program of new Set(Object.values(programs))) {
  const place = join(out, program);
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, `import ${JSON.stringify(relative(dirname(place), join(out, `${nameOf(program)}.js`)))};\n`);
}
