import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findCommand } from '@cleat/linux/host';
import { fastestRuntime } from '@cleat/linux/runtime/fastest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** A runtime is an extension too: any program with runc's command line. */
let engine: Engine;
let scratch: string;
let calls: string;
let runtimes: string[];
/** The fastest one that works here. */
let fastest: string;
const hasCrun = findCommand('crun') !== undefined;
beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-runtime-');
  calls = join(scratch, 'calls');
  const wrapper = join(scratch, 'wrapper');
  await writeFile(wrapper, `#!/bin/sh\necho "$@" >> ${calls}\nexec runc "$@"\n`);
  await chmod(wrapper, 0o755);
  runtimes = ['--add-runtime', `custom=${wrapper}`];
  fastest = (await fastestRuntime({ directory: scratch, cgroupParent: '' })).name;
  engine = await startEngine({ flags: runtimes });
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});
const { ok, refused } = clientOf(() => engine);

test('docker info shows them', async () => {
  const info = JSON.parse(await ok('info', '--format', '{{json .}}')) as {
    Runtimes: Record<string, unknown>;
    DefaultRuntime: string;
  };
  const stock = ['custom', 'io.containerd.runc.v2', 'runc'];
  expect(Object.keys(info.Runtimes).sort()).toEqual(hasCrun ? ['crun', ...stock] : stock);
  expect(info.DefaultRuntime).toBe(fastest);
  expect(engine.log()).toContain(`containers run with ${fastest}: `);
});

test('that crun works is found out once until the host boots again', async ({ skip }) => {
  skip(fastest !== 'crun', 'crun does not work here');
  const memory = join(scratch, 'crun-works');
  expect(await fastestRuntime({ directory: scratch, cgroupParent: '', memory })).toMatchObject({ name: 'crun' });
  // Its callers need a directory.
  const blind = { directory: join(scratch, 'nowhere'), cgroupParent: '', memory };
  expect(await fastestRuntime(blind)).toMatchObject({ name: 'crun' });
  await expect(fastestRuntime({ ...blind, afresh: true })).rejects.toThrow('ENOENT');
  await expect(fastestRuntime({ ...blind, cgroupParent: '/other' })).rejects.toThrow('ENOENT');
  await writeFile(memory, (await readFile(memory, 'utf8')).slice(0, -1));
  await expect(fastestRuntime(blind)).rejects.toThrow('ENOENT');
  // Another program in its place is asked, even one that passes for it.
  const path = process.env.PATH;
  const installed = findCommand('crun') ?? '';
  process.env.PATH = join(scratch, 'own');
  try {
    const crun = join(scratch, 'own', 'crun');
    await mkdir(join(scratch, 'own'));
    await copyFile(installed, crun);
    await utimes(crun, 1, 1);
    await fastestRuntime({ directory: scratch, cgroupParent: '', memory });
    expect(await fastestRuntime(blind)).toMatchObject({ name: 'crun' });
    await writeFile(crun, await readFile(crun));
    await utimes(crun, 1, 1);
    await expect(fastestRuntime(blind)).rejects.toThrow('ENOENT');
  } finally {
    process.env.PATH = path;
  }
  // The engine remembers it in its exec root.
  expect(await readFile(join(engine.execRoot, 'crun-works'), 'utf8')).toContain('/crun"');
});

test('the named one is called, for each step of the container’s life', async () => {
  const { stdout } = await engine.docker(
    'run',
    '--name',
    'wrapped',
    '--runtime',
    'custom',
    'busybox',
    'echo',
    'through',
  );
  expect(stdout).toBe('through\n');
  expect(await ok('inspect', '--format', '{{.HostConfig.Runtime}}', 'wrapped')).toBe('custom');
  await ok('rm', 'wrapped');
  const said = await readFile(calls, 'utf8');
  for (const verb of ['create', 'start', 'delete']) expect(said).toMatch(new RegExp(`\\b${verb}\\b`));
});

test('an unknown runtime is refused, with its message', async () => {
  expect(await refused('run', '--rm', '--runtime', 'nope', 'busybox', 'true')).toMatch(
    /unknown or invalid runtime name: nope/,
  );
});

test('“default” is the default one, and shown by its name', async () => {
  expect(await ok('run', '--runtime', 'default', '--name', 'usual', 'busybox', 'echo', 'hi')).toBe('hi');
  expect(await ok('inspect', '--format', '{{.HostConfig.Runtime}}', 'usual')).toBe(fastest);
  await ok('rm', 'usual');
  const components = '{{range .Server.Components}}{{.Name}} {{end}}';
  expect(await ok('version', '--format', components)).toBe(`Engine conmon ${fastest}`);
});

