import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { Program } from './support/program.js';

/** A volume plugin that people use, unmodified: a FUSE file system per volume, served by one process. */
let engine: Engine;
let scratch: string;
let remote: string;
let socket: string;
const { ok, refused } = clientOf(() => engine);

beforeEach(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-rclone-');
  remote = join(scratch, 'remote');
  await mkdir(remote);
  await writeFile(join(scratch, 'rclone.conf'), '[disk]\ntype = local\n');
  engine = await startEngine();
  socket = join(engine.pluginDirectory, 'rclone.sock');
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  // Those of an rclone that was killed, should the test have failed before it saw to them.
  for (const target of await mounts()) unmount(target);
  await rm(scratch, { recursive: true, force: true });
});

/** Its state is in the cache directory, and kept from one to the next. */
async function rclone(): Promise<Program> {
  const program = new Program('rclone', [
    'serve',
    'docker',
    `--config=${join(scratch, 'rclone.conf')}`,
    `--socket-addr=${socket}`,
    `--base-dir=${join(scratch, 'volumes')}`,
    `--cache-dir=${join(scratch, 'cache')}`,
  ]);
  await program.made(socket);
  return program;
}

/** The FUSE file systems that it left in the host's table of mounts, living or dead. */
async function mounts(): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n').flatMap((line) => (line.includes(` ${scratch}/volumes/`) ? [line.split(' ')[4] ?? ''] : []));
}

const create = () =>
  ok('volume', 'create', '-d', 'rclone', '-o', `remote=disk:${remote}`, '-o', 'vfs-cache-mode=off', 'cloud');
const useIt = (name: string) =>
  ok('run', '-d', '--name', name, '--network', 'none', '-v', 'cloud:/c', 'busybox', 'sleep', '1000');
const read = (name: string) => ok('exec', name, 'cat', '/c/f');

/**
 * Cleans up before rclone starts after a kill, as an operator does: rclone forgets a volume whose mount point it cannot
 * look at, and version 1.60 waits for itself forever when its state names a mount (later ones do not).
 */
async function clearUp(): Promise<void> {
  for (const target of await mounts()) unmount(target);
  const path = join(scratch, 'cache/docker-plugin.state');
  const state = JSON.parse(await readFile(path, 'utf8')) as object[];
  await writeFile(path, JSON.stringify(state.map((volume) => ({ ...volume, mounts: [] }))));
}

test('one volume for two containers, through restarts of the engine and of rclone', async () => {
  {
    await using _ = await rclone();
    await create();
    expect(await ok('volume', 'inspect', '--format', '{{.Driver}} {{.Options.remote}}', 'cloud')).toBe(
      `rclone disk:${remote}`,
    );
    await useIt('writer');
    await useIt('reader');
    await ok('exec', 'writer', 'sh', '-c', 'echo through rclone > /c/f');
    expect(await read('reader')).toBe('through rclone');
    expect(await readFile(join(remote, 'f'), 'utf8')).toBe('through rclone\n');
    expect(await mounts()).toHaveLength(1);

    await engine.kill('SIGKILL');
    await engine.restart();
    expect(await read('reader')).toBe('through rclone');
    // One of two users leaves: the other keeps the mount, which it would not if the engine had counted anew.
    await ok('stop', '-t', '0', 'writer');
    expect(await read('reader')).toBe('through rclone');
    expect(await refused('volume', 'rm', 'cloud')).toContain('volume is in use');
  }
  // It ended in peace, and took its mounts along.
  expect(await mounts()).toEqual([]);
  await using _ = await rclone();
  expect(await ok('volume', 'ls', '--format', '{{.Driver}} {{.Name}}')).toBe('rclone cloud');
  // rclone no longer knows this container's Mount, and refuses its Unmount: that stops nothing.
  await ok('restart', '-t', '0', 'reader');
  await ok('start', 'writer');
  expect(await read('reader')).toBe('through rclone');
  await ok('exec', 'writer', 'sh', '-c', 'echo again > /c/f');
  expect(await read('reader')).toBe('again');

  await ok('rm', '-f', 'reader', 'writer');
  expect(await mounts()).toEqual([]);
  await ok('volume', 'rm', 'cloud');
  expect(await ok('volume', 'ls', '-q')).toBe('');
  // The volume's contents belong to the remote, which keeps them.
  expect(await readFile(join(remote, 'f'), 'utf8')).toBe('again\n');
});

test('kill -9 leaves a dead mount, which costs its users an error, and nobody else anything', async () => {
  const victim = await rclone();
  await create();
  await useIt('user');
  await ok('exec', 'user', 'sh', '-c', 'echo kept > /c/f');
  await ok('run', '-d', '--name', 'bystander', '--network', 'none', '-v', 'own:/d', 'busybox', 'sleep', '1000');
  await victim.end('SIGKILL');
  expect(await mounts()).toHaveLength(1);
  expect(await refused('exec', 'user', 'cat', '/c/f')).toContain('Transport endpoint is not connected');

  // The engine starts, and works, beside it.
  await engine.kill('SIGKILL');
  await engine.restart();
  expect((await ok('ps', '--format', '{{.Names}}')).split('\n').sort()).toEqual(['bystander', 'user']);
  expect(await ok('volume', 'ls', '-q')).toBe('cloud\nown');
  expect(await ok('volume', 'inspect', '--format', '{{.Driver}}', 'cloud')).toBe('rclone');
  await ok('exec', 'bystander', 'touch', '/d/x');
  await ok('restart', '-t', '0', 'bystander');
  for (const again of [
    ['restart', '-t', '0', 'user'],
    ['run', '--rm', '--network', 'none', '-v', 'cloud:/c', 'busybox', 'true'],
  ]) {
    expect(await refused(...again)).toContain('plugin "rclone" does not answer: nobody listens at');
  }

  await clearUp();
  await using _ = await rclone();
  await expect.poll(async () => (await engine.docker('start', 'user')).stderr).toBe('');
  expect(await read('user')).toBe('kept');
  await ok('rm', '-f', 'user');
  expect(await mounts()).toEqual([]);
  await ok('volume', 'rm', 'cloud');
});
