import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allBlocks, checkout, substitute } from './support/documents.js';
import { type Engine, startEngine } from './support/engine.js';
import { runShell } from './support/shell.js';

/** docs/guide/first-plugin.md, command by command, as somebody follows it. */
const blocks = allBlocks().filter(({ document }) => document === 'docs/guide/first-plugin.md');
const [make, use, spoil, ...more] = blocks.map(({ text }) => text);

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

test('a first plugin: made, verified, used, and spoiled', async () => {
  expect(more).toEqual([]);
  const packages = join(engine.directory, 'packages');
  // Not by npm: that would build the checkout, which other tests use.
  execFileSync('node', [join(checkout, 'packaging/pack.mjs'), packages], { stdio: 'ignore' });
  const socket = join(engine.pluginDirectory, 'hello.sock');
  const made = substitute(make ?? '', {
    'npm run pack          # the kit': '# the kit',
    './bin/cleat': 'cleat',
    'dist/packages': packages,
    'npm install': 'npm install --prefer-offline',
  });
  const own = `npm start -- --socket ${socket} --root ${engine.directory}/volumes &`;
  // As fast as a paste: nothing here waits but what the guide itself waits for.
  const used = substitute(use ?? '', { 'npm start &': own, '/run/docker/plugins/hello.sock': socket });
  const env = { DOCKER_HOST: `unix://${engine.socket}` };
  const printed = await runShell(
    `cd ${engine.directory}\n${made}\n${used}\nwait\n[ ! -e ${socket} ]`,
    engine.directory,
    env,
  );
  // On a terminal, as here, node's test runner has other marks than elsewhere.
  expect(printed).toMatch(/(#|ℹ) fail 0/);
  expect(printed).toContain(`hello is ready, at unix://${socket}`);
  expect(printed).toMatch(/^hello from a volume\r?$/m);
  expect(printed).toContain('"Driver": "hello"');
  const spoiled = await runShell(`cd ${engine.directory}/hello\n${spoil}`, engine.directory, env);
  const failed = /(not ok \d+ -|✖) Killed and started again, it knows its volumes \[volume\/crash-keeps-volumes\]/;
  expect(spoiled).toMatch(failed);
  expect(spoiled).toMatch(
    /expected {2}the volume that was made before\s+why it matters {2}An engine does not make them anew/,
  );
});
