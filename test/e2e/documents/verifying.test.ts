import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout, shown, substitute } from '../support/documents.js';
import { Program } from '../support/program.js';
import { runShell } from '../support/shell.js';
import { compileShown } from '../support/shown-programs.js';

/** The guide to verifying a plugin. Each start gives the plugin a place of its own, so all run at once. */
let directory: string;
let compiled: string;
const plugin = join(checkout, 'examples/no-remove/dist/main.js');
const run = (text: string): Promise<string> => runShell(text, directory, {}, 110_000);
const execute = promisify(execFile);

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-verifying-');
  const main = { 'node main.js': `node ${plugin}` };
  compiled = await compileShown(join(directory, 'package'), {
    'in-vitest.test.ts': substitute(shown('docs/guide/verifying-a-plugin.md', 'import { afterAll, test }'), main),
    'in-node.test.ts': substitute(shown('docs/guide/verifying-a-plugin.md', 'import { after, test }'), main),
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test.concurrent('in production, and for CI', async () => {
  const socket = join(directory, 'no-remove.sock');
  await using program = new Program(process.execPath, [plugin, '--socket', socket, '--root', join(directory, 'used')]);
  await program.made(socket);
  const production = { '/run/docker/plugins/no-remove.sock': socket };
  const text = substitute(shown('docs/guide/verifying-a-plugin.md', 'cleat verify /run'), production);
  expect(await run(text)).toMatch(/ 0 failed, .* [1-9]\d* skipped/);
  const [xml, json] = [join(directory, 'verdict.xml'), join(directory, 'verdict.json')];
  const own = { 'verify no-remove': `verify ${socket}`, 'verdict.xml': xml, 'verdict.json': json };
  const reports = shown('docs/guide/verifying-a-plugin.md', 'cleat verify no-remove --read-only --format tap');
  expect(await run(substitute(reports, own))).toMatch(/^TAP version 14\r?$/m);
  expect(readFileSync(xml, 'utf8')).toContain('<testsuite name="VolumeDriver"');
  expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ conformant: true });
});

test.concurrent('started', async () => {
  const own = {
    '/tmp/verified.sock': join(directory, 'verified.sock'),
    '--root /tmp/verified': `--root ${join(directory, 'verified')}`,
  };
  const text = substitute(shown('docs/guide/verifying-a-plugin.md', 'cleat verify /tmp'), own);
  expect(await run(text)).toContain('It is what engines expect.');
});

test.concurrent("in Node's test runner", async () => {
  const { stdout } = await execute('node', ['--test', join(compiled, 'in-node.test.js')], { cwd: directory });
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(stdout).toMatch(/^# pass [1-9]\d$/m);
});

test.concurrent('in vitest', async () => {
  const args = ['vitest', 'run', '--root', compiled, 'in-vitest.test.js'];
  const { stdout } = await execute('npx', args, { cwd: checkout, env: { ...process.env, NO_COLOR: '1' } });
  expect(stdout).toMatch(/Tests {2}[1-9]\d passed/);
});
