import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { checkout } from './support/documents.js';

/** Every export that a package declares exists, is built, and loads. */
const { workspaces } = JSON.parse(readFileSync(`${checkout}/package.json`, 'utf8')) as { workspaces: string[] };
const packages = workspaces.filter((folder) => !folder.includes('*'));
type Target = string | { types?: string; default?: string };

const exported = packages.flatMap((folder) => {
  const { name, exports } = JSON.parse(readFileSync(`${checkout}/${folder}/package.json`, 'utf8')) as {
    name: string;
    exports: Record<string, Target>;
  };
  return Object.entries(exports).flatMap(([path, target]) =>
    path.includes('*') ? [] : [{ folder, specifier: name + path.slice(1), target }],
  );
});

test.each(exported)('$specifier', async ({ folder, specifier, target }) => {
  const files = typeof target === 'string' ? [target] : [target.types, target.default];
  for (const file of files) expect(existsSync(`${checkout}/${folder}/${file}`), `${file}`).toBe(true);
  // The host of batteries is a program: it runs when it is loaded.
  if (!String(files.at(-1)).endsWith('.js') || specifier === '@cleat/sdk/host') return;
  const script = `console.log(Object.keys(await import(${JSON.stringify(specifier)})).length > 0)`;
  const loading = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: checkout });
  expect((await loading).stdout).toBe('true\n');
});
