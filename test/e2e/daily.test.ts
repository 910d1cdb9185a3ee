import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { hear } from './support/missed.js';
import { testNeeding, uses } from './support/needs.js';

/** The work of an ordinary day, beyond the states of one container. */
let engine: Engine;
let scratch: string;
beforeAll(async () => {
  engine = await startEngine();
  scratch = await mkdtemp('/tmp/cleat-e2e-daily-');
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});
afterEach(() => removeAll(engine));
const test = testNeeding(uses.container);
const { ok, refused } = clientOf(() => engine);

describe('streams', () => {
  test('start -ai feeds a container that was made with -i, each time anew', async () => {
    await ok('create', '-i', '--name', 'fed', 'busybox', 'sh', '-c', 'cat; exit 7');
    for (const input of ['first\n', 'second\n']) {
      const { code, stdout } = await engine.docker({ input }, 'start', '-ai', 'fed');
      expect({ code, stdout }).toEqual({ code: 7, stdout: input });
    }
    expect(await ok('logs', 'fed')).toBe('first\nsecond');
  });
  test('output that comes after the end of the input is not lost', async () => {
    const script = 'cat; sleep 0.5; echo after';
    const { stdout } = await engine.docker({ input: 'before\n' }, 'run', '--rm', '-i', 'busybox', 'sh', '-c', script);
    expect(stdout).toBe('before\nafter\n');
  });
  test('-a chooses the streams', async () => {
    const both = ['busybox', 'sh', '-c', 'echo out; echo err >&2'];
    expect(await engine.docker('run', '--rm', '-a', 'stdout', ...both)).toMatchObject({ stdout: 'out\n', stderr: '' });
    expect(await engine.docker('run', '--rm', '-a', 'stderr', ...both)).toMatchObject({ stdout: '', stderr: 'err\n' });
  });
  test('a terminal follows the size of the window', async () => {
    // `script` gives the client a terminal, and `stty` resizes it as a window manager would.
    const docker = `docker -H unix://${engine.socket} run --rm --name win -it busybox sh -c 'echo ready; until stty size | grep "41 133"; do sleep 0.1; done; exit 6'`;
    const child = spawn('script', ['-qefc', `tty > ${scratch}/tty; stty rows 20 cols 70; ${docker}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let seen = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      seen += chunk;
    });
    const ended = once(child, 'exit');
    await hear(() => seen, 'ready');
    const terminal = (await readFile(join(scratch, 'tty'), 'utf8')).trim();
    // Again and again: the client does not listen yet for a moment after the container's first output. The
    // last time, the terminal may be gone.
    const resizing = setInterval(() => {
      for (const cols of ['132', '133']) spawnSync('stty', ['-F', terminal, 'rows', '41', 'cols', cols]);
    }, 500);
    const [code] = (await ended) as [number];
    clearInterval(resizing);
    expect({ code, seen: seen.includes('41 133') }).toEqual({ code: 6, seen: true });
  });
  test('wait --condition: next exit, and removed', async () => {
    await ok('create', '--rm', '--name', 'awaited', 'busybox', 'sh', '-c', 'sleep 0.3; exit 4');
    const wait = (condition: string) =>
      engine.api('POST', `/containers/awaited/wait?condition=${condition}`).then(({ body }) => body.trim());
    const waits = Promise.all([wait('next-exit'), wait('removed')]);
    await sleep(200);
    await ok('start', 'awaited');
    expect(await waits).toEqual(['{"StatusCode":4}', '{"StatusCode":4}']);
    expect(await engine.api('POST', '/containers/awaited/wait?condition=someday')).toMatchObject({
      status: 400,
      body: expect.stringContaining('invalid condition: \\"someday\\"'),
    });
  });
});

test('a container from create to rm', async () => {
  await ok('create', '--name', 'life', '--restart', 'on-failure', 'busybox', 'sh', '-c', 'echo up; sleep 1000');
  await ok('start', 'life');
  await ok('exec', 'life', 'touch', '/tmp/mine');
  await ok('pause', 'life');
  await ok('unpause', 'life');
  await ok('restart', '-t', '0', 'life');
  expect(await ok('exec', 'life', 'ls', '/tmp')).toBe('mine');
  expect(await ok('top', 'life')).toContain('sleep 1000');
  await ok('kill', 'life');
  expect(await ok('wait', 'life')).toBe('137');
  expect(await ok('logs', 'life')).toBe('up\nup');
  await ok('rm', 'life');
  expect(await refused('start', 'life')).toContain('No such container: life');
});

testNeeding(uses.network, ['log-local'])('a log driver of one’s choice is read as any other', async () => {
  await ok('run', '--name', 'chosen', '--log-driver', 'local', 'busybox', 'sh', '-c', 'echo out; echo err >&2');
  expect(await engine.docker('logs', 'chosen')).toMatchObject({ stdout: 'out\n', stderr: 'err\n' });
});

describe('networks', () => {
  test('--network container: shares the other one’s addresses and loopback', async () => {
    await ok(
      'run',
      '-d',
      '--name',
      'host',
      '--hostname',
      'shared',
      'busybox',
      'nc',
      '-l',
      '-p',
      '1234',
      '-e',
      'echo',
      'heard',
    );
    const inside = ['run', '--rm', '--network', 'container:host', 'busybox', 'sh', '-c'];
    expect(await ok(...inside, 'hostname; nc 127.0.0.1 1234 </dev/null')).toBe('shared\nheard');
    expect(await refused('run', '--rm', '--network', 'container:host', '-p', '80', 'busybox', 'true')).toContain(
      'conflicting options: port publishing and the container type network mode',
    );
    expect(await refused('run', '--rm', '--network', 'container:nobody', 'busybox', 'true')).toContain(
      'No such container: nobody',
    );
  });
  test('-P publishes what is exposed, and ps finds it', async () => {
    await ok('run', '-d', '--name', 'open', '-P', '--expose', '8080', 'busybox', 'sleep', '1000');
    const port = /0\.0\.0\.0:(\d+)/.exec(await ok('port', 'open', '8080'))?.[1];
    expect(Number(port)).toBeGreaterThan(0);
    const names = (filter: string) => ok('ps', '--format', '{{.Names}}', '--filter', filter);
    expect(await names(`publish=${port}`)).toBe('open');
    expect(await names('expose=8080/tcp')).toBe('open');
    expect(await names('expose=1-8080')).toBe('open');
    expect(await names('publish=81')).toBe('');
  });
  test('a container that does not run still shows its network', async () => {
    await ok('create', '--name', 'idle', 'busybox');
    await ok('run', '--name', 'over', 'busybox', 'true');
    expect(await ok('ps', '-a', '--format', '{{.Names}} {{.Networks}}')).toBe('over bridge\nidle bridge');
    const format = '{{range .NetworkSettings.Networks}}{{.NetworkID}} {{.IPAddress}}{{end}}';
    expect(await ok('inspect', '--format', format, 'over')).toBe(
      await ok('network', 'inspect', '--format', '{{.Id}}', 'bridge'),
    );
    // By name only until the first start; the list tells the least.
    expect(await ok('inspect', '--format', format, 'idle')).toBe('');
    const body = { Image: 'busybox', NetworkingConfig: { EndpointsConfig: { bridge: { DriverOpts: { a: 'b' } } } } };
    await engine.api('POST', '/containers/create?name=opted', body);
    const { NetworkSettings } = JSON.parse((await engine.api('GET', '/containers/opted/json')).body);
    expect(NetworkSettings.Networks.bridge).toMatchObject({ NetworkID: '', DriverOpts: { a: 'b' } });
    const rows = JSON.parse((await engine.api('GET', '/containers/json?all=1&filters={"name":["opted"]}')).body);
    expect(rows[0].NetworkSettings.Networks.bridge).toMatchObject({ NetworkID: '', DriverOpts: null, Links: null });
  });
  testNeeding(['network-host'], ['network-none'])('what has no addresses has no pools', async () => {
    for (const name of ['host', 'none']) {
      const { IPAM } = JSON.parse((await engine.api('GET', `/networks/${name}`)).body);
      expect(IPAM).toEqual({ Driver: 'default', Options: null, Config: null });
    }
  });
});

describe('files', () => {
  test('cp of directories and symlinks, as cp -a would', async () => {
    await mkdir(join(scratch, 'tree/sub'), { recursive: true });
    await writeFile(join(scratch, 'tree/sub/leaf'), 'leaf\n');
    await symlink('sub/leaf', join(scratch, 'tree/link'));
    await ok('run', '-d', '--name', 'box', 'busybox', 'sleep', '1000');
    await ok('cp', join(scratch, 'tree'), 'box:/new');
    await ok('cp', `${join(scratch, 'tree')}/.`, 'box:/tmp');
    expect(await ok('exec', 'box', 'sh', '-c', 'cat /new/link; readlink /tmp/link; ls /tmp/sub')).toBe(
      'leaf\nsub/leaf\nleaf',
    );
    await ok('cp', 'box:/new', join(scratch, 'back'));
    expect(await readFile(join(scratch, 'back/link'), 'utf8')).toBe('leaf\n');
    await ok('cp', 'box:/new/link', join(scratch, 'symlink'));
    expect((await lstat(join(scratch, 'symlink'))).isSymbolicLink()).toBe(true);
    await ok('cp', '-L', 'box:/new/link', join(scratch, 'file'));
    expect(await readFile(join(scratch, 'file'), 'utf8')).toBe('leaf\n');
    expect(await refused('cp', join(scratch, 'tree'), 'box:/new/sub/leaf')).toContain('cannot copy directory');
    expect(await refused('cp', join(scratch, 'file'), 'box:/nowhere/x')).toMatch(/Could not find the file \/nowhere/);
  });
  testNeeding(uses.container, uses.volume)(
    'the whole of a running container is its files and volumes, not what the kernel makes up',
    async () => {
      await ok(
        'run',
        '-d',
        '--name',
        'whole',
        '-v',
        'kept:/kept',
        'busybox',
        'sh',
        '-c',
        'echo x > /kept/x; sleep 1000',
      );
      await expect.poll(() => ok('exec', 'whole', 'ls', '/kept')).toBe('x');
      execFileSync('sh', ['-c', `docker -H unix://${engine.socket} cp whole:/ - > ${scratch}/whole.tar`]);
      const names = execFileSync('tar', ['-tf', join(scratch, 'whole.tar')], { encoding: 'utf8' }).split('\n');
      expect(names).toEqual(expect.arrayContaining(['/kept/x', '/bin/busybox', '/proc/']));
      expect(names.filter((name) => /^\/(proc|sys|dev)\/./.test(name))).toEqual([]);
      await ok('rm', '-f', 'whole');
      await ok('volume', 'rm', 'kept');
    },
  );
  test('a tmpfs option that nobody knows is refused by name', async () => {
    expect(await refused('run', '--rm', '--tmpfs', '/t:bad=1', 'busybox', 'true')).toContain(
      'invalid tmpfs option "bad"',
    );
  });
});

describe('tidying up', () => {
  testNeeding(uses.container, uses.volume)('rm -v takes anonymous volumes, and leaves the named', async () => {
    await ok('run', '--name', 'full', '-v', 'named:/a', '-v', '/b', 'busybox', 'true');
    expect((await ok('volume', 'ls', '-q')).split('\n')).toHaveLength(2);
    await ok('rm', '-v', 'full');
    expect(await ok('volume', 'ls', '-q')).toBe('named');
    await ok('volume', 'rm', 'named');
  });
  test('system df counts, system prune removes what is not used', async () => {
    await ok('run', '-d', '--name', 'used', 'busybox', 'sleep', '1000');
    await ok('run', '--name', 'unused', 'busybox', 'sh', '-c', 'head -c 100000 /dev/zero > /big');
    await ok('network', 'create', 'idle');
    const rows = await ok('system', 'df', '--format', '{{.Type}}:{{.TotalCount}}/{{.Active}}');
    expect(rows.split('\n')).toEqual(['Images:1/1', 'Containers:2/1', 'Local Volumes:0/0', 'Build Cache:0/0']);
    expect(await ok('ps', '-as', '--format', '{{.Size}}', '--filter', 'name=unused')).toMatch(/^100kB \(virtual/);
    const pruned = await ok('system', 'prune', '-f');
    expect(pruned).toMatch(
      /Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Networks:\nidle\n\nTotal reclaimed space: 100kB/,
    );
    expect(await ok('ps', '-a', '--format', '{{.Names}}')).toBe('used');
  });
});