test('the default is the operator’s', async () => {
  await engine.kill('SIGTERM');
  await rm(calls, { force: true });
  await engine.restart([...runtimes, '--default-runtime', 'custom']);
  expect(await ok('info', '--format', '{{.DefaultRuntime}}')).toBe('custom');
  expect(await ok('run', '--rm', 'busybox', 'echo', 'default')).toBe('default');
  expect(await readFile(calls, 'utf8')).toContain('create');
  const version = `{{range .Server.Components}}{{if eq .Name "custom"}}{{.Version}}{{end}}{{end}}`;
  await expect.poll(() => ok('version', '--format', version)).toMatch(/^\d/);
});

test('a runtime that the operator calls “default” is that one', async () => {
  await engine.kill('SIGTERM');
  await rm(calls, { force: true });
  await engine.restart(['--add-runtime', `default=${join(scratch, 'wrapper')}`]);
  expect(await ok('run', '--runtime', 'default', '--name', 'own', 'busybox', 'echo', 'hi')).toBe('hi');
  expect(await ok('inspect', '--format', '{{.HostConfig.Runtime}}', 'own')).toBe('default');
  expect(await readFile(calls, 'utf8')).toContain('create');
});

test.runIf(hasCrun)('crun compiles a profile’s filter once, and takes only that', async () => {
  await engine.kill('SIGTERM');
  await engine.restart(['--default-runtime', 'crun']);
  const filterOf = async (...args: string[]): Promise<Buffer> => {
    const id = await ok('run', '-d', ...args, 'busybox', 'top');
    return await readFile(join(engine.execRoot, 'runtime-crun', id, 'seccomp.bpf'));
  };
  const profile = join(scratch, 'profile.json');
  await writeFile(
    profile,
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['chmod', 'fchmodat'], action: 'SCMP_ACT_ERRNO' }],
    }),
  );
  const strict = ['--security-opt', `seccomp=${profile}`];
  const [compiled, taken] = [await filterOf('--name', 'f1'), await filterOf('--name', 'f2')];
  expect(taken.equals(compiled)).toBe(true);
  const [own, again] = [await filterOf('--name', 'f3', ...strict), await filterOf('--name', 'f4', ...strict)];
  expect(own.equals(compiled)).toBe(false);
  expect(again.equals(own)).toBe(true);
  for (const name of ['f3', 'f4']) {
    expect(await refused('exec', name, 'chmod', '700', '/etc')).toContain('Operation not permitted');
    expect(await ok('exec', name, 'cat', '/proc/1/status')).toMatch(/^Seccomp:\s+2$/m);
  }
  for (const name of ['f1', 'f2']) await ok('exec', name, 'chmod', '700', '/etc');
  await ok('rm', '-f', 'f1', 'f2', 'f3', 'f4');
});

test('a container stays with its runtime, whatever the default is later; an engine that was killed finds both', async () => {
  await engine.kill('SIGTERM');
  await engine.restart(['--default-runtime', fastest]);
  await ok('run', '-d', '--name', 'fast', 'busybox', 'top');
  await ok('run', '-d', '--name', 'plain', '--runtime', 'runc', 'busybox', 'top');
  await engine.kill('SIGKILL');
  await engine.restart(['--default-runtime', 'runc']);
  for (const [name, runtime] of [
    ['fast', fastest],
    ['plain', 'runc'],
  ] as const) {
    expect(await ok('inspect', '--format', '{{.State.Status}} {{.HostConfig.Runtime}}', name)).toBe(
      `running ${runtime}`,
    );
    expect(await ok('exec', name, 'echo', 'inside')).toBe('inside');
    await ok('pause', name);
    await ok('unpause', name);
    await ok('update', '--memory', '64m', '--memory-swap', '64m', '--pids-limit', '-1', '--cpu-quota', '-1', name);
    expect(await ok('top', name)).toContain('top');
    await ok('kill', name);
    // And starts again with it.
    await ok('start', name);
    expect(await ok('exec', name, 'echo', 'again')).toBe('again');
    await ok('rm', '-f', name);
  }
});

test('an own crun is never the default by itself', async () => {
  await engine.kill('SIGTERM');
  await rm(calls, { force: true });
  await engine.restart(['--add-runtime', `crun=${join(scratch, 'wrapper')}`, '--default-runtime=']);
  expect(await ok('info', '--format', '{{.DefaultRuntime}}')).toBe('runc');
  expect(await ok('run', '--rm', '--runtime', 'crun', 'busybox', 'echo', 'own')).toBe('own');
  expect(await readFile(calls, 'utf8')).toContain('create');
});
