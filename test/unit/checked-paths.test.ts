import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/**
 * A path that is looked at by its name and then used by its name may lead elsewhere in between: anybody who may write there
 * (a container, a plugin, an image) swaps a directory and a symlink. What was looked at is to be held
 * (`linux/helper/held-path.ts`), or opened beneath a root (`linux/rootfs/root.ts`). Each look by name that is left is
 * listed here with the reason why nobody can swap it, or why nothing hangs on it. A new one fails until it is, too.
 */
const looks: Record<string, string> = {
  'engine/build/context/contexts.ts diskUsage': 'a number that is shown; it is counted by descriptor',
  'engine/containers/create/create.ts stat':
    "whether the administrator's bind source is there, which is only for the message: the runtime opens it anew",
  'engine/containers/create/data-root.ts realpath': "the engine's own data root",
  'engine/containers/create/populate.ts isEmpty': 'a volume that is held',
  'engine/containers/create/populate.ts copyDirectory': 'into a volume that is held, out of a root',
  'engine/containers/files/changes.ts realpath':
    "the engine's own link to a layer that is shared, which no container sees",
  'engine/containers/steps/mount-volumes.ts ensureDirectory':
    "the administrator's bind source is made where it is missing, as on a stock engine, and nothing is concluded from it",
  'engine/containers/steps/mount-volumes.ts mountOf':
    "how the administrator's bind source is mounted, for the message: the kernel does what the mount allows",
  'engine/containers/steps/source-flags.ts mountOf':
    "how the administrator's bind source is mounted, as the kernel would have kept it",
  'engine/containers/steps/source-flags.ts stat':
    'whether a source is a file, below which nothing is mounted: for one that is swapped the runtime says that it does not fit',
  'engine/containers/oci-spec/accounts.ts stat': 'what will be mounted over /etc: held, or named by the administrator',
  'engine/containers/files/size.ts diskUsage': "a container's upper directory, which is the engine's",
  'engine/plugins/sandbox/check-host.ts stat':
    "whether the administrator's bind source is there, which is only for the message: the runtime opens it anew",
  'engine/volumes/index.ts realpath': "the engine's own roots, once",
  'engine/volumes/remove.ts diskUsage': 'a number that is shown; it is counted by descriptor',
  'linux/helper/held-path.ts hold': 'this is what holds',
  'linux/helper/handlers.ts realpath': 'the answer of mountOf, whose askers are listed above',
  'linux/helper/handlers.ts statSync': 'the answers of stat and ensureDirectory, whose askers are listed above',
};

const operations = [
  'stat',
  'mountOf',
  'ensureDirectory',
  'isEmpty',
  'diskUsage',
  'statFileSystem',
  'copyDirectory',
  'hold',
];
const patterns: readonly [name: string, folders: readonly string[], pattern: RegExp][] = [
  ['realpath', ['engine', 'linux', 'api'], /\brealpath(Sync)?\b(\.native)?\(|\brealPath\b/],
  ['statSync', ['linux/helper'], /(?<!f|l)\bstatSync\(|\baccessSync\(/],
  ...operations.map((name): [string, string[], RegExp] => [
    name,
    ['engine', 'linux', 'api'],
    new RegExp(`call\\('${name}'`),
  ]),
];

const root = fileURLToPath(new URL('../..', import.meta.url));

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return ['node_modules', 'dist'].includes(entry.name) ? [] : sourcesIn(path);
    return entry.name.endsWith('.ts') && !/\.(test|fixture)\.ts$/.test(entry.name) ? [path] : [];
  });
}

function looksOf(file: string, source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return patterns
    .filter(([, folders, pattern]) => folders.some((folder) => file.startsWith(`${folder}/`)) && pattern.test(code))
    .map(([name]) => `${file} ${name}`);
}

describe('paths that are looked at by name', () => {
  test('are those that nobody can swap, each with its reason', () => {
    const files = ['engine', 'linux', 'api'].flatMap(sourcesIn);
    expect(files.length).toBeGreaterThan(200);
    const found = files.flatMap((file) => looksOf(file, readFileSync(join(root, file), 'utf8')));
    expect(found.sort()).toEqual(Object.keys(looks).sort());
  });

  test('a new one is found', () => {
    const source =
      "const real = realpathSync(path);\nawait helper.call('stat', { path });\nif (statSync(path)) use(path);";
    expect(looksOf('linux/helper/new.ts', source)).toEqual([
      'linux/helper/new.ts realpath',
      'linux/helper/new.ts statSync',
      'linux/helper/new.ts stat',
    ]);
    expect(looksOf('engine/x.ts', '// realpathSync(path)\nfstatSync(fd); lstatSync(path);')).toEqual([]);
  });

  test('a path that is bound into a container is held, or named by somebody who may: text alone does not compile', () => {
    const source = readFileSync(join(root, 'engine/containers/oci-spec/mounts.ts'), 'utf8');
    expect(source).toContain('paths: ReadonlyMap<string, BindSource>');
    expect(source).toContain('export type BindSource = HeldPath | { named: string }');
  });
});
