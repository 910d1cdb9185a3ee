import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openings, phrases } from './plain-english.js';

/** Plain English in all rooms and documents; plain-english.ts is the list of phrases. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const rooms = [
  'protocol',
  'extensions',
  'sdk',
  'create',
  'conformance',
  'cli',
  'api',
  'batteries',
  'examples',
  'bench',
  'engine',
  'linux',
  'test',
];
const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'packaging',
  'docs/guide',
];

/** The faults of a text, one line each. */
function complaints(text: string): string[] {
  return text.split('\n').flatMap((line, at) => {
    const [, comment] = /(?:^|\s)(?:\/\*\*|\*|\/\/)\s+(?:@\w+\s+)?(.*)$/.exec(line) ?? [];
    // A line in the middle of a comment continues the one before.
    const begins = comment !== undefined && !/^\s*(\*|\/\/)\s/.test(line) ? true : opens(text, at);
    const [, name] = /\b(?:test|describe|it)(?:\.\w+)*(?:\([^()]*\))?\(\s*['"`](.*)$/.exec(line) ?? [];
    const first = name === undefined ? (begins ? comment : undefined) : capitalised(name);
    const found = [
      ...(first === undefined ? [] : openings.filter(({ pattern }) => pattern.test(first))),
      ...phrases.filter(({ pattern }) => pattern.test(line)),
    ];
    return found.map(({ instead }) => `${at + 1}: ${line.trim()} (write: ${instead})`);
  });
}

const capitalised = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** Whether the comment in a line is the first line of it. */
function opens(text: string, at: number): boolean {
  const lines = text.split('\n');
  const before = lines[at - 1] ?? '';
  const line = lines[at] ?? '';
  return /^\s*\/\//.test(line) ? !/^\s*\/\//.test(before) : /^\s*\/\*\*$/.test(before) || /^\s*\* @/.test(line);
}

/** Sentences of a page that begin where a comment must not. */
function sentences(text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').replace(/\n(?=\S)/g, ' ');
  return [...prose.matchAll(/(?:^|[.;:|] +|^- )((?:[A-Z])[^.]*)/gm)]
    .map(([, sentence = '']) => sentence)
    .filter((sentence) =>
      /^(What(ever)? (is|was|the|an?)|Of (this|those|these)|One that|Who|Whom|Whose)\b/.test(sentence),
    );
}

function filesIn(path: string): string[] {
  if (/\.\w+$/.test(path)) return [path];
  return readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
    const inner = `${path}/${entry.name}`;
    if (entry.isDirectory()) return ['node_modules', 'dist'].includes(entry.name) ? [] : filesIn(inner);
    // This file and its list show what is wrong.
    return /(?<!plain-english|plain-english\.test)\.(ts|mjs|md|sh|yaml|template)$/.test(entry.name) ? [inner] : [];
  });
}

test('sources and documents are in plain English', () => {
  const files = [...rooms, ...documents].flatMap(filesIn);
  expect(files.length).toBeGreaterThan(400);
  const found = files.flatMap((file) =>
    complaints(readFileSync(join(root, file), 'utf8')).map((complaint) => `${file}:${complaint}`),
  );
  expect(found).toEqual([]);
});

test('sentences of the pages about kinds begin with their subject', () => {
  const pages = ['docs/guide/tried-plugins.md', ...filesIn('docs/guide/kinds')];
  expect(pages.length).toBeGreaterThan(7);
  const found = pages.flatMap((page) =>
    sentences(readFileSync(join(root, page), 'utf8')).map((one) => `${page}: ${one}`),
  );
  expect(found).toEqual([]);
  expect(sentences('It asks. What is there is kept.\nOne that hangs')).toEqual([
    'What is there is kept',
    'One that hangs',
  ]);
});

test.each([
  '/** Whoever waits for more. */',
  '  // What is left of it.',
  '/** Of all its lines. */',
  '/**\n * One that ends is started again.',
  ' * @returns whoever has it',
  'throw new Error(`it is not there any more`);',
  'Says how to mend it.',
  '/** Who may do everything. */',
  "test('what is kept', () => {",
  "  test.each(all)('whoever has it', () => {",
])('%j is found', (text) => {
  expect(complaints(text)).toHaveLength(1);
});

test.each([
  '/** The users who may do everything. */',
  '// Of course.',
  '/**\n * The process has ended, and this is\n * What nobody reads.',
  "const what = 'What is it?';",
  'The engine waits no longer; are there any more?',
])('%j is fine', (text) => {
  expect(complaints(text)).toEqual([]);
});
