import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandResult, type Engine, startEngine } from './support/engine.js';

/** The tool for the engine itself, as an operator runs it. */
const launcher = fileURLToPath(new URL('../../bin/cleat', import.meta.url));

function cleat(...words: (string | { env: NodeJS.ProcessEnv })[]): Promise<CommandResult> {
  const args = words.filter((word) => typeof word === 'string');
  const { env } = words.find((word) => typeof word !== 'string') ?? { env: process.env };
  return new Promise((resolve) => {
    const child = execFile(launcher, args, { timeout: 120_000, env }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ flags: ['--metrics-addr=127.0.0.1:0'] });
});
afterAll(() => engine[Symbol.asyncDispose]());

test('doctor finds that containers can run where they do', async () => {
  const { code, stdout } = await cleat('doctor', '--json');
  expect(code).toBe(0);
  const findings = JSON.parse(stdout) as { name: string; status: string; found: string }[];
  expect(findings.filter(({ status }) => status === 'fail')).toEqual([]);
  expect(findings.find(({ name }) => name === 'other engines')?.found).toContain(`cleatd (process ${engine.pid})`);
  expect((await cleat('doctor')).stdout).toContain('Containers can run here.');
});

test('extensions ls shows the batteries with their state', async () => {
  await engine.docker('run', '--rm', 'busybox', 'true');
  const { code, stdout } = await cleat('extensions', 'ls', '-H', `unix://${engine.socket}`);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^NAME +ENTRY +KINDS +CARRIER +STATE +SINCE +HEALTH +RESTARTS +CALLS +FAILED +WHY +ORIGIN\n/);
  expect(stdout).toMatch(/^bridge +network-bridge +NetworkDriver +(in-process|process) +active/m);
  const inspected = await cleat('extensions', 'inspect', 'network-bridge', '--json', '-H', `unix://${engine.socket}`);
  const { methods } = JSON.parse(inspected.stdout) as { methods: { method: string; results: { ok: number } }[] };
  expect(methods.find(({ method }) => method === 'NetworkDriver.Join')?.results.ok).toBeGreaterThan(0);
  expect((await cleat('extensions', 'inspect', 'nope', '-H', `unix://${engine.socket}`)).stderr).toContain(
    'no extension called nope (known: ',
  );
  expect((await cleat('extensions', 'ls', '-H', `unix://${engine.directory}/none.sock`)).stderr).toContain(
    'no engine answers on',
  );
});

test('extensions alone lists; each command has its help; logs tells what an extension said', async () => {
  const at = ['-H', `unix://${engine.socket}`];
  expect((await cleat('extensions', ...at)).stdout).toMatch(/^NAME +ENTRY/);
  for (const name of [
    'doctor',
    'extensions',
    'log-drivers',
    'networks',
    'audit',
    'proxy',
    'record',
    'replay',
    'sweep',
    'create',
    'verify',
  ]) {
    const { code, stdout } = await cleat(name, '--help');
    expect({ name, code }).toEqual({ name, code: 0 });
    expect(stdout).toMatch(/^Usage: (npm create cleat-plugin|cleat )/);
  }
  const logs = await cleat('extensions', 'logs', 'network-bridge', '--tail', '1', ...at);
  expect(logs).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d{4}-\S+Z (DEBUG|INFO|WARN|ERROR) .*\n$/) });
  expect(await cleat('extensions', 'ls', '--bogus')).toMatchObject({
    code: 1,
    stderr: "cleat extensions: Unknown option '--bogus'\nSee 'cleat extensions --help'.\n",
  });
});

test('the engine is found as docker finds it: by a context of its own, and through ssh', async () => {
  const config = join(engine.directory, 'docker-config');
  const env = { ...process.env, DOCKER_CONFIG: config, DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined };
  const docker = promisify(execFile);
  await docker('docker', ['context', 'create', 'here', '--docker', `host=unix://${engine.socket}`], { env });
  const found = expect.stringMatching(/^bridge +network-bridge/m);
  expect(await cleat('extensions', { env: { ...env, DOCKER_CONTEXT: 'here' } })).toMatchObject({ stdout: found });
  await docker('docker', ['context', 'use', 'here'], { env });
  expect(await cleat('extensions', { env })).toMatchObject({ stdout: found });
  expect((await cleat('extensions', '--context', 'nope', { env })).stderr).toContain('context "nope"');

  // In place of ssh: the remote command, run here.
  const bin = join(engine.directory, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'ssh'), '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec "$@"\n', {
    mode: 0o755,
  });
  const remote = { ...env, PATH: `${bin}:${process.env.PATH}`, DOCKER_CONTEXT: 'default' };
  const through = await cleat('extensions', '-H', `ssh://box${engine.socket}`, { env: remote });
  expect(through).toMatchObject({ code: 0, stdout: found });
  writeFileSync(join(bin, 'ssh'), '#!/bin/sh\necho Permission denied >&2\nexit 255\n', { mode: 0o755 });
  expect((await cleat('extensions', '-H', 'ssh://box', { env: remote })).stderr).toBe(
    'cleat: ssh to box ended with 255: Permission denied\n',
  );
});

test('metrics tell what happened, under the names of dockerd and per extension', async () => {
  await engine.docker('run', '--rm', 'busybox', 'true');
  const address = /metrics API listening on ([\d.:]+)/.exec(engine.log())?.[1];
  const lines = (await (await fetch(`http://${address}/metrics`)).text()).split('\n');
  const value = (series: string) => Number(lines.find((line) => line.startsWith(`${series} `))?.split(' ')[1]);
  expect(value('engine_daemon_container_actions_seconds_count{action="start"}')).toBeGreaterThan(0);
  expect(value('engine_daemon_events_total')).toBeGreaterThan(4);
  expect(value('engine_daemon_container_states_containers{state="running"}')).toBe(0);
  const join = 'extension="network-bridge",kind="NetworkDriver",method="Join"';
  expect(value(`cleat_extension_calls_total{${join},result="ok"}`)).toBeGreaterThan(0);
  expect(value(`cleat_extension_call_duration_seconds_count{${join}}`)).toBeGreaterThan(0);
});

test('sweep removes nothing of an engine that runs, and nothing that is no engine', async () => {
  const running = await cleat('sweep', '--data-root', engine.dataRoot, '--exec-root', engine.execRoot);
  expect(running).toMatchObject({
    code: 1,
    stderr: `cleat: that engine runs (process ${engine.pid}): stop it first\n`,
  });
  const directory = await mkdtemp(join(tmpdir(), 'cle-sweep-'));
  try {
    mkdirSync(join(directory, 'containers'));
    writeFileSync(join(directory, 'precious'), '');
    const foreign = await cleat('sweep', '--data-root', directory, '--exec-root', directory);
    expect(foreign).toMatchObject({ code: 1, stderr: `cleat: ${directory} is not the data root of an engine\n` });
    expect(existsSync(join(directory, 'precious'))).toBe(true);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('an unknown command is an error with advice', async () => {
  expect(await cleat('frobnicate')).toMatchObject({
    code: 1,
    stderr: "cleat: unknown command: frobnicate. See 'cleat --help'.\n",
  });
  expect(await cleat('extentions')).toMatchObject({
    code: 1,
    stderr: "cleat: unknown command: extentions (did you mean extensions?). See 'cleat --help'.\n",
  });
  expect(await cleat('sweep')).toMatchObject({ code: 1, stderr: expect.stringContaining('name both') });
});
