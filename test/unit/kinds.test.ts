import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kinds } from '@cleat/protocol/kinds/index';
import { describe, expect, test } from 'vitest';

/** A kind is one value, and what has to be written for it has the same name in every layer (CONTRIBUTING.md). */
const root = fileURLToPath(new URL('../../', import.meta.url));

test('the list has every kind that there is, and no label or capability twice', () => {
  const files = readdirSync(join(root, 'protocol/kinds')).filter((name) => !/test|^index|^kind\.ts$/.test(name));
  expect(kinds.map(({ label }) => `${label}.ts`).sort()).toEqual(files.sort());
  expect(new Set(kinds.map(({ label }) => label)).size).toBe(kinds.length);
  expect(new Set(kinds.map(({ name }) => name.toLowerCase())).size).toBe(kinds.length);
});

describe.each(kinds)('$label', (kind) => {
  const { label } = kind;

  test('has its contract, suite, flaws, script, template, page and reference', () => {
    const files = [
      `protocol/kinds/${label}.ts`,
      ...[
        'suite.ts',
        'steps.ts',
        'healthy.fixture.ts',
        'flaws.fixture.ts',
        'script.fixture.ts',
        `${label}.test.ts`,
      ].map((file) => `conformance/kinds/${label}/${file}`),
      `create/templates/${label}/plugin.ts`,
      `create/templates/${label}/facts.json`,
      `docs/guide/kinds/${label}.md`,
      `docs/reference/kinds/${label}.md`,
    ];
    expect(files.filter((file) => !existsSync(root + file))).toEqual([]);
  });

  test('is exported by the SDK under its label', async () => {
    expect((await import('@cleat/sdk')) as Record<string, unknown>).toHaveProperty(`${label}Kind`, kind);
  });

  test('is named in the README, and in that of the SDK', () => {
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(kind.title.toLowerCase().replace(/e?s$/, ''));
    expect(readFileSync(join(root, 'sdk/README.md'), 'utf8')).toContain(`\`${label}Kind\``);
  });

  test('says what it is in words that fit where they are used', () => {
    expect(label).toMatch(/^[a-z]+$/);
    expect(kind.title).toMatch(/^[A-Z][a-z]+$/);
    expect(kind.called).toMatch(/^[A-Za-z]+( [a-z]+)+$/);
    expect(kind.does).toMatch(/^[a-z].*[^.]$/);
    expect(kind.about.startsWith(`${kind.title}: `)).toBe(true);
  });
});

test('no other list of capabilities is kept by hand', () => {
  const names = kinds.map(({ name }) => name);
  const rooms = ['protocol', 'extensions', 'engine', 'api', 'cli', 'create', 'sdk', 'conformance'];
  const sources = rooms.flatMap(sourcesIn);
  expect(sources.length).toBeGreaterThan(300);
  // Three or more of them in one file are a list.
  const lists = sources.filter((file) => {
    const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
    const quoted = names.filter((name) => text.includes(`'${name}'`));
    const values = kinds.filter(({ label }) => new RegExp(`\\b${label}Kind\\b`).test(text));
    return quoted.length > 2 || values.length > 2;
  });
  expect(lists.filter((file) => !known.some((end) => file.endsWith(end)))).toEqual(['protocol/kinds/index.ts']);
});

/** Files that name three kinds or more, and why that is no list of all. */
const known: readonly string[] = ['conformance/recording/script.ts', '/needs.ts'];

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return ['node_modules', 'dist', 'templates'].includes(entry.name) ? [] : sourcesIn(path);
    return /(?<!\.test|\.fixture)\.ts$/.test(entry.name) ? [path] : [];
  });
}
