import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nameOf } from '@cleat/linux/rootfs/names';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundled } from './bundle.js';
import { readProject } from './project.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-bundle-test-');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A project of two modules and a package, and what becomes of it. */
async function made(more: Record<string, unknown> = {}, top = 'app') {
  const files = {
    'package.json': { type: 'module', bin: 'dist/main.js', dependencies: { dep: '1' } },
    'dist/main.js':
      "import { hello } from 'dep';\nimport { name } from './name.js';\nprocess.stdout.write(hello(name));",
    'dist/name.js': "export const name = 'you';",
    'node_modules/dep/package.json': { type: 'module', exports: './index.js' },
    'node_modules/dep/index.js': "import './more.js';\nexport const hello = (name) => `hello ${name}`;",
    'node_modules/dep/more.js': 'export const unused = 1;',
    'node_modules/dep/LICENSE': 'terms',
    ...more,
  };
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, top, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  }
  const said: string[] = [];
  const { tree } = await bundled(readProject(join(directory, top)), (line) => said.push(line));
  const main = tree.get(nameOf('app/dist/main.js'));
  const code = main?.type === 'file' && Buffer.isBuffer(main.from) ? main.from.toString() : undefined;
  const entries = tree.sorted().filter(([, entry]) => entry.type !== 'directory');
  return { said, code, names: entries.map(([name]) => `${name}`) };
}

test('a project becomes one file that does the same, beside its data and the terms of its packages', async () => {
  const { said, code = '', names } = await made({ 'data/table.json': {} });
  expect(said).toEqual([]);
  expect(names).toEqual([
    'app/data/table.json',
    'app/dist/main.js',
    'app/node_modules/dep/LICENSE',
    'app/package.json',
  ]);
  expect(code).not.toContain('import ');
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })).toBe('hello you');
});

test('the same project is the same file, wherever it lies', async () => {
  const first = await made({}, 'one');
  const second = await made({}, 'deeper/two');
  expect(first.code).toBeDefined();
  expect(second.code).toBe(first.code);
});

test('CommonJS asks for built-in modules', async () => {
  const { said, code = '' } = await made({
    'package.json': { bin: 'dist/main.js', dependencies: { dep: '1' } },
    'dist/main.js': "const { hello } = require('dep');\nprocess.stdout.write(hello('you'));",
    'node_modules/dep/package.json': { main: 'index.js' },
    'node_modules/dep/index.js': "const { sep } = require('path');\nexports.hello = (name) => `${sep}${name}`;",
    'node_modules/dep/more.js': '',
  });
  expect(said).toEqual([]);
  expect(execFileSync(process.execPath, ['--input-type=commonjs', '-e', code], { encoding: 'utf8' })).toBe('/you');
});

test('code beside what the program leads to stays, with the packages that it may need', async () => {
  const { code, names } = await made({
    'dist/main.js':
      "import { Worker } from 'node:worker_threads';\nnew Worker(new URL('./worker.js', import.meta.url));",
    'dist/worker.js': "import 'dep';",
  });
  expect(code).toContain('worker.js');
  expect(names).toEqual(expect.arrayContaining(['app/dist/worker.js', 'app/node_modules/dep/index.js']));
});

test.each([
  ['looks for files beside itself', 'export const hello = () => new URL("./table", import.meta.url).href;'],
  [
    'finds code by name',
    "import { createRequire } from 'node:module';\nexport const hello = (name) => createRequire(name)(name);",
  ],
  ['a name only a run knows', 'export const hello = (name) => import(name);'],
  ['Could not resolve', "import missing from 'missing';\nexport const hello = () => missing;"],
  ['native', "import './more.js';\nexport const hello = () => 1;", { 'node_modules/dep/binding.node': 'x' }],
])('a package that %s is left as it is', async (why, code, more: Record<string, unknown> = {}) => {
  const { said, names } = await made({ 'node_modules/dep/index.js': code, ...more });
  expect(said).toHaveLength(1);
  expect(said[0]).toContain('not bundled into one file: ');
  if (!why.startsWith('a name')) expect(said[0]).toContain(why);
  expect(names).toContain('app/node_modules/dep/index.js');
});
