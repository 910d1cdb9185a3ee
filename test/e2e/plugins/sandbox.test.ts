import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setXattr } from '@cleat/linux/syscall/files';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listMounts } from '../../../linux/mount/mountinfo.js';
import { clientOf } from '../support/client.js';
import { type Engine, startEngine } from '../support/engine.js';
import { installed, managedPlugin } from '../support/managed-plugin.js';

/** Plugins may do only what they were granted, as the stock client shows. Tests beside the code hold each grant. */
let engine: Engine;
let directory: string;
let plain: string;
beforeAll(async () => {
  directory = await mkdtemp('/tmp/cleat-mp-');
  engine = await startEngine();
  plain = managedPlugin(directory);
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
const { ok, refused } = clientOf(() => engine);
const launcher = fileURLToPath(new URL('../../../bin/cleat', import.meta.url));
const logs = async (name: string) =>
  (await promisify(execFile)(launcher, ['extensions', 'logs', name, '-H', `unix://${engine.socket}`])).stdout;

interface Shown {
  Id: string;
}
const idOf = async (name: string) => (JSON.parse(await ok('plugin', 'inspect', name)) as Shown[])[0]?.Id ?? '';
const bundleOf = (id: string) => join(engine.execRoot, 'plugins', id.slice(0, 16));
const pidOf = (id: string) => Number(readFileSync(join(bundleOf(id), 'pid'), 'utf8'));
const run = (driver: string, volume: string, script: string) =>
  ok('run', '--rm', '--network=none', '--volume-driver', driver, '-v', `${volume}:/d`, 'busybox', 'sh', '-c', script);

test('a volume plugin lives on when the engine is killed, and is found again with what it printed', async () => {
  await installed(engine, 'lives:latest', plain);
  await run('lives', 'kept', 'echo content >/d/file');
  const pid = pidOf(await idOf('lives'));
  expect(await logs('lives:latest')).toContain('started as 1');
  await engine.kill('SIGKILL');
  await engine.restart();
  expect(await run('lives', 'kept', 'cat /d/file')).toBe('content');
  expect(pidOf(await idOf('lives'))).toBe(pid);
  expect(await logs('lives:latest')).toContain('started as 1');
  // Its own end is dealt with in a moment: the next call waits for the next one.
  process.kill(pid, 'SIGKILL');
  expect(await run('lives', 'kept', 'cat /d/file')).toBe('content');
  expect(pidOf(await idOf('lives'))).not.toBe(pid);
});

describe('a mount point that leads out of the plugin', () => {
  test.each([
    ['up', '/mnt/volumes/../../etc', 'which is no plain absolute path of a directory'],
    ['sibling', '/mnt/volumes2/../../etc', 'which is no plain absolute path of a directory'],
    ['nothing', '/mnt/volumes/none', 'which does not exist'],
    ['beside', '/mnt/volumes-too', 'which does not exist'],
    ['file', '/plugin.mjs', 'ot a directory'],
    ['link', '/mnt/volumes/link', 'which leads out of its own files'],
  ])('is refused: %s', async (name, mountpoint, text) => {
    const before = name === 'link' ? 'ln -sf /etc /mnt/volumes/link' : '';
    await installed(engine, `${name}:latest`, plain, `MOUNTPOINT=${mountpoint}`, `BEFORE=${before}`);
    const said = await refused('run', '--rm', '--volume-driver', name, '-v', `${name}:/d`, 'busybox', 'ls', '/d');
    expect(said).toContain(text);
    await ok('plugin', 'disable', '-f', name);
  });

  test('and one in its own root file system is there', async () => {
    await installed(engine, 'inside:latest', plain, 'MOUNTPOINT=/elsewhere');
    await run('inside', 'inside-volume', 'echo inside >/d/file');
    const mountpoint = await ok('volume', 'inspect', '-f', '{{.Mountpoint}}', 'inside-volume');
    expect(readFileSync(join(mountpoint, 'file'), 'utf8')).toBe('inside\n');
    await ok('plugin', 'disable', '-f', 'inside');
  });
});

test('with a bridge it has a network of its own, which goes with it', async () => {
  const place = managedPlugin(directory, { network: { type: 'bridge' } });
  const gateway = `${engine.prefix}.0.1`;
  await installed(engine, 'net:latest', place, `BEFORE=ip addr; ping -c1 -W5 ${gateway}; cat /etc/hosts`);
  const shown = await logs('net:latest');
  expect(shown).toContain(`inet ${engine.prefix}.0.`);
  expect(shown).toContain('1 packets received');
  const id = await idOf('net');
  expect(shown).toContain(id.slice(0, 12));
  expect(await ok('network', 'inspect', 'bridge')).toContain(id);
  await engine.kill('SIGKILL');
  await engine.restart();
  expect(await ok('network', 'inspect', 'bridge')).toContain(id);
  await run('net', 'data', 'true');
  await ok('plugin', 'disable', '-f', 'net');
  expect(await ok('network', 'inspect', 'bridge')).not.toContain(id);
});

test('the error of a plugin that cannot be enabled holds its last output', async () => {
  await ok('plugin', 'create', 'broken:latest', plain);
  await ok('plugin', 'set', 'broken', 'BEFORE=echo the disk is upside down >&2; exit 7');
  expect(await refused('plugin', 'enable', '--timeout', '5', 'broken')).toContain('the disk is upside down');
  await ok('plugin', 'rm', 'broken');
});

test('a log driver that is not root reads the output of its containers, and of no others', async () => {
  const manifest = {
    interface: { types: ['docker.logdriver/1.0'], socket: 'p.sock' },
    user: { uid: 1234, gid: 1234 },
    propagatedMount: '',
  };
  await installed(engine, 'logger:latest', managedPlugin(directory, manifest), 'KIND=log');
  await ok('run', '-d', '--name', 'other', 'busybox', 'sh', '-c', 'echo not for it');
  const id = await ok('run', '-d', '--name', 'told', '--log-driver', 'logger', 'busybox', 'echo', 'a line for it');
  await ok('wait', 'told');
  await expect.poll(() => logs('logger:latest')).toMatch(/got .*a line for it/);
  await expect.poll(() => logs('logger:latest')).toContain(`stops /run/docker/logging/${id}`);
  expect(await logs('logger:latest')).not.toContain('not for it');
  await ok('rm', 'told', 'other');
  await ok('plugin', 'disable', 'logger');
});

test('a shell in its sandbox is what the plugin is', async () => {
  const manifest = { user: { uid: 77, gid: 78 } };
  await installed(engine, 'entered:latest', managedPlugin(directory, manifest));
  const enter = (...command: string[]) =>
    new Promise<string>((resolve) => {
      const args = ['extensions', 'shell', '-H', `unix://${engine.socket}`, 'entered', '--', ...command];
      const child = execFile(launcher, args, (_, stdout, stderr) => resolve(`${child.exitCode} ${stdout}${stderr}`));
      child.stdin?.end('echo typed; id -g');
    });
  expect(await enter('sh', '-c', 'id -u; ls /plugin.mjs; exit 5')).toBe('5 77\n/plugin.mjs\n');
  expect(await enter()).toBe('0 typed\n78\n');
  expect(await enter('nothing')).toContain('nothing');
  await ok('plugin', 'disable', 'entered');
  expect(await enter('id')).toContain('is disabled');
});

test('capabilities of its files come with its package, and are worth what was granted', async () => {
  const manifest = { user: { uid: 1234, gid: 1234 }, propagatedMount: '' };
  const place = managedPlugin(directory, manifest);
  // Some of the usual ones, and one that must be asked for.
  for (const [name, index] of [
    ['raw', 13],
    ['admin', 21],
  ] as const) {
    const program = join(place, 'rootfs/bin', `busybox-${name}`);
    copyFileSync('/bin/busybox', program);
    const value = Buffer.alloc(20);
    value.writeUInt32LE(0x02000001, 0);
    value.writeUInt32LE(1 << index, 4);
    setXattr(program, 'security.capability', value);
  }
  const archive = join(directory, 'capable.oci.tar');
  const cleat = promisify(execFile);
  await cleat(launcher, ['package', place, '--output', archive]);
  await cleat(launcher, ['plugins', 'load', '-H', `unix://${engine.socket}`, 'capable', archive]);
  await ok(
    ...['plugin', 'set', 'capable', 'KIND='],
    'BEFORE=for b in raw admin; do /bin/busybox-$b grep CapEff /proc/self/status 2>&1 || echo no $b; done',
  );
  await ok('plugin', 'enable', 'capable');
  const said = await logs('capable:latest');
  expect(said).toMatch(/CapEff:\s+0{12}2000/);
  expect(said).toContain('no admin');
  await ok('plugin', 'disable', 'capable');
});

describe('a runtime as a plugin', () => {
  const runtime = '#!/bin/sh\necho "$MARK $*" >>"$(dirname "$0")/../../../../../calls"\nexec runc "$@"\n';
  const manifest = {
    entrypoint: ['/bin/wrapper', '--debug'],
    interface: { types: ['docker.runtime/1.0'], socket: '' },
    mounts: null,
    propagatedMount: '',
    env: [{ name: 'MARK', description: '', value: 'marked', settable: ['value'] }],
  };

  test('is shown as what it is, runs containers, and is in use while it does', async () => {
    const place = managedPlugin(directory, manifest, { 'bin/wrapper': runtime });
    await ok('plugin', 'create', 'wrapped:latest', place);
    expect(await refused('run', '--rm', '--runtime', 'wrapped', 'busybox', 'true')).toContain(
      'the runtime wrapped:latest is a plugin that is disabled',
    );
    await ok('plugin', 'enable', 'wrapped');
    expect(await ok('info', '--format', '{{json .Runtimes}}')).toContain('wrapped:latest');
    await ok('run', '-d', '--name', 'by-plugin', '--runtime', 'wrapped', 'busybox', 'sleep', '1000');
    expect(await ok('inspect', '-f', '{{.HostConfig.Runtime}}', 'by-plugin')).toBe('wrapped:latest');
    expect(readFileSync(join(engine.directory, 'calls'), 'utf8')).toMatch(/^marked --debug .* create /m);
    expect(await refused('plugin', 'disable', 'wrapped')).toContain('in use: runtime (container by-plugin)');
    await engine.kill('SIGKILL');
    await engine.restart();
    expect(await ok('exec', 'by-plugin', 'echo', 'still here')).toBe('still here');
    await ok('rm', '-f', 'by-plugin');
    await ok('plugin', 'disable', 'wrapped');
    expect(listMounts(bundleOf(await idOf('wrapped')))).toEqual([]);
  });

  test('that cannot run here is not enabled, and says why', async () => {
    const failing = { 'bin/wrapper': '#!/bin/sh\necho wrong processor >&2\nexit 3\n' };
    await ok('plugin', 'create', 'foreign:latest', managedPlugin(directory, manifest, failing));
    expect(await refused('plugin', 'enable', 'foreign')).toContain('does not run on this host: wrong processor');
    const elsewhere = { ...manifest, entrypoint: ['/lib/nothing'] };
    await ok('plugin', 'create', 'empty:latest', managedPlugin(directory, elsewhere));
    expect(await refused('plugin', 'enable', 'empty')).toContain('its Entrypoint /lib/nothing is no program in it');
  });
});

test('nothing of it is left on the host', async () => {
  const names = (await ok('plugin', 'ls', '-q', '--no-trunc')).split('\n').filter(Boolean);
  for (const name of names) await ok('plugin', 'rm', '-f', name);
  expect(listMounts(engine.directory).filter(({ target }) => target.includes('plugin'))).toEqual([]);
  expect(engine.log()).not.toContain('while clearing up behind a plugin');
});
