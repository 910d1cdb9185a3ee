import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { hear } from './support/missed.js';
import { testNeeding, uses } from './support/needs.js';
import { Program } from './support/program.js';
import { onTerminal } from './support/terminal.js';

/** The life of a container between `create` and `rm`, with the stock client. */
let engine: Engine;
let scratch: string;
beforeAll(async () => {
  engine = await startEngine();
  scratch = await mkdtemp('/tmp/cleat-e2e-life-');
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});
afterEach(() => removeAll(engine));

const test = testNeeding(uses.container);
const { ok, refused } = clientOf(() => engine);
const status = (name: string): Promise<string> => ok('inspect', '--format', '{{.State.Status}}', name);

describe('states', () => {
  test('create, start, wait, logs, rm', async () => {
    await ok('create', '--name', 'steps', 'busybox', 'sh', '-c', 'echo hi; exit 6');
    expect(await status('steps')).toBe('created');
    await ok('start', 'steps');
    expect(await ok('wait', 'steps')).toBe('6');
    expect(await status('steps')).toBe('exited');
    expect(await ok('logs', 'steps')).toBe('hi');
    await ok('start', 'steps');
    await ok('wait', 'steps');
    expect(await ok('logs', 'steps')).toBe('hi\nhi');
    await ok('rm', 'steps');
    expect(await refused('inspect', 'steps')).toMatch(/No such (object|container): steps/);
  });
  test('start -a gives output and the exit code', async () => {
    await ok('create', '--name', 'attached', 'busybox', 'sh', '-c', 'echo hi; exit 7');
    const { code, stdout } = await engine.docker('start', '-a', 'attached');
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'hi\n' });
  });
  test('stop asks, then kills; the stop signal is the container’s', async () => {
    const trap = async (name: string, what: string, ...args: string[]) => {
      const script = `trap ${what}; echo ready; while :; do sleep 0.1; done`;
      await ok('run', '-d', '--name', name, ...args, 'busybox', 'sh', '-c', script);
      // Before its trap is set, a first process ignores the signal.
      await expect.poll(() => ok('logs', name)).toBe('ready');
    };
    await trap('polite', '"exit 3" TERM');
    await ok('stop', 'polite');
    expect(await ok('inspect', '--format', '{{.State.ExitCode}}', 'polite')).toBe('3');
    await ok('run', '-d', '--name', 'stubborn', 'busybox', 'sleep', '1000');
    await ok('stop', '-t', '1', 'stubborn');
    expect(await ok('inspect', '--format', '{{.State.ExitCode}}', 'stubborn')).toBe('137');
    await trap('own', '"exit 9" USR1', '--stop-signal', 'USR1');
    await ok('stop', 'own');
    expect(await ok('inspect', '--format', '{{.State.ExitCode}}', 'own')).toBe('9');
  });
  test('kill, with its texts', async () => {
    await ok('run', '-d', '--name', 'victim', 'busybox', 'sh', '-c', 'trap "exit 8" HUP; while :; do sleep 0.1; done');
    expect(await refused('kill', '-s', 'NOPE', 'victim')).toContain('nvalid signal: NOPE');
    await sleep(200);
    await ok('kill', '-s', 'HUP', 'victim');
    expect(await ok('wait', 'victim')).toBe('8');
    expect(await refused('kill', 'victim')).toMatch(/is not running/);
  });
  test('pause and unpause', async () => {
    await ok('run', '-d', '--name', 'ice', 'busybox', 'sleep', '1000');
    await ok('pause', 'ice');
    expect(await status('ice')).toBe('paused');
    expect(await ok('ps', '--format', '{{.Status}}')).toContain('(Paused)');
    expect(await refused('exec', 'ice', 'true')).toContain('is paused');
    expect(await refused('pause', 'ice')).toContain('already paused');
    await ok('unpause', 'ice');
    expect(await status('ice')).toBe('running');
    expect(await refused('unpause', 'ice')).toContain('not paused');
  });
  test('restart', async () => {
    await ok('run', '-d', '--name', 'again', 'busybox', 'sh', '-c', 'echo up; sleep 1000');
    const before = await ok('inspect', '--format', '{{.State.StartedAt}}', 'again');
    await ok('restart', '-t', '0', 'again');
    expect(await status('again')).toBe('running');
    expect(await ok('inspect', '--format', '{{.State.StartedAt}}', 'again')).not.toBe(before);
    await expect.poll(() => ok('logs', 'again')).toBe('up\nup');
  });
  test('rm of a running one is refused, rm -f is not', async () => {
    await ok('run', '-d', '--name', 'busy', 'busybox', 'sleep', '1000');
    expect(await refused('rm', 'busy')).toContain('stop the container before removing or force remove');
    await ok('rm', '-f', 'busy');
    expect(await ok('ps', '-aq')).toBe('');
  });
  testNeeding(uses.log)('names: rename, conflict, and what is no name', async () => {
    const id = await ok('create', '--name', 'old', 'busybox');
    await ok('rename', 'old', 'new');
    expect(await ok('inspect', '--format', '{{.Name}}', id.slice(0, 8))).toBe('/new');
    expect(await refused('create', '--name', 'new', 'busybox')).toContain(
      `Conflict. The container name "/new" is already in use by container "${id}"`,
    );
    expect(await refused('create', '--name', 'a b', 'busybox')).toContain('Invalid container name (a b)');
  });
  test('update changes limits of a running container', async () => {
    await ok('run', '-d', '--name', 'grow', '-m', '32m', 'busybox', 'sleep', '1000');
    await ok('update', '-m', '64m', '--memory-swap', '64m', '--restart', 'always', 'grow');
    const format = '{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}';
    expect(await ok('inspect', '--format', format, 'grow')).toBe('67108864 always');
  });
});

