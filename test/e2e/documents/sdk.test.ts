import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandsOf, shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { compileShown, programsBeside } from '../support/shown-programs.js';

/** The README of the kit. */
let engine: Engine;
const { ok, run, socketOf, startPlugin } = programsBeside(() => engine);
/** Where the TypeScript that is shown was compiled to. */
let compiled: string;
beforeAll(async () => {
  engine = await startEngine();
  compiled = await compileShown(join(engine.directory, 'package'), {
    'mine.ts': shown('sdk/README.md', 'import { mkdirSync'),
    'remote.ts': shown('sdk/README.md', 'import { execFile'),
    'pools.ts': shown('sdk/README.md', 'import { DurableMap'),
    'plain.ts': shown('docs/guide/kinds/volume.md', 'import { mkdir'),
    'plain.test.ts': shown('sdk/README.md', 'import assert').replaceAll('/srv/plain', join(engine.directory, 'tested')),
  });
});
afterAll(() => engine[Symbol.asyncDispose]());

test('SDK: the plugin of its README is served, and tells how it is', async () => {
  const root = join(engine.directory, 'mine');
  const socket = socketOf('mine');
  await using _ = await startPlugin(join(compiled, 'mine.js'), 'mine', '--root', root);
  const [start, ...use] = commandsOf(shown('sdk/README.md', 'node mine.js'));
  expect(start).toBe('node mine.js --root /srv/mine &');
  const printed = await run(substitute(use.join('\n'), { '/run/docker/plugins/mine.sock': socket }));
  expect(printed).toMatch(/^data\s+\{"status":"ok","name":"mine"/);
  expect(await ok('run', '--rm', '-v', 'data:/d', 'busybox', 'sh', '-c', 'echo kept > /d/file; cat /d/file')).toBe(
    'kept',
  );
  expect(readFileSync(join(root, 'data/file'), 'utf8')).toBe('kept\n');
  expect(await run(`curl -sS --unix-socket ${socket} http://plugin/metrics`)).toMatch(/^mine_volumes 1$/m);
  await ok('volume', 'rm', 'data');
});

test('SDK: one mount for several containers', async () => {
  const places = ['--root', join(engine.directory, 'remote'), '--state', join(engine.directory, 'remote-state')];
  await using _ = await startPlugin(join(compiled, 'remote.js'), 'remote', ...places);
  expect(await run(shown('sdk/README.md', 'docker volume create -d remote'))).toMatch(/^hello\r?$/m);
  expect(await ok('volume', 'ls', '-q', '-f', 'driver=remote')).toBe('');
  expect(listMounts(join(engine.directory, 'remote'))).toEqual([]);
});

test('SDK: addresses', async () => {
  await using _ = await startPlugin(
    join(compiled, 'pools.js'),
    'pools',
    '--file',
    join(engine.directory, 'pools-journal'),
  );
  await ok('network', 'create', '--ipam-driver', 'pools', '--subnet', `${engine.prefix}.9.0/24`, 'drawn');
  const address = ['run', '--rm', '--network', 'drawn', 'busybox', 'ip', '-4', 'address', 'show', 'eth0'];
  expect(await ok(...address)).toContain(`inet ${engine.prefix}.9.2/24`);
  await ok('network', 'rm', 'drawn');
});

test('SDK: its test', async () => {
  mkdirSync(join(engine.directory, 'tested'));
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', join(compiled, 'plain.test.js')]);
  expect(stdout).toMatch(/pass 2/);
});
