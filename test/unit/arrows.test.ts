import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** ARCHITECTURE.md draws the arrows; this holds them. */
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Which rooms a room may import. A battery and an example are what any third party could write. */
const allowed: Record<string, readonly string[]> = {
  protocol: [],
  extensions: ['protocol'],
  linux: ['protocol'],
  sdk: ['protocol', 'linux'],
  conformance: ['protocol', 'extensions', 'sdk'],
  create: ['protocol'],
  engine: ['protocol', 'extensions', 'linux'],
  api: ['protocol'],
  batteries: ['protocol', 'sdk', 'linux'],
  examples: ['protocol', 'sdk', 'linux'],
  bench: ['cli', 'protocol', 'linux', 'sdk'],
  cli: ['protocol', 'extensions', 'linux', 'sdk', 'conformance', 'create', 'engine', 'api'],
};

/**
 * The engine's rooms that other rooms stand on, and which of its rooms they may import themselves. What lies directly in
 * `engine/` (names, times, configuration) is for all.
 */
const storeys: Record<string, readonly string[]> = {
  async: [],
  store: [],
  content: ['async'],
  layers: ['content', 'store'],
  distribution: ['async', 'content'],
  outbox: ['store'],
  oci: [],
};

/** Storeys of a container's life: each may use those before it. */
const lifeStoreys = ['state', 'steps', 'life', 'commands'];

/** Libraries that only one folder may load, because what they do belongs there. */
const keepers: Record<string, string> = {
  koffi: 'linux/syscall/',
  'node-unix-socket': 'linux/',
  lmdb: 'engine/store/',
  pino: 'cli/',
  'prom-client': 'cli/cleatd/metrics/',
};

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}

function importsOf(source: string): Import[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const statements = code.matchAll(/^\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s+['"]([^'"]+)['"]/gm);
  const bare = code.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm);
  const dynamic = code.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]/g);
  const types = code.matchAll(/typeof import\(\s*['"]([^'"]+)['"]/g);
  const onlyTypes = new Set([...types].map(([, target]) => target));
  return [
    ...[...statements].map(([, type, target = '']) => ({ target, typeOnly: type !== undefined })),
    ...[...bare].map(([, target = '']) => ({ target, typeOnly: false })),
    ...[...dynamic].map(([, target = '']) => ({ target, typeOnly: onlyTypes.has(target) })),
  ];
}

/** The fault of an import, or undefined. @param file relative to the root. */
function complaint(file: string, { target, typeOnly }: Import): string | undefined {
  const [room = ''] = file.split('/');
  if (target.startsWith('.')) {
    const to = relative(root, resolve(root, dirname(file), target));
    // An example is a package of its own; the benchmark and the tests are not published and lie at the root.
    if (to.split('/')[0] !== room) return `${file} reaches into ${to}: import @cleat/…`;
    return target.endsWith('.js') || target.endsWith('.json') ? undefined : `${file}: ${target} lacks its .js`;
  }
  const [, other, path = ''] = /^@cleat\/([\w-]+)(?:\/(.*))?$/.exec(target) ?? [];
  if (other === undefined) {
    const keeper = keepers[target.split('/')[0] ?? ''];
    return keeper === undefined || file.startsWith(keeper)
      ? undefined
      : `${file} loads ${target}, which only ${keeper} may`;
  }
  if (allowed[room]?.includes(other)) return undefined;
  const contract = room === 'api' && other === 'engine' && path.endsWith('/service');
  if (contract && typeOnly) return undefined;
  return `${file} imports ${target}: ${room} may import ${allowed[room]?.join(', ') || 'nothing'}${contract ? ', and services as types' : ''}`;
}

/** The target of an import, relative to the root; anything for a library. */
function pathOf(file: string, target: string): string {
  const source = /^@cleat\/(.+)$/.exec(target)?.[1];
  return (source ? `${source}.ts` : relative(root, resolve(root, dirname(file), target))).replace(/\.js$/, '.ts');
}