describe('restart policies', () => {
  test('on-failure tries as often as it says', async () => {
    await ok('run', '-d', '--name', 'flaky', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', 'echo try; exit 1');
    const format = '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}';
    await expect.poll(() => ok('inspect', '--format', format, 'flaky')).toBe('2 exited 1');
    expect(await ok('logs', 'flaky')).toBe('try\ntry\ntry');
  });
  test('always comes back, until somebody stops it', async () => {
    await ok('run', '-d', '--name', 'always', '--restart', 'always', 'busybox', 'sh', '-c', 'sleep 0.2');
    await expect
      .poll(async () => Number(await ok('inspect', '--format', '{{.RestartCount}}', 'always')))
      .toBeGreaterThan(1);
    await ok('stop', 'always');
    expect(await status('always')).toBe('exited');
    await sleep(1500);
    expect(await status('always')).toBe('exited');
  });
});

describe('streams', () => {
  test('logs: -f, --since, --tail, -t', async () => {
    await ok(
      'run',
      '-d',
      '--name',
      'printer',
      'busybox',
      'sh',
      '-c',
      'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done',
    );
    expect(await ok('logs', '-f', 'printer')).toBe('line 1\nline 2\nline 3\nline 4\nline 5');
    expect(await ok('logs', '--tail', '2', 'printer')).toBe('line 4\nline 5');
    const stamped = (await ok('logs', '-t', 'printer')).split('\n');
    expect(stamped[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 1$/);
    const third = stamped[2]?.split(' ')[0] ?? '';
    expect(await ok('logs', '--since', third, 'printer')).toBe('line 3\nline 4\nline 5');
    expect(await ok('logs', '--until', third, 'printer')).toMatch(/^line 1\nline 2/);
  });
  test('a line longer than 16 KiB comes out whole', async () => {
    await ok('run', '--name', 'long', 'busybox', 'sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" x; echo');
    expect((await ok('logs', 'long')).length).toBe(100_000);
  });
  test('attach sees what comes and gives the exit code; detach keys leave it running', async () => {
    // Created attached, so stdin is opened once: its end reaches the process. With `run -di` it would not (StdinOnce).
    await ok('create', '-i', '--name', 'cat', 'busybox', 'cat');
    await ok('start', 'cat');
    const { code, stdout } = await engine.docker({ input: 'hello\n' }, 'attach', 'cat');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'hello\n' });
    await ok('run', '-dit', '--name', 'tty', 'busybox', 'sh');
    const detached = await onTerminal(
      engine,
      { rows: 24, columns: 80, type: "echo he''llo\r", finally: { awaited: 'hello', type: '\u0010\u0011' } },
      'attach',
      'tty',
    );
    expect(detached.stdout).toContain('hello');
    expect(await status('tty')).toBe('running');
  });
  test('two attached clients both see everything', async () => {
    await ok('create', '--name', 'both', 'busybox', 'sh', '-c', 'sleep 1; seq 1 1000');
    await ok('start', 'both');
    const [a, b] = await Promise.all([engine.docker('attach', 'both'), engine.docker('attach', 'both')]);
    const all = Array.from({ length: 1000 }, (_, i) => `${i + 1}\n`).join('');
    expect(a.stdout).toBe(all);
    expect(b.stdout).toBe(all);
  });
  test('signals of the client reach the process', async () => {
    const script = 'trap "exit 4" INT; echo ready; while :; do sleep 0.1; done';
    const host = `unix://${engine.socket}`;
    await using client = new Program('docker', ['-H', host, 'run', '--rm', 'busybox', 'sh', '-c', script]);
    await hear(() => client.said, 'ready');
    expect(await client.end('SIGINT')).toBe(4);
  });
});

