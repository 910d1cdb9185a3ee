import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kindLabels } from '@cleat/protocol/kinds/index';
import { describe, expect, test } from 'vitest';

/** The documents for contributors name files that are there, and the files that they are asked to keep have their form. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const roomsOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );

/** Words that stand for one of several names. */
const standsFor: Readonly<Record<string, () => readonly string[]>> = {
  LABEL: () => kindLabels,
  ROOM: () => [...roomsOf('api'), ...roomsOf('engine')],
};

/** Paths in backticks, with the folder of the sentence before where only a file is named. */
function pathsIn(text: string): string[] {
  return [...text.matchAll(/`(\.?[\w.-]+(?:\/[\w.-]+)*\/?)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => path.includes('/') || /^[\w-]+\.(md|json|yaml)$/.test(path) || path === './check');
}

function isThere(path: string): boolean {
  const [word, names] = Object.entries(standsFor).find(([key]) => path.includes(key)) ?? [];
  if (word === undefined || names === undefined) return existsSync(join(root, path));
  return names().some((name) => existsSync(join(root, path.replace(word, name))));
}

describe.each(['CONTRIBUTING.md', 'SECURITY.md', 'ARCHITECTURE.md'])('%s', (document) => {
  test('names files that are there', () => {
    const paths = pathsIn(read(document)).filter(
      (path) => !/^(@cleat|facts\.json)/.test(path) && !path.startsWith('sys/'),
    );
    if (document === 'CONTRIBUTING.md') expect(paths.length).toBeGreaterThan(30);
    // The drawing of the house names rooms without where they lie.
    const whole =
      document !== 'ARCHITECTURE.md' ? paths : paths.filter((path) => existsSync(join(root, path.split('/')[0] ?? '')));
    expect(whole.filter((path) => !isThere(path))).toEqual([]);
  });

  test('links to documents that are there', () => {
    const links = [...read(document).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });
});

test('the checker finds a file that is gone, and reads what stands for several', () => {
  expect(pathsIn('see `engine/x.ts`, `api/ROOM/routes.ts` and `cleat_`')).toEqual([
    'engine/x.ts',
    'api/ROOM/routes.ts',
  ]);
  expect(isThere('engine/x.ts')).toBe(false);
  expect(isThere('api/ROOM/routes.ts')).toBe(true);
  expect(isThere('protocol/kinds/LABEL.ts')).toBe(true);
  expect(isThere('protocol/kinds/LABEL.js')).toBe(false);
});

test('there is a recipe for everything that is added often', () => {
  const recipes = [...read('CONTRIBUTING.md').matchAll(/^### (.*)$/gm)].map(([, name]) => name);
  expect(recipes).toEqual(['A battery', 'A kind', 'An extension point', 'A route', 'An option', 'A metric']);
});

test('the changelog has the form of Keep a Changelog, and something unreleased', () => {
  const text = read('CHANGELOG.md');
  const versions = [...text.matchAll(/^## (.*)$/gm)].map(([, name = '']) => name);
  expect(versions[0]).toBe('[Unreleased]');
  for (const version of versions.slice(1)) expect(version).toMatch(/^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/);
  const sections = [...text.matchAll(/^### (.*)$/gm)].map(([, name = '']) => name);
  const known = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
  expect(sections.filter((name) => !known.includes(name))).toEqual([]);
});

test('every package has the licence that LICENSE is', () => {
  const packages = ['.', ...roomsOf('.'), ...roomsOf('examples').map((name) => `examples/${name}`)]
    .map((folder) => join(folder, 'package.json'))
    .filter((path) => existsSync(join(root, path)) && !path.startsWith('node_modules'));
  expect(packages.length).toBeGreaterThan(18);
  const others = packages.filter((path) => (JSON.parse(read(path)) as { license?: string }).license !== 'Apache-2.0');
  expect(others).toEqual([]);
  expect(read('LICENSE')).toContain('Apache License\n                           Version 2.0, January 2004');
});

test('editors do what the formatter does', () => {
  const { formatter } = JSON.parse(read('biome.json')) as {
    formatter: { indentStyle: string; indentWidth: number; lineWidth: number };
  };
  const lines = read('.editorconfig').split('\n');
  expect(lines).toContain(`indent_style = ${formatter.indentStyle}`);
  expect(lines).toContain(`indent_size = ${formatter.indentWidth}`);
  expect(lines).toContain(`max_line_length = ${formatter.lineWidth}`);
});

test('the development container is privileged, and sets up what check needs', () => {
  const text = read('.devcontainer/devcontainer.json').replaceAll(/^\s*\/\/.*$/gm, '');
  const { image, privileged, postCreateCommand } = JSON.parse(text) as Record<string, unknown>;
  expect({ image, privileged, postCreateCommand }).toEqual({
    image: 'node:20-bookworm',
    privileged: true,
    postCreateCommand: './check --setup',
  });
});