/** Each set of files that import each other (Tarjan's strongly connected components), as a line. */
function circlesIn(ways: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const numbers = new Map<string, number>();
  const path: string[] = [];
  /** @returns the lowest number that leads back to something on the path */
  const visit = (file: string): number => {
    const number = numbers.size;
    numbers.set(file, number);
    path.push(file);
    let lowest = number;
    for (const next of ways.get(file) ?? []) {
      if (!numbers.has(next)) lowest = Math.min(lowest, visit(next));
      else if (path.includes(next)) lowest = Math.min(lowest, numbers.get(next) ?? number);
    }
    if (lowest === number) {
      const circle = path.splice(path.indexOf(file));
      if (circle.length > 1 || ways.get(file)?.includes(file)) circles.push(circle.sort().join(' <-> '));
    }
    return lowest;
  };
  for (const file of ways.keys()) if (!numbers.has(file)) visit(file);
  return circles;
}

const rooms = Object.keys(allowed).filter((room) => existsSync(join(root, room)));
const files = rooms.flatMap(typeScriptIn);
// Templates are what a third party has, in its own package.
const sources = files.filter(
  (file) => !/\.(test|fixture)\.ts$/.test(file) && !/\/(testing|fixtures)\/|^create\/templates\//.test(file),
);

/** Relative to the root; without what was built or installed. */
function typeScriptIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return ['node_modules', 'dist'].includes(entry.name) ? [] : typeScriptIn(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

test('ARCHITECTURE.md says the same', () => {
  const rows = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').matchAll(/^\| `(\w+)\/` \|.*\| (.*?) ?\|$/gm);
  const said: [string, string[]][] = [];
  for (const [, room = '', text = ''] of rows) {
    const words = text.split(';', 1)[0] ?? '';
    const above = said.map(([name]) => name).filter((name) => name !== 'batteries');
    if (words === 'all of the above but batteries') said.push([room, above]);
    else said.push([room, words === 'nothing of ours' ? [] : words.split(', ').filter(Boolean)]);
  }
  const sorted = (table: readonly (readonly [string, readonly string[]])[]) =>
    Object.fromEntries(table.map(([room, others]) => [room, others.toSorted()]));
  const { test: _, ...all } = sorted(said);
  expect(all).toEqual(sorted([...Object.entries(allowed), ...Object.entries(storeys)]));
});

test('rooms import only what the drawing allows', () => {
  expect(sources.length).toBeGreaterThan(50);
  const complaints = sources.flatMap((file) =>
    importsOf(readFileSync(join(root, file), 'utf8')).flatMap((one) => complaint(file, one) ?? []),
  );
  expect(complaints).toEqual([]);
});

test("the engine's lower rooms know nothing of those that stand on them", () => {
  const complaints = Object.entries(storeys).flatMap(([storey, below]) => {
    const here = sources.filter((file) => file.startsWith(`engine/${storey}/`));
    expect(here.length, storey).toBeGreaterThan(0);
    return here.flatMap((file) =>
      importsOf(readFileSync(join(root, file), 'utf8')).flatMap(({ target }) => {
        const [, room, inner] = target.startsWith('.')
          ? relative(root, resolve(root, dirname(file), target)).split('/')
          : [];
        const isOther = inner !== undefined && room !== storey && !below.includes(room ?? '');
        return isOther ? [`${file} imports ${target}: engine/${storey} may import ${below.join(', ') || 'none'}`] : [];
      }),
    );
  });
  expect(complaints).toEqual([]);
});

test('a command decides, a life goes on, a step does, and a state is: none knows of those before it', () => {
  const place = (path: string) => lifeStoreys.indexOf(/^engine\/containers\/(\w+)\//.exec(path)?.[1] ?? '');
  expect(new Set(sources.map(place)).size).toBe(lifeStoreys.length + 1);
  const complaints = sources.flatMap((file) =>
    importsOf(readFileSync(join(root, file), 'utf8'))
      .filter(({ target }) => target.startsWith('.'))
      .map(({ target }) => relative(root, resolve(root, dirname(file), target)))
      .filter((to) => place(file) >= 0 && place(to) > place(file))
      .map((to) => `${file} imports ${to}`),
  );
  expect(complaints).toEqual([]);
});

test('no file imports itself, by way of whatever others; types count, too', () => {
  const paths = new Set(sources);
  const ways = new Map(
    sources.map((file) => {
      const targets = importsOf(readFileSync(join(root, file), 'utf8')).map(({ target }) => pathOf(file, target));
      return [file, targets.filter((target) => paths.has(target))] as const;
    }),
  );
  expect(circlesIn(ways)).toEqual([]);
});

test('packages declare what their sources import', () => {
  const complaints = rooms
    .filter((room) => !['examples', 'bench'].includes(room))
    .flatMap((room) => {
      const manifest = JSON.parse(readFileSync(join(root, room, 'package.json'), 'utf8')) as {
        dependencies?: Record<string, string>;
        peerDependencies?: Record<string, string>;
      };
      const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
      const used = sources
        .filter((file) => file.startsWith(`${room}/`))
        .flatMap((file) => importsOf(readFileSync(join(root, file), 'utf8')))
        .map(({ target }) => target)
        .filter((target) => !target.startsWith('.') && !target.startsWith('node:'))
        .map((target) =>
          target
            .split('/')
            .slice(0, target.startsWith('@') ? 2 : 1)
            .join('/'),
        );
      return [...new Set(used)].filter((name) => !declared.has(name)).map((name) => `${room} does not declare ${name}`);
    });
  expect(complaints).toEqual([]);
});

test('the kit needs native code only where it says so', () => {
  const needing = sources.filter(
    (file) =>
      file.startsWith('sdk/') &&
      importsOf(readFileSync(join(root, file), 'utf8')).some(
        ({ target, typeOnly }) => target.startsWith('@cleat/linux') && !typeOnly,
      ),
  );
  expect(needing.toSorted()).toEqual(['sdk/linux.ts', 'sdk/linux/frames.ts']);
});

test('names are in kebab-case, folders are small', () => {
  const strange = files.filter((file) => !file.split('/').every((part) => /^[a-z0-9]+([-.][a-z0-9]+)*$/.test(part)));
  expect(strange).toEqual([]);
  const crowded = sources.map(dirname).filter((folder, _, all) => all.filter((other) => other === folder).length > 40);
  expect([...new Set(crowded)]).toEqual([]);
});

test('sources name no path of a developer’s machine', () => {
  const text = /\/work\/(main|shared)|\/home\/\w+\//;
  expect(files.filter((file) => text.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
});

describe('the checker itself', () => {
  test.each([
    ["import { x } from '@cleat/engine/config';", 'extensions/a.ts', 'extensions may import protocol'],
    ["import type { X } from '@cleat/engine/config';", 'api/a.ts', 'api may import protocol'],
    ["import { x } from '@cleat/engine/images/service';", 'api/a.ts', 'and services as types'],
    ["const x = await import('@cleat/batteries/volume-local/main');", 'engine/a.ts', 'engine may import'],
    ["export * from '@cleat/linux/host';", 'protocol/a.ts', 'protocol may import nothing'],
    ["import {\n  x,\n  y,\n} from '../../engine/config.js';", 'cli/x/a.ts', 'reaches into engine/config.js'],
    ["const koffi = require('koffi');", 'engine/a.ts', 'which only linux/syscall/ may'],
    ["import './x';", 'cli/a.ts', 'lacks its .js'],
  ])('finds %s', (source, file, message) => {
    const [found] = importsOf(source);
    expect(found && complaint(file, found)).toContain(message);
  });

  test('finds circles, however long, and nothing else', () => {
    const ways = new Map([
      ['a', ['b', 'd']],
      ['b', ['c']],
      ['c', ['a']],
      ['d', ['e']],
      ['e', []],
      ['self', ['self']],
    ]);
    expect(circlesIn(ways)).toEqual(['a <-> b <-> c', 'self']);
    expect(pathOf('engine/a/b.ts', '../c.js')).toBe('engine/c.ts');
    expect(pathOf('engine/a/b.ts', '@cleat/protocol/errors')).toBe('protocol/errors.ts');
  });

  test.each([
    ["import type { X } from '@cleat/engine/images/service';", 'api/a.ts'],
    ["// import { x } from '@cleat/engine/config';", 'protocol/a.ts'],
    ["import { x } from './b.js';", 'protocol/a.ts'],
  ])('lets %s pass', (source, file) => {
    expect(importsOf(source).map((one) => complaint(file, one))).toEqual(importsOf(source).map(() => undefined));
  });
});