describe('exec', () => {
  test('output, exit codes, environment, user, directory, input', async () => {
    await ok('run', '-d', '--name', 'host', '-e', 'FROM=container', 'busybox', 'sleep', '1000');
    expect(
      await ok(
        'exec',
        '-e',
        'MORE=exec',
        '-w',
        '/tmp',
        '-u',
        '5',
        'host',
        'sh',
        '-c',
        'echo $FROM $MORE $(pwd) $(id -u)',
      ),
    ).toBe('container exec /tmp 5');
    expect((await engine.docker('exec', 'host', 'sh', '-c', 'exit 9')).code).toBe(9);
    expect((await engine.docker('exec', 'host', 'no-such')).code).toBe(127);
    expect((await engine.docker('exec', 'host', '/etc')).code).toBe(126);
    const { stdout } = await engine.docker({ input: 'piped' }, 'exec', '-i', 'host', 'cat');
    expect(stdout).toBe('piped');
    const { stdout: out, stderr } = await engine.docker('exec', 'host', 'sh', '-c', 'echo o; echo e >&2');
    expect({ out, stderr }).toEqual({ out: 'o\n', stderr: 'e\n' });
  });
  test('-it is a terminal of its own; -d runs on', async () => {
    await ok('run', '-d', '--name', 'host', 'busybox', 'sleep', '1000');
    const { stdout, code } = await onTerminal(
      engine,
      { rows: 33, columns: 101 },
      'exec',
      '-it',
      'host',
      'sh',
      '-c',
      'sleep 0.3; stty size; exit 3',
    );
    expect(stdout).toContain('33 101');
    expect(code).toBe(3);
    await ok('exec', '-d', 'host', 'touch', '/tmp/detached');
    await expect.poll(() => ok('exec', 'host', 'ls', '/tmp')).toBe('detached');
  });
  testNeeding(uses.log)('in a container that does not run it is refused', async () => {
    const id = await ok('create', '--name', 'idle', 'busybox');
    expect(await refused('exec', 'idle', 'true')).toMatch(new RegExp(`[Cc]ontainer ${id} is not running`));
  });
});

