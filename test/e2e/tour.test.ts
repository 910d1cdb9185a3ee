import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { sweep } from '../../cli/sweep/sweep.js';
import { docker } from './support/docker.js';

/** What `./try --once` shows once everything is set up, on an engine of this test's own. */
const main = fileURLToPath(new URL('../../cli/dist/tour/main.js', import.meta.url));

test.each([
  ['through the docker CLI', [], 'docker -H unix:///run/NAME.sock run --rm --name first busybox'],
  ['through the API', ['--without-cli'], 'Without a docker CLI'],
])('the tour runs a first container %s, shows its events, and leaves nothing', async (_, flags, how) => {
  const name = `cle-t${process.pid}`;
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--once', '--name', name, ...flags]);
  expect(stdout).toContain(how.replace('NAME', name));
  expect(stdout).toMatch(/^Hello from a container!$/m);
  const events = [...stdout.matchAll(/^ {4}((?:container|network) .*)$/gm)].map(([, event]) => event);
  expect(events).toEqual([
    'container create (first)',
    ...(flags.length === 0 ? ['container attach (first)'] : []),
    'network connect (bridge)',
    'container start (first)',
    'container die (first, exit code 0)',
    'network disconnect (bridge)',
    'container destroy (first)',
  ]);
  for (const path of [
    `/run/${name}`,
    `/run/${name}.sock`,
    `/run/${name}.pid`,
    `/run/${name}.log`,
    `/var/lib/${name}`,
  ]) {
    expect(existsSync(path), path).toBe(false);
  }
  expect(Object.keys(networkInterfaces())).not.toContain(name);
});

test('a tour that serves is left alone by a second one, and starts an engine that was killed again', async () => {
  const name = `cle-s${process.pid}`;
  const roots = { dataRoot: `/var/lib/${name}`, execRoot: `/run/${name}` };
  const host = `unix:///run/${name}.sock`;
  const pid = () => Number(readFileSync(`/run/${name}.pid`, 'utf8'));
  const client = (...args: string[]) => docker(host, '/nonexistent', args);
  const tour = spawn(process.execPath, [main, '--name', name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => tour.once('exit', resolve));
  let said = '';
  tour.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    await expect.poll(() => said).toContain('Press Ctrl-C to stop.');
    await client('run', '-d', '--name', 'kept', 'busybox', 'sleep', '1000');
    const first = pid();
    for (const flags of [[], ['--once']]) {
      const second = promisify(execFile)(process.execPath, [main, '--name', name, ...flags]);
      await expect(second).rejects.toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`an engine (process ${first}) serves on /run/${name}.sock already`),
      });
    }
    await expect(sweep(roots)).rejects.toThrow(`that engine runs (process ${first}): stop it first`);
    expect((await client('ps', '--format', '{{.Names}}')).stdout).toBe('kept\n');

    process.kill(first, 'SIGKILL');
    await expect.poll(() => said).toMatch(/The engine ended \(killed by SIGKILL\).*\n.*containers run on/);
    await expect.poll(() => said).toContain('and has found its containers');
    expect(pid()).not.toBe(first);
    expect((await client('ps', '--format', '{{.Names}}')).stdout).toBe('kept\n');

    // One that ends again and again is not started for ever.
    for (let starts = 2; starts <= 3; starts++) {
      process.kill(pid(), 'SIGKILL');
      if (starts < 3) await expect.poll(() => said.split('has found its containers').length - 1).toBe(starts);
    }
    expect(await ended).toBe(1);
  } finally {
    tour.kill('SIGTERM');
    await ended;
    await sweep(roots);
    for (const suffix of ['sock', 'pid', 'log']) rmSync(`/run/${name}.${suffix}`, { force: true });
  }
});
