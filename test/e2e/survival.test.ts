import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { processesOf } from '../../cli/sweep/processes.js';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { testNeeding, uses } from './support/needs.js';
import { freePort } from './support/ports.js';
import { openStream } from './support/stream.js';
import { onTerminal } from './support/terminal.js';

/** Containers outlive the engine, and one that misbehaves hurts nobody else. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => removeAll(engine));
afterAll(() => engine[Symbol.asyncDispose]());
const test = testNeeding(uses.container);
const { ok } = clientOf(() => engine);
const numbers = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`).join('\n');

describe('kill -9 of the engine', () => {
  test('a running container is found, with its log, its terminal, its exit code', async () => {
    await ok(
      'run',
      '-d',
      '--name',
      'counter',
      'busybox',
      'sh',
      '-c',
      'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; sleep 2; echo end; sleep 1000',
    );
    const go = join(engine.directory, 'go');
    const exits = `until [ -e ${go} ]; do sleep 0.1; done; echo last words; exit 33`;
    await ok(
      'run',
      '-d',
      '--name',
      'exits',
      '-v',
      `${engine.directory}:${engine.directory}`,
      'busybox',
      'sh',
      '-c',
      exits,
    );
    await ok('run', '-dit', '--name', 'tty', 'busybox', 'sh');
    await sleep(200);
    const since = (Date.now() / 1000).toFixed(3);
    const pid = Number(await ok('inspect', '--format', '{{.State.Pid}}', 'exits'));
    await engine.kill('SIGKILL');
    writeFileSync(go, '');
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
    // Late enough for the end to be told from the start.
    await sleep(2500);
    const restarted = Date.now();
    await engine.restart();
    expect(await ok('ps', '--format', '{{.Names}}')).toMatch(/tty[\s\S]*counter/);
    expect(await ok('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'exits')).toBe('exited 33');
    expect(await ok('logs', 'exits')).toBe('last words');
    expect(await ok('logs', 'counter')).toBe(`${numbers(1, 3000)}\nend`);
    expect(await ok('exec', 'counter', 'echo', 'again')).toBe('again');
    const { stdout } = await onTerminal(
      engine,
      { rows: 20, columns: 70, type: 'stty size\r', finally: { awaited: '20 70', type: '\u0010\u0011' } },
      'attach',
      'tty',
    );
    expect(stdout).toContain('20 70');
    const until = (Date.now() / 1000).toFixed(3);
    const events = await ok(
      'events',
      '--since',
      since,
      '--until',
      until,
      '--filter',
      'container=exits',
      '--format',
      '{{.Action}} {{.Actor.Attributes.exitCode}}',
    );
    expect(events.split('\n')).toContain('die 33');
    const died = Date.parse(await ok('inspect', '--format', '{{.State.FinishedAt}}', 'exits'));
    expect(died).toBeLessThan(restarted);
    await ok('stop', '-t', '0', 'counter');
    expect(await ok('inspect', '--format', '{{.State.ExitCode}}', 'counter')).toBe('137');
  });

  testNeeding(uses.container, uses.volume)(
    'networks, ports, volumes and restart policies are as they were',
    async () => {
      const port = await freePort();
      await ok('network', 'create', 'mine');
      await ok(
        'run',
        '-d',
        '--name',
        'web',
        '--network',
        'mine',
        '-v',
        'kept:/w',
        '-p',
        `127.0.0.1:${port}:80`,
        'busybox',
        'sh',
        '-c',
        'echo served > /w/f; exec httpd -f -p 80 -h /w',
      );
      await ok('run', '-d', '--name', 'restarting', '--restart', 'always', 'busybox', 'sh', '-c', 'sleep 1');
      const before = await ok(
        'inspect',
        '--format',
        '{{.NetworkSettings.Networks.mine.IPAddress}} {{.State.Pid}}',
        'web',
      );
      await engine.kill('SIGKILL');
      const get = () =>
        fetch(`http://127.0.0.1:${port}/f`, { signal: AbortSignal.timeout(1000) }).then((r) => r.text());
      await expect.poll(get).toBe('served\n');
      await engine.restart();
      await expect.poll(get).toBe('served\n');
      expect(
        await ok('inspect', '--format', '{{.NetworkSettings.Networks.mine.IPAddress}} {{.State.Pid}}', 'web'),
      ).toBe(before);
      expect(await ok('run', '--rm', '--network', 'mine', 'busybox', 'wget', '-qO-', 'http://web/f')).toBe('served');
      const restarts = async () => Number(await ok('inspect', '--format', '{{.RestartCount}}', 'restarting'));
      const restarted = await restarts();
      // The pause before the next one may have grown to a minute.
      await expect.poll(restarts, { timeout: 120_000 }).toBeGreaterThan(restarted);
      const other = await engine.docker('run', '--rm', '-p', `127.0.0.1:${port}:80`, 'busybox', 'true');
      expect(other.stderr).toMatch(/already allocated|already in use/);
      await ok('rm', '-f', 'web');
      await expect(get()).rejects.toThrow();
      await ok('volume', 'rm', 'kept');
      await ok('network', 'rm', 'mine');
    },
  );

  test('in the middle of many starts nothing leaks', async () => {
    const runs = Array.from({ length: 8 }, () => engine.docker('run', '-d', 'busybox', 'sleep', '1000'));
    await sleep(150);
    await engine.kill('SIGKILL');
    await Promise.all(runs);
    await engine.restart();
    const ids = (await ok('ps', '-aq', '--no-trunc')).split('\n').filter(Boolean);
    await removeAll(engine);
    expect(await ok('ps', '-aq')).toBe('');
    await expect.poll(() => cgroupsOf(ids)).toEqual([]);
    await expect.poll(() => leftovers()).toEqual([]);
    expect(await ok('run', '--rm', 'busybox', 'echo', 'fine')).toBe('fine');
  });

  test('SIGTERM stops containers, live-restore leaves them', async () => {
    const script = 'trap "exit 5" TERM; echo up; while :; do sleep 0.1; done';
    await ok('run', '-d', '--name', 'stops', 'busybox', 'sh', '-c', script);
    // Before it has its trap, the first process of a container hears no SIGTERM.
    await expect.poll(() => ok('logs', 'stops')).toBe('up');
    await engine.kill('SIGTERM');
    await engine.restart();
    expect(await ok('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'stops')).toBe('exited 5');
    await ok('rm', 'stops');
    await engine.kill('SIGTERM');
    await engine.restart(['--live-restore']);
    await ok('run', '-d', '--name', 'lives', 'busybox', 'sleep', '1000');
    const pid = await ok('inspect', '--format', '{{.State.Pid}}', 'lives');
    await engine.kill('SIGTERM');
    await engine.restart(['--live-restore']);
    expect(await ok('inspect', '--format', '{{.State.Status}} {{.State.Pid}}', 'lives')).toBe(`running ${pid}`);
    // The check at the end of the file looks for processes that are left, unless its engine is to leave some.
    await ok('rm', '-f', 'lives');
    await engine.kill('SIGTERM');
    await engine.restart([]);
  });
});

describe('a process that misbehaves', () => {
  test('kill -9 of a conmon ends its container, says why, and nobody else', async () => {
    await ok('run', '-d', '--name', 'bystander', 'busybox', 'sleep', '1000');
    const id = await ok('run', '-d', '--name', 'victim', 'busybox', 'sleep', '1000');
    process.kill(await conmonOf(id), 'SIGKILL');
    await expect
      .poll(() => ok('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'victim'))
      .toBe('exited 137');
    expect(await ok('inspect', '--format', '{{.State.Error}}', 'victim')).toMatch(/conmon|monitor/);
    expect(await ok('exec', 'bystander', 'echo', 'alive')).toBe('alive');
    await ok('start', 'victim');
    expect(await ok('exec', 'victim', 'echo', 'back')).toBe('back');
  });

  test('a client that does not read stops neither the container nor others', async () => {
    const reader = await engine.api('POST', '/containers/create', {
      Image: 'busybox',
      Cmd: ['sh', '-c', 'head -c 30000000 /dev/zero | tr "\\0" x; echo; echo done > /tmp/done; sleep 1000'],
    });
    const { Id } = JSON.parse(reader.body) as { Id: string };
    const stuck = await openStream(engine, 'POST', `/containers/${Id}/attach?stream=1&stdout=1`);
    try {
      await ok('start', Id);
      await expect.poll(() => ok('exec', Id, 'ls', '/tmp')).toBe('done');
      expect(await ok('run', '--rm', 'busybox', 'echo', 'others')).toBe('others');
      await ok('stop', '-t', '0', Id);
    } finally {
      stuck.destroy();
    }
  });

  test('a follower of logs that stops reading holds nobody up, and misses nothing when it reads on', async () => {
    const lines = 200_000;
    const id = await ok('run', '-d', 'busybox', 'sh', '-c', `seq -w ${lines}; echo done > /tmp/done; sleep 1000`);
    const asked = request({ socketPath: engine.socket, path: `/containers/${id}/logs?follow=1&stdout=1` }).end();
    try {
      const [stuck] = (await once(asked, 'response')) as [IncomingMessage];
      await expect.poll(() => ok('exec', id, 'ls', '/tmp')).toBe('done');
      expect(await ok('logs', '--tail', '1', id)).toBe(`${lines}`);
      expect(await ok('run', '--rm', 'busybox', 'echo', 'others')).toBe('others');
      await ok('stop', '-t', '0', id);
      let seen = '';
      for await (const chunk of stuck.setEncoding('latin1')) seen += chunk;
      expect(seen.match(/\d{6}\n/g)).toHaveLength(lines);
    } finally {
      asked.destroy();
    }
  });
});

/** conmon of a container, from the host's process table. */
async function conmonOf(id: string): Promise<number> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('conmon') && line.includes(id)) return Number(pid);
  }
  throw new Error(`no conmon for ${id}`);
}

/** Mounts, veths and conmons that belong to this engine. */
function leftovers(): string[] {
  const mounts = execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`${engine.execRoot}/`));
  const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(` master ${engine.bridge} `));
  const monitors = processesOf(engine).flatMap(({ command }) => (command.includes('conmon') ? [command] : []));
  return [...mounts, ...links, ...monitors];
}

/** Control groups that are named after one of the containers, in any hierarchy. */
function cgroupsOf(ids: readonly string[]): string[] {
  const directories = execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '3', '-type', 'd'], { encoding: 'utf8' });
  return directories.split('\n').filter((path) => ids.some((id) => path.endsWith(`/${id}`)));
}
