import { closeSync, existsSync, openSync, readSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { invalidParameter } from '@cleat/protocol/errors';
import { type PackageJson, type Placed, packageJson, placedPackages } from './modules.js';
import { addDirectory, Tree } from './tree.js';

/** The directory of the project in a plugin. */
export const appDirectory = 'app';

/** Files of published packages for people and compilers, which are never loaded. */
const neverLoaded = /(\.d\.[cm]?ts|\.map|\.md|\.markdown|\.tsbuildinfo)$/i;
/** Files of a project without `files` that belong to its making. */
const notShipped =
  /(^\.|^tsconfig.*\.json$|^package-lock\.json$|^plugin\.json$|\.(service|socket|tar|tgz)$|\.test\.[cm]?[jt]sx?$)/;

export interface Project {
  /** Where it lies, without links. */
  readonly directory: string;
  readonly manifest: PackageJson;
  /** The program, relative to the project. */
  readonly main: string;
  /** The layer of the plugin itself. */
  readonly tree: Tree;
  /** Native modules, relative to the project's place, by the architecture that their ELF header names. */
  readonly native: ReadonlyMap<string, readonly string[]>;
}

export const isProject = (directory: string): boolean => existsSync(join(directory, 'package.json'));

/**
 * An npm project as a root file system: itself, and the packages that it needs to run.
 * @throws InvalidParameter when it was not built, or something is not installed
 */
export function readProject(directory: string): Project {
  const manifest = packageJson(directory);
  const main = mainOf(manifest);
  if (!existsSync(join(directory, main))) {
    throw invalidParameter(`${join(directory, main)} does not exist: build the project first (npm run build)`);
  }
  const tree = new Tree();
  const native = new Map<string, string[]>();
  for (const placed of placedPackages(directory)) addPackage(tree, placed, main, native);
  return { directory: realpathSync(directory), manifest, main, tree, native };
}

function mainOf({ bin, main }: PackageJson): string {
  const program = typeof bin === 'string' ? bin : Object.values(bin ?? {})[0];
  const found = program ?? main;
  if (found !== undefined) return found.replace(/^\.\//, '');
  throw invalidParameter('package.json must name the program of the plugin: "bin": "dist/main.js"');
}

function addPackage(tree: Tree, { directory, place, manifest }: Placed, main: string, native: Map<string, string[]>) {
  const into = join(appDirectory, place);
  // The files of a package from a registry are those that its publisher chose; a project or a link is a working directory.
  const isWorkingDirectory = place === '' || !directory.includes('/node_modules/');
  const ships = isWorkingDirectory ? shipped(manifest, place === '' ? main : undefined) : () => true;
  addDirectory(tree, directory, into, {
    plainModes: true,
    wanted(path, isDirectory) {
      if (path === 'node_modules' || path.endsWith('/node_modules') || neverLoaded.test(path)) return false;
      if (!ships(path, isDirectory)) return false;
      if (!isDirectory && path.endsWith('.node')) {
        const architecture = architectureOf(join(directory, path));
        native.set(architecture, [...(native.get(architecture) ?? []), relative(appDirectory, join(into, path))]);
      }
      return true;
    },
  });
}

type Ships = (path: string, isDirectory: boolean) => boolean;

/** By the `files` of its package.json, as npm has them; else all but what only belongs to its making. */
function shipped({ files }: PackageJson, main: string | undefined): Ships {
  if (!files) {
    const sources = main !== undefined && /\.[cm]?ts$/.test(main);
    return (path) => !path.split('/').some((part) => notShipped.test(part)) && (sources || !/\.[cm]?ts$/.test(path));
  }
  const patterns = files.map((text) => ({
    negative: text.startsWith('!'),
    ...globOf(
      text
        .replace(/^!/, '')
        .replace(/^\.?\/+/, '')
        .replace(/\/+$/, ''),
    ),
  }));
  return (path, isDirectory) => {
    if (path === 'package.json' || path === main || (isDirectory && main?.startsWith(`${path}/`))) return true;
    let wanted = false;
    for (const { negative, matches, leadsTo } of patterns) {
      if (matches(path)) wanted = !negative;
      else if (isDirectory && !negative && leadsTo(path)) wanted = true;
    }
    return wanted;
  };
}

interface Glob {
  /** The path, or a directory around it, is meant. */
  matches(path: string): boolean;
  /** Something in the directory may be meant. */
  leadsTo(directory: string): boolean;
}

function globOf(pattern: string): Glob {
  const parts = pattern.split('/').map(partOf);
  const fits = (path: readonly string[], at: number, rest: number): boolean => {
    if (rest === parts.length) return true;
    const part = parts[rest];
    if (part === 'any') return fits(path, at, rest + 1) || (at < path.length && fits(path, at + 1, rest));
    const own = path[at];
    return own !== undefined && part?.test(own) === true && fits(path, at + 1, rest + 1);
  };
  return {
    matches: (path) => fits(path.split('/'), 0, 0),
    leadsTo: (directory) =>
      directory.split('/').every((own, at) => {
        const before = parts.slice(0, at + 1);
        const part = before.at(-1);
        return before.includes('any') || (part !== undefined && part !== 'any' && part.test(own));
      }),
  };
}

function partOf(text: string): RegExp | 'any' {
  if (text === '**') return 'any';
  const escaped = text
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`);
}

const machines: Readonly<Record<number, string>> = {
  3: '386',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
  21: 'ppc64le',
  22: 's390x',
};

/** The architecture of a native module, by its ELF header; `unknown` for other files. */
function architectureOf(path: string): string {
  const head = Buffer.alloc(20);
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, head, 0, head.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const isElf = head.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'));
  return isElf ? (machines[head.readUInt16LE(18)] ?? 'unknown') : 'unknown';
}
