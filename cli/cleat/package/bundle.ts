import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import type { OutputChunk } from 'rolldown';
import { appDirectory, type Project } from './project.js';
import { type Entry, Tree } from './tree.js';

type Format = 'esm' | 'cjs';

interface Bundle {
  readonly chunk: OutputChunk;
  /** The files that were read for it, also those of which nothing is in it. */
  readonly sources: ReadonlySet<string>;
}

/** Stays in the package where code does not: their terms ask for it. */
const licence = /(^|\/)(licen[cs]e|notice|copying)[^/]*$/i;
const script = /\.[cm]?js$/;

/**
 * The project with one file in the place of its program, its modules and its packages: Node starts with that in half the
 * time, and the package is smaller. What can depend on where its files lie is left as it is.
 * @param say told why, where nothing is bundled
 */
export async function bundled(project: Project, say: (line: string) => void): Promise<Project> {
  try {
    const reason = project.native.size > 0 ? 'it has native modules' : undefined;
    const bundle = reason === undefined ? await bundleOf(project) : undefined;
    const why = reason ?? (bundle && placeDependent(project, bundle.chunk));
    if (bundle && why === undefined) return { ...project, tree: withBundle(project, bundle) };
    say(`not bundled into one file: ${why}`);
  } catch (error) {
    say(`not bundled into one file: ${messageOf(error).split('\n')[0]}`);
  }
  return project;
}

const mainIn = ({ directory, main }: Project): string => join(directory, main);

/** @throws for what cannot be bundled, and for code that is loaded by a name that only a run knows */
async function bundleOf(project: Project): Promise<Bundle> {
  // Loading it takes longer than all else that this program does.
  const { rolldown } = await import('rolldown');
  const faults: string[] = [];
  const build = await rolldown({
    input: mainIn(project),
    cwd: project.directory,
    platform: 'node',
    tsconfig: false,
    onLog: (level, { message }) => {
      if (level === 'warn') faults.push(message);
    },
  });
  try {
    const { output } = await build.generate({
      format: formatOf(project),
      codeSplitting: false,
      comments: { legal: true },
    });
    const [chunk, ...more] = output;
    if (faults[0] !== undefined) throw new Error(faults[0]);
    if (more.length > 0) throw new Error('it would be several files');
    return { chunk, sources: new Set(await build.watchFiles) };
  } finally {
    await build.close();
  }
}

/** As Node reads the program's file by its name. */
function formatOf({ main, manifest }: Project): Format {
  if (main.endsWith('.mjs')) return 'esm';
  return main.endsWith('.js') && manifest.type === 'module' ? 'esm' : 'cjs';
}

/** The bundler's own words for the built-in modules that CommonJS asks for. */
const ownRequire = /^var __require = .*createRequire\(import\.meta\.url\).*$/m;
/** Ways in which code asks where it lies. */
const places = /\bimport\.meta\b|\b__dirname\b|\b__filename\b/;
/** Ways in which code is found by name while it runs. */
const finders = /\bcreateRequire\b|\brequire\.(resolve|main|cache|extensions)\b|\bmodule\.(paths|parent|filename)\b/;
const loads = /\b(?:import|require|__require)\s*\(\s*(?:(["'`])([^"'`$]*)\1\s*\)|)/g;

/** @returns why the code may depend on the files that it is made of */
function placeDependent(project: Project, { modules, imports }: OutputChunk): string | undefined {
  const absent = imports.find((name) => !isBuiltin(name));
  if (absent !== undefined) return `${absent} is not in the bundle`;
  const format = formatOf(project);
  for (const [id, { code }] of Object.entries(modules)) {
    if (code === null) continue;
    const name = relative(project.directory, id);
    // The bundle lies where the program was: what lies beside that is where it was seen from.
    const isBeside =
      dirname(id) === dirname(mainIn(project)) && (format === 'cjs' || !/\b__(dir|file)name\b/.test(code));
    if (places.test(code) && !isBeside) return `${name} looks for files beside itself`;
    if (finders.test(code.replace(ownRequire, ''))) return `${name} finds code by name`;
    for (const [, , loaded] of code.matchAll(loads)) {
      if (loaded === undefined) return `${name} loads code whose name only a run knows`;
      if (!isBuiltin(loaded)) return `${name} loads ${loaded}, which is not in the bundle`;
    }
  }
  return undefined;
}

const isBuiltin = (name: string): boolean => name.startsWith('node:') || builtinModules.includes(name);

/**
 * Where the project has more code than its program leads to, a worker's for example, all of that stays, with the packages
 * that it may need.
 */
function withBundle(project: Project, { chunk, sources }: Bundle): Tree {
  const packages = `${appDirectory}/node_modules`;
  const main = join(appDirectory, project.main);
  const entries = project.tree.sorted();
  const pathOf = (entry: Entry) => (entry.type === 'file' && !Buffer.isBuffer(entry.from) ? `${entry.from.path}` : '');
  const isOwn = (name: string) => name !== packages && !name.startsWith(`${packages}/`);
  const isWhole = entries.every(([name, entry]) => !isOwn(name) || !script.test(name) || sources.has(pathOf(entry)));
  const tree = new Tree();
  for (const [name, entry] of entries) {
    const isCode = sources.has(pathOf(entry)) || (!isOwn(name) && !(entry.type === 'file' && licence.test(name)));
    if (name === main) tree.file(main, chunk.code, entry.type === 'file' ? entry.mode : undefined);
    else if (!(isWhole && isCode)) tree.add(name, entry);
  }
  return tree;
}
