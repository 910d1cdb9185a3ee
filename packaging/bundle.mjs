/**
 * Puts cleat and the daemon into a few files, cli/dist/bundle/: Node loads them in a third of the time of some six
 * hundred modules, and in less memory. bin/cleat and bin/cleatd run them as long as nothing was built since. The programs
 * that they start beside themselves are there, too. What was built stays as it is: extensions that do not ship with Cleat are loaded
 * from there, and so is everything where there is no bundle.
 *
 * The files are CommonJS, which Node loads faster, and V8 need not compile them (bundle/load.cjs).
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { parse } from 'yaml';
import { ascii, dynamicImports } from './bundle/render.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'cli/dist/bundle');

/** The programs of their own, by the modules that start them, which name them from their own place. */
const programs = {
  'linux/dist/helper/process.js': 'linux/dist/helper/main.js',
  'engine/dist/layers/unpack/process.js': 'engine/dist/layers/unpack/child.js',
  'engine/dist/networks/names/process.js': 'engine/dist/networks/names/program/main.js',
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
    // In one pass: the host that serves a battery lies in the bundle, wherever the module that starts it was built.
    const placed = code.replaceAll(/import\.meta\.url|import\.meta\.resolve\(['"]@cleat\/sdk\/host['"]\)/g, (found) => {
      const path = found === 'import.meta.url' ? place : 'sdk/dist/host.js';
      return `new URL(${JSON.stringify(path)}, import.meta.url).href`;
    });
    if (/import\.meta\.(?!url)/.test(placed)) throw new Error(`${here}: CommonJS knows no import.meta but its URL`);
    return placed;
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
    `import(${JSON.stringify(path)});`,
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
const input = { cleatd: 'cleatd.js', cleat: join(root, 'cli/dist/cleat/main.js') };
for (const program of new Set(Object.values(programs))) {
  input[nameOf(program)] = program === 'sdk/dist/host.js' ? 'host.js' : join(root, program);
}
const bundle = await rolldown({
  input,
  platform: 'node',
  plugins: [main, places, dynamicImports],
  // Native code, what loads files of its own, and what is no CommonJS.
  external: [/^rolldown/, /^koffi/, /^lmdb/, /^node-unix-socket/],
  onLog(level, log, next) {
    // Types and tests are checked elsewhere; a module that is missing is an error.
    if (log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
    if (level !== 'warn') next(level, log);
  },
});
const { output } = await bundle.write({
  dir: out,
  format: 'cjs',
  exports: 'named',
  comments: false,
  entryFileNames: '[name]-[hash].js',
  chunkFileNames: '[name]-[hash].js',
});
if (starters.size > 0) throw new Error(`start no program: ${[...starters].join(', ')}`);
// It lies in a package whose modules are not CommonJS.
writeFileSync(join(out, 'package.json'), '{"type":"commonjs"}\n');
copyFileSync(join(root, 'packaging/bundle/load.cjs'), join(out, 'load.js'));

/** By the names of their files. */
const chunks = new Map(output.filter(({ type }) => type === 'chunk').map((chunk) => [chunk.fileName, chunk]));
for (const [name, { code }] of chunks) writeFileSync(join(out, name), ascii(code));
const entryOf = (program) => output.find((chunk) => chunk.isEntry && chunk.name === nameOf(program)).fileName;
const chunkOf = (module) => output.find((chunk) => chunk.moduleIds?.includes(join(root, module))).fileName;

/** A program has its path below the bundle: there, it is found from the place of the module that starts it. */
function write(program, code) {
  const place = join(out, program);
  mkdirSync(dirname(place), { recursive: true });
  const load = join(relative(dirname(place), out), 'load.js');
  const required = JSON.stringify(load.startsWith('.') ? load : `./${load}`);
  const [directory, file] = [code, entryOf(program)].map((one) => JSON.stringify(one));
  writeFileSync(place, `const { Bundle } = require(${required});\nnew Bundle(${directory}).require(${file});\n`);
}

/** All modules that a program may load. */
function closure(names, found = new Set()) {
  for (const name of names) {
    const chunk = chunks.get(name);
    if (!chunk || found.has(name)) continue;
    found.add(name);
    closure([...chunk.imports, ...chunk.dynamicImports], found);
  }
  return found;
}

/** The flags of the daemon, as its launcher gives them. */
const [, daemonFlags] = /exec node (.*?) "\$main"/.exec(readFileSync(join(root, 'bin/cleatd'), 'utf8'));
const { helperFlags } = await import(join(root, 'linux/dist/helper/process.js'));
const { nameFlags } = await import(join(root, 'engine/dist/networks/names/process.js'));
const inProcess = batteries.map((battery) => chunkOf(relative(root, battery)));
/** By V8's flags: which programs (with threads of theirs) run with them, and which modules do nothing but define as they are loaded. */
const codes = {
  daemon: {
    flags: daemonFlags.split(' '),
    programs: ['cleatd.js', 'engine/dist/spool/driver/worker.js', 'engine/dist/store/checkpoint-worker.js'],
    run: [chunkOf('cli/dist/cleatd/daemon.js'), chunkOf('cli/dist/cleatd/preflight.js'), ...inProcess],
  },
  helper: { flags: helperFlags, programs: ['linux/dist/helper/main.js'], run: [] },
  names: { flags: nameFlags, programs: ['engine/dist/networks/names/program/main.js'], run: [] },
  plain: {
    flags: [],
    programs: ['cleat.js', 'sdk/dist/host.js', 'engine/dist/layers/unpack/child.js'],
    run: inProcess,
  },
};
for (const [code, { flags, programs, run }] of Object.entries(codes)) {
  for (const program of programs) write(program, code);
  const compile = [...closure(programs.map(entryOf))];
  execFileSync(process.execPath, [...flags, join(root, 'packaging/bundle/compile.cjs'), out, code], {
    input: JSON.stringify({ compile, run }),
    stdio: ['pipe', 'inherit', 'inherit'],
  });
}
