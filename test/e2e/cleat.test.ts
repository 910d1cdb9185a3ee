import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandResult, type Engine, startEngine } from './support/engine.js';

/** The tool for the engine itself, as an operator runs it. */
const launcher = fileURLToPath(new URL('../../bin/cleat', import.meta.url));

function cleat(...args: string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(launcher, args, { timeout: 30_000 }, (_error, stdout, stderr) => {
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
  expect(stdout).toMatch(/^NAME +KINDS +CARRIER +STATE +SINCE +HEALTH +CALLS +FAILED +WHY +ORIGIN\n/);
  expect(stdout).toMatch(/^bridge +NetworkDriver +(in-process|process) +active/m);
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

test('what it does not know is an error with advice', async () => {
  expect(await cleat('run')).toMatchObject({ code: 1, stderr: expect.stringContaining('unknown command: run') });
  expect(await cleat('sweep')).toMatchObject({ code: 1, stderr: expect.stringContaining('name both') });
});
