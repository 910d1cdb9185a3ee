import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const program = fileURLToPath(new URL('../../bin/cleatd', import.meta.url));

test('the daemon runs from its bundle until something was built since', () => {
  const root = mkdtempSync(join(tmpdir(), 'cleat-bundle-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const put = (path: string, text: string, seconds: number) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    utimesSync(file, seconds, seconds);
  };
  mkdirSync(join(root, 'bin'));
  copyFileSync(program, join(root, 'bin/cleatd'));
  const run = () => execFileSync('sh', [join(root, 'bin/cleatd')], { encoding: 'utf8' }).trim();
  put('package.json', '{"type":"module"}', 1);
  put('cli/dist/cleatd/main.js', "console.log('built')", 10);
  put('cli/dist/.tsbuildinfo', '', 10);
  put('engine/dist/.tsbuildinfo', '', 10);
  expect(run()).toBe('built');
  put('cli/dist/bundle/cleatd.js', "console.log('bundle')", 20);
  expect(run()).toBe('bundle');
  put('engine/dist/.tsbuildinfo', '', 30);
  expect(run()).toBe('built');
});
