import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { sweep } from '../../cli/sweep/sweep.js';
import { docker } from './support/docker.js';

/** The tour that `./try --once` shows once everything is set up, on an engine of this test's own. */
const main = fileURLToPath(new URL('../../cli/dist/tour/main.js', import.meta.url));

test.each([
  ['through the docker CLI', [], 'docker -H unix:///run/NAME.sock run --rm --name first busybox'],
  ['through the API', ['--without-cli'], 'Without a docker CLI'],
])('the tour runs a first container %s, shows its events, and leaves nothing', async (_, flags, how) => {
  const name = `cle-t${process.pid}`;
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--once', '--name', name, ...flags]);
  const once = `${name.slice(0, 10)}-once`;
  expect(stdout).toContain(how.replace('NAME', once));
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
  for (const one of [name, once]) {
    for (const path of [`/run/${one}`, `/run/${one}.sock`, `/run/${one}.pid`, `/run/${one}.log`, `/var/lib/${one}`]) {
      expect(existsSync(path), path).toBe(false);
    }
    expect(Object.keys(networkInterfaces())).not.toContain(one);
  }
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

    // An engine that ends again and again, each time soon after its start, is not started for ever.
    const { stdout: containers } = await promisify(execFile)('pgrep', ['-f', `conmon.*/var/lib/${name}/`]);
    let over: unknown;
    void ended.then((code) => {
      over = code;
    });
    const starts = () => said.split('has found its containers').length - 1;
    for (let killed = 1; over === undefined && killed < 20; killed = starts()) {
      process.kill(pid(), 'SIGKILL');
      await expect.poll(() => over !== undefined || starts() > killed).toBe(true);
    }
    expect(over).toBe(1);
    expect(said).not.toContain('did not start');

    // No engine serves now, and what it kept is still nobody else's: neither its data nor what runs.
    await promisify(execFile)(process.execPath, [main, '--name', name, '--once']);
    expect(existsSync(roots.dataRoot)).toBe(true);
    for (const conmon of containers.trim().split('\n')) expect(existsSync(`/proc/${conmon}`)).toBe(true);
  } finally {
    tour.kill('SIGTERM');
    await ended;
    await sweep(roots);
    for (const suffix of ['sock', 'pid', 'log']) rmSync(`/run/${name}.${suffix}`, { force: true });
  }
});

test.each(['SIGHUP', 'a reader that goes'] as const)('%s does not leave an engine behind', async (how) => {
  const name = `cle-h${process.pid}`;
  const tour = spawn(process.execPath, [main, '--name', name], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => tour.once('exit', resolve));
  let said = '';
  tour.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    await expect.poll(() => said).toContain('Press Ctrl-C to stop.');
    const engine = readFileSync(`/run/${name}.pid`, 'utf8');
    if (how === 'SIGHUP') tour.kill('SIGHUP');
    else {
      for (const stream of [tour.stdout, tour.stderr]) stream.destroy();
      tour.kill('SIGTERM');
    }
    expect(await ended).toBe(0);
    expect(existsSync(`/proc/${engine}`)).toBe(false);
  } finally {
    tour.kill('SIGTERM');
    await ended;
    await sweep({ dataRoot: `/var/lib/${name}`, execRoot: `/run/${name}` });
    rmSync(`/run/${name}.log`, { force: true });
  }
});
