import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const launchers = fileURLToPath(new URL('../../bin', import.meta.url));

test.each(['cleat', 'cleatd'])('%s runs from its bundle until something was built since', (name) => {
  const root = mkdtempSync(join(tmpdir(), 'cleat-bundle-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const put = (path: string, text: string, seconds: number) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    utimesSync(file, seconds, seconds);
  };
  cpSync(launchers, join(root, 'bin'), { recursive: true });
  const run = () => execFileSync('sh', [join(root, 'bin', name)], { encoding: 'utf8' }).trim();
  put('package.json', '{"type":"module"}', 1);
  put(`cli/dist/${name}/main.js`, "console.log('built')", 10);
  put('cli/dist/.tsbuildinfo', '', 10);
  put('engine/dist/.tsbuildinfo', '', 10);
  expect(run()).toBe('built');
  put(`cli/dist/bundle/${name}.js`, "console.log('bundle')", 20);
  expect(run()).toBe('bundle');
  put('engine/dist/.tsbuildinfo', '', 30);
  expect(run()).toBe('built');
});