describe('looking', () => {
  test('ps and its filters', async () => {
    await ok('run', '-d', '--name', 'web', '--label', 'tier=web', 'busybox', 'sleep', '1000');
    await engine.docker('run', '--name', 'done', '--label', 'tier=job', 'busybox', 'sh', '-c', 'exit 5');
    const names = async (...filters: string[]) =>
      (await ok('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((f) => ['--filter', f])))
        .split('\n')
        .filter(Boolean)
        .sort();
    expect(await ok('ps', '--format', '{{.Names}}')).toBe('web');
    expect(await names()).toEqual(['done', 'web']);
    expect(await names('name=we')).toEqual(['web']);
    expect(await names('label=tier=job')).toEqual(['done']);
    expect(await names('status=exited')).toEqual(['done']);
    expect(await names('exited=5')).toEqual(['done']);
    expect(await names('ancestor=busybox')).toEqual(['done', 'web']);
    expect(await names('network=bridge', 'status=running')).toEqual(['web']);
    expect(await names('since=web')).toEqual(['done']);
    expect(await names('before=done')).toEqual(['web']);
    expect(await names('isolation=default', 'status=running')).toEqual(['web']);
    expect(await refused('ps', '--filter', 'colour=blue')).toContain("invalid filter 'colour'");
    expect(await ok('ps', '-a', '--format', '{{.Status}}', '--filter', 'name=done')).toMatch(/^Exited \(5\) .* ago$/);
  });
  test('top', async () => {
    await ok('run', '-d', '--name', 'top', 'busybox', 'sleep', '1234');
    expect(await ok('top', 'top')).toContain('sleep 1234');
    expect(await ok('top', 'top', '-o', 'pid,comm')).toMatch(/PID\s+COMMAND\n\d+\s+sleep/);
  });
  test('stats', async () => {
    await ok('run', '-d', '--name', 'load', '-m', '64m', 'busybox', 'sh', '-c', 'while :; do :; done');
    await sleep(500);
    const row = JSON.parse(await ok('stats', '--no-stream', '--format', '{{json .}}', 'load')) as Record<
      string,
      string
    >;
    expect(row).toMatchObject({ Name: 'load', PIDs: '1', MemUsage: expect.stringMatching(/\/ 64MiB$/) });
    expect(Number.parseFloat(row.CPUPerc ?? '')).toBeGreaterThan(0);
  });
  test('diff', async () => {
    await ok('run', '--name', 'changed', 'busybox', 'sh', '-c', 'echo x > /new; echo y >> /etc/passwd; rm /etc/group');
    expect((await ok('diff', 'changed')).split('\n').sort()).toEqual([
      'A /new',
      'C /etc',
      'C /etc/passwd',
      'D /etc/group',
    ]);
  });
  testNeeding(uses.container, uses.volume)('cp both ways, of files, directories, and streams', async () => {
    await ok('run', '-d', '--name', 'cp', '-v', 'cpvol:/vol', 'busybox', 'sleep', '1000');
    await writeFile(join(scratch, 'in'), 'carried\n');
    await ok('cp', join(scratch, 'in'), 'cp:/root/in');
    expect(await ok('exec', 'cp', 'cat', '/root/in')).toBe('carried');
    await ok('cp', 'cp:/root/in', join(scratch, 'out'));
    expect(await readFile(join(scratch, 'out'), 'utf8')).toBe('carried\n');
    await ok('cp', join(scratch, 'in'), 'cp:/vol/in');
    expect(await ok('exec', 'cp', 'cat', '/vol/in')).toBe('carried');
    await ok('cp', 'cp:/etc', join(scratch, 'etc'));
    expect(await readFile(join(scratch, 'etc/passwd'), 'utf8')).toContain('root');
    expect(await refused('cp', 'cp:/none', scratch)).toMatch(/Could not find the file \/none in container/);
    await ok('exec', 'cp', 'ln', '-s', '/', '/escape');
    await ok('cp', join(scratch, 'in'), 'cp:/escape/inside');
    expect(await ok('exec', 'cp', 'cat', '/inside')).toBe('carried');
    await ok('rm', '-fv', 'cp');
    await ok('volume', 'rm', 'cpvol');
  });
  test('cp from and into a container that does not run', async () => {
    await ok('create', '--name', 'cold', 'busybox', 'cat', '/put');
    await writeFile(join(scratch, 'cold'), 'cold\n');
    await ok('cp', join(scratch, 'cold'), 'cold:/put');
    const { stdout } = await engine.docker('start', '-a', 'cold');
    expect(stdout).toBe('cold\n');
  });
  test('container prune with a filter leaves the others', async () => {
    await ok('run', '--name', 'kept', '--label', 'keep=1', 'busybox', 'true');
    await ok('run', '--name', 'pruned', 'busybox', 'true');
    await ok('container', 'prune', '-f', '--filter', 'label!=keep=1');
    expect(await ok('ps', '-a', '--format', '{{.Names}}')).toBe('kept');
    expect(await refused('container', 'prune', '-f', '--filter', 'colour=blue')).toContain("invalid filter 'colour'");
  });
  test('health checks', async () => {
    await ok(
      'run',
      '-d',
      '--name',
      'sick',
      '--health-cmd',
      'test -e /ok',
      '--health-interval',
      '1s',
      '--health-retries',
      '1',
      'busybox',
      'sleep',
      '1000',
    );
    const health = () => ok('inspect', '--format', '{{.State.Health.Status}}', 'sick');
    expect(await health()).toBe('starting');
    await expect.poll(health).toBe('unhealthy');
    await ok('exec', 'sick', 'touch', '/ok');
    await expect.poll(health).toBe('healthy');
    expect(await ok('ps', '--filter', 'health=healthy', '--format', '{{.Status}}')).toContain('(healthy)');
  });
});

describe('a thousand clients of one container', () => {
  const memory = async (): Promise<number> =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${engine.pid}/status`, 'utf8'))?.[1]) / 1024;

  test('all learn of its end, and cost little', async () => {
    await ok('run', '-d', '--name', 'awaited', 'busybox', 'sleep', '1000');
    const before = await memory();
    const waits = Array.from({ length: 1_000 }, () => engine.api('POST', '/containers/awaited/wait'));
    const samples = Array.from({ length: 1_000 }, () =>
      engine.api('GET', '/containers/awaited/stats?stream=false&one-shot=true'),
    );
    const statuses = new Set((await Promise.all(samples)).map((sample) => sample.status));
    expect([...statuses]).toEqual([200]);
    expect((await memory()) - before).toBeLessThan(256);
    await ok('kill', 'awaited');
    const told = new Set((await Promise.all(waits)).map(({ body }) => JSON.parse(body).StatusCode));
    expect([...told]).toEqual([137]);
  });
});
