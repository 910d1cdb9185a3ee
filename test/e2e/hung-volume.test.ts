import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, type ExpectStatic, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { FixedVolumePlugin, SilentMount } from './support/silent.js';

/**
 * A volume whose back end hangs costs who uses it an error within a deadline, and nobody else anything. Several hang at
 * once on one engine: each waits for a deadline.
 */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.[Symbol.asyncDispose]());
const { ok, refused } = clientOf(() => engine);

/** Does the work of other clients; each step would wait if any part of the engine waited. */
async function othersGoOn(expect: ExpectStatic, mine: string): Promise<void> {
  const id = await ok('run', '-d', '-v', `${mine}:/d`, 'busybox', 'sh', '-c', 'echo x > /d/f; sleep 1000');
  expect(await ok('exec', id, 'cat', '/d/f')).toBe('x');
  expect(await ok('ps', '-q', '--no-trunc')).toContain(id);
  await ok('cp', `${id}:/d/f`, '-');
  await ok('volume', 'ls', '-q');
  await ok('rm', '-f', id);
  await ok('volume', 'rm', mine);
}

describe.skipIf(!existsSync('/dev/fuse'))('a silent file system under a volume', { concurrent: true }, () => {
  test('start fails within its deadline, and others go on until then', async ({ expect }) => {
    await using silent = await SilentMount.make();
    await using _plugin = new FixedVolumePlugin(join(engine.pluginDirectory, 'silent.sock'), silent.path);
    await ok('volume', 'create', '-d', 'silent', 'hung');
    const stuck = engine.docker('run', '--name', 'stuck-late', '-v', 'hung:/h', 'busybox', 'ls', '/h', {
      timeoutMs: 240_000,
    });
    await expect.poll(() => ok('ps', '-aq', '--filter', 'name=stuck-late')).not.toBe('');
    await othersGoOn(expect, 'mine-late');
    const { code, stderr } = await stuck;
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringMatching(/did not finish within/) });
    await ok('rm', 'stuck-late');
    await ok('volume', 'rm', 'hung');
  });

  test('a start that hangs is ended by rm -f', async ({ expect }) => {
    await using silent = await SilentMount.make();
    await using plugin = new FixedVolumePlugin(join(engine.pluginDirectory, 'mute.sock'), silent.path);
    await ok('volume', 'create', '-d', 'mute', 'hanging');
    const stuck = engine.docker('run', '--name', 'stuck-ended', '-v', 'hanging:/h/deeper', 'busybox', 'true');
    await expect.poll(() => plugin.calls).toContain('Mount');
    await ok('rm', '-f', 'stuck-ended');
    expect((await stuck).code).toBe(125);
    await expect.poll(() => plugin.calls).toContain('Unmount');
    await ok('volume', 'rm', 'hanging');
  });

  test('a process that it holds in the kernel cannot be killed: rm -f says so, and works when the back end is gone', async ({
    expect,
  }) => {
    await using silent = await SilentMount.make({ answers: true });
    await using _plugin = new FixedVolumePlugin(join(engine.pluginDirectory, 'stalls.sock'), silent.path);
    await ok('volume', 'create', '-d', 'stalls', 'stalling');
    const id = await ok(
      'run',
      '-d',
      '--name',
      'held',
      '-v',
      'stalling:/h',
      'busybox',
      'sh',
      '-c',
      'ls /h/x; sleep 1000',
    );
    await expect.poll(() => silent.stalled).toBe(true);
    const removed = refused('rm', '-f', 'held');
    await othersGoOn(expect, 'mine-held');
    expect(await ok('ps', '-q', '--no-trunc')).toContain(id);
    expect(await removed).toMatch(
      /could not kill container: tried to kill container, but did not receive an exit event/,
    );
    await silent[Symbol.asyncDispose]();
    await expect.poll(() => ok('inspect', '--format', '{{.State.Status}}', 'held')).toBe('exited');
    await ok('rm', '-f', 'held');
    await ok('volume', 'rm', 'stalling');
  });
});

describe('a volume plugin that does not answer', { concurrent: true }, () => {
  test('rm -f ends a start that waits for Mount', async ({ expect }) => {
    await using plugin = new FixedVolumePlugin(join(engine.pluginDirectory, 'deaf.sock'), '/tmp');
    await ok('volume', 'create', '-d', 'deaf', 'unheard');
    plugin.hang.add('Mount');
    const stuck = engine.docker('run', '--name', 'stuck-waiting', '-v', 'unheard:/h', 'busybox', 'true');
    await expect.poll(() => plugin.calls).toContain('Mount');
    await othersGoOn(expect, 'mine-waiting');
    await ok('rm', '-f', 'stuck-waiting');
    expect((await stuck).code).toBe(125);
    plugin.hang.clear();
    await ok('volume', 'rm', 'unheard');
  });
});
