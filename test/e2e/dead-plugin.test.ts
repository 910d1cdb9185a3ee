import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { Program } from './support/program.js';

/**
 * A volume plugin that died, with its socket left behind: Docker's daemon then needs 22 s for `volume ls` and 60 s to say
 * that a volume is missing, until it is restarted.
 */
const noRemove = fileURLToPath(new URL('../../examples/no-remove/dist/main.js', import.meta.url));
const cleat = fileURLToPath(new URL('../../bin/cleat', import.meta.url));

let engine: Engine;
const { ok } = clientOf(() => engine);
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

const socket = (): string => join(engine.pluginDirectory, 'mortal.sock');
const plugin = (): Program =>
  new Program(process.execPath, [noRemove, '--socket', socket(), '--root', join(engine.directory, 'kept')]);
const warnings = async (): Promise<string[]> => {
  const { Warnings } = JSON.parse((await engine.api('GET', '/info')).body) as { Warnings: string[] };
  return Warnings.filter((warning) => warning.includes('Extension'));
};
const volumes = async () =>
  JSON.parse((await engine.api('GET', '/volumes')).body) as { Volumes: { Name: string }[]; Warnings: string[] | null };

test('a dead plugin holds nobody up, is shown, and needs no restart of the engine when it is back', async () => {
  const first = plugin();
  await first.made(socket());
  await ok('volume', 'create', '-d', 'mortal', 'kept');
  expect(await warnings()).toEqual([]);
  await first.end('SIGKILL');
  expect(existsSync(socket())).toBe(true);

  // Far less than Docker's daemon takes; more than a loaded machine does.
  const prompt = { timeoutMs: 15_000 };
  for (let time = 0; time < 3; time++) {
    expect(await engine.docker('volume', 'ls', '-q', prompt)).toMatchObject({ code: 0, stdout: 'kept\n' });
    expect((await engine.docker('volume', 'inspect', 'missing', prompt)).stderr).toMatch(/no such volume/i);
    expect(await engine.docker('volume', 'inspect', '-f', '{{.Driver}}', 'kept', prompt)).toMatchObject({
      stdout: 'mortal\n',
    });
  }
  expect(
    (await engine.docker('run', '--rm', '-v', 'kept:/k', 'busybox', 'true', { timeoutMs: 30_000 })).stderr,
  ).toContain('plugin "mortal" does not answer: nobody listens at');
  expect(await ok('run', '--rm', '-v', 'other:/o', 'busybox', 'echo', 'fine')).toBe('fine');
  expect((await volumes()).Warnings).toEqual([expect.stringContaining('plugin "mortal" does not answer')]);
  expect(await warnings()).toEqual([
    expect.stringContaining('WARNING: Extension mortal (VolumeDriver) is unreachable: plugin "mortal" does not answer'),
  ]);
  const { stdout } = await promisify(execFile)(cleat, ['extensions', 'ls', '-H', `unix://${engine.socket}`]);
  expect(stdout).toMatch(/^mortal +- +VolumeDriver +socket +unreachable .*nobody listens at/m);

  await using _ = plugin();
  await expect.poll(async () => (await volumes()).Warnings).toBeNull();
  expect(await ok('run', '--rm', '-v', 'kept:/k', 'busybox', 'echo', 'back')).toBe('back');
  expect(await warnings()).toEqual([]);
  await ok('volume', 'rm', 'kept', 'other');
});

test('the engine answers although a FIFO lies in the plugin directory', async () => {
  await promisify(execFile)('mkfifo', [join(engine.pluginDirectory, 'trap.spec')]);
  expect((await engine.docker('volume', 'ls', '-q', { timeoutMs: 15_000 })).code).toBe(0);
  expect((await engine.docker('volume', 'create', '-d', 'trap', { timeoutMs: 15_000 })).stderr).toContain(
    'trap.spec: it is not a regular file',
  );
});
