import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { listMounts } from '../../linux/mount/mountinfo.js';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { ScriptedVolumePlugin } from './support/scripted-volume.js';

/** No path of an image, a container or a plugin leads outside, although any of them may lie, or swap it in use. */
let engine: Engine;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-paths-');
  engine = await startEngine();
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});
afterEach(() => removeAll(engine));
const { ok, refused } = clientOf(() => engine);
const mountsLeft = () => listMounts(engine.execRoot).map(({ target }) => target);

describe('the volumes of a configuration', () => {
  const create = (body: object) => engine.api('POST', '/v1.44/containers/create', { Image: 'busybox', ...body });

  test.each(['/etc:/mnt', '/:/host:rw,rslave', 'data:/d', 'rel', '', '/'])('%j is no destination: 400', async (key) => {
    const answer = await create({ Cmd: ['true'], Volumes: { [key]: {} } });
    expect({ status: answer.status, body: answer.body }).toEqual({
      status: 400,
      body: expect.stringContaining(`invalid volume specification: '${key}'`),
    });
  });

  test('an image cannot say more: not by commit, import or load', async () => {
    await ok('create', '--name', 'box', 'busybox', 'true');
    expect(await refused('commit', '-c', 'VOLUME /etc:/mnt', 'box')).toContain('invalid volume specification');
    const body = await engine.api('POST', '/v1.44/commit?container=box&changes=VOLUME%20%2Fetc%3A%2Fmnt', {});
    expect(body.status).toBe(400);
    const tar = join(scratch, 'files.tar');
    await ok('export', '-o', tar, 'box');
    expect(await refused('import', '-c', 'VOLUME /:/host', tar)).toContain('invalid volume specification');
    const loaded = await engine.docker('load', { input: await hostileArchive({ Volumes: { '/etc:/mnt': {} } }) });
    expect(loaded.stderr).toContain("invalid volume specification: '/etc:/mnt'");
    expect(await ok('images', '-q', 'hostile')).toBe('');
  });
});

/** An archive for `docker load`: an image without layers. */
async function hostileArchive(config: object): Promise<Buffer> {
  const { pack } = await import('tar-stream');
  const tar = pack();
  const image = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [] },
  });
  tar.entry({ name: 'c.json' }, image);
  tar.entry({ name: 'manifest.json' }, JSON.stringify([{ Config: 'c.json', RepoTags: ['hostile:1'], Layers: [] }]));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

describe('volume-subpath', () => {
  const mount = (subpath: string, target = '/m') => `type=volume,src=vol,dst=${target},volume-subpath=${subpath}`;
  const fill = (script: string) => ok('run', '--rm', '-v', 'vol:/d', '-w', '/d', 'busybox', 'sh', '-c', script);

  test('links inside the volume are followed, those that lead out are errors in Docker’s words', async () => {
    await fill(
      'mkdir -p real a; echo y > real/y; echo f > file; ln -s real link; ln -s .. a/up; ln -s a/../real inout;' +
        'ln -s ../.. out; ln -s /etc abs; ln -s loop loop',
    );
    const path = (await ok('volume', 'inspect', '-f', '{{.Mountpoint}}', 'vol')).trim();
    const cat = (subpath: string, file: string) => ok('run', '--rm', '--mount', mount(subpath), 'busybox', 'cat', file);
    for (const subpath of ['real', 'link', 'inout', './a/../real']) expect(await cat(subpath, '/m/y')).toBe('y');
    expect(await cat('a/up', '/m/real/y')).toBe('y');
    expect(await cat('file', '/m')).toBe('f');
    for (const [subpath, text] of [
      ['out', `path concatenation escapes the base directory, base: ${path}, subpath: out`],
      ['abs', `path concatenation escapes the base directory, base: ${path}, subpath: abs`],
      ['missing', `cannot access path ${path}/missing: lstat ${path}/missing: no such file or directory`],
      ['loop', `error while resolving symlinks in combined path "${path}/loop": EvalSymlinks: too many links`],
      ['file/x', `error while resolving symlinks in combined path "${path}/file/x": not a directory`],
    ] as const) {
      expect(await refused('run', '--rm', '--mount', mount(subpath), 'busybox', 'true')).toContain(text);
    }
    expect(mountsLeft()).toEqual([]);
  });

  test('a directory that becomes a link to / again and again never shows the host', async () => {
    await fill('mkdir sub; echo inside > sub/mark');
    const swap = 'while :; do mv sub dir; ln -s / sub; rm sub; mv dir sub; done';
    await ok('run', '-d', '--name', 'swapper', '-v', 'vol:/d', '-w', '/d', 'busybox', 'sh', '-c', swap);
    const seen: string[] = [];
    for (let at = 0; at < 20; at++) {
      const name = `look${at}`;
      const { code, stdout } = await engine.docker(
        'run',
        '--name',
        name,
        '--mount',
        mount('sub'),
        'busybox',
        'ls',
        '/m',
      );
      // Copied to and from while it does not run: through the same subpath.
      const copied = await engine.docker('cp', `${name}:/m/etc`, join(scratch, name));
      expect(copied.code, 'cp').not.toBe(0);
      seen.push(code === 0 ? stdout : 'refused');
    }
    for (const text of seen) expect(['refused', 'mark\n']).toContain(text);
    await ok('rm', '-f', 'swapper');
    expect(mountsLeft()).toEqual([]);
  });

  test('nor do cp, and a mount that lies inside, while a path is swapped', async () => {
    writeFileSync(join(scratch, 'secret'), 'secret');
    await fill('rm -rf sub dir; mkdir sub');
    const swap = 'while :; do mv sub dir; ln -s / sub; rm sub; mv dir sub; done';
    await ok('run', '-d', '--name', 'swapper', '-v', 'vol:/d', '-w', '/d', 'busybox', 'sh', '-c', swap);
    const put = join(scratch, 'put');
    writeFileSync(put, 'put');
    for (let at = 0; at < 8; at++) {
      const out = await engine.docker('cp', `swapper:/d/sub${scratch}/secret`, join(scratch, 'got'));
      expect(out.code).not.toBe(0);
      await engine.docker('cp', put, `swapper:/d/sub${scratch}/put${at}`);
      await engine.docker('cp', put, `swapper:/d/sub/cleat-put-${at}`);
      const { code, stdout } = await engine.docker(
        'run',
        '--rm',
        '-v',
        'vol:/d',
        '-v',
        `${scratch}:/d/sub`,
        'busybox',
        'cat',
        '/d/sub/secret',
      );
      expect(code === 0 ? stdout : 'secret').toBe('secret');
    }
    await ok('rm', '-f', 'swapper');
    expect(existsSync(join(scratch, 'put0'))).toBe(false);
    expect(readdirSync('/').filter((name) => name.startsWith('cleat-put'))).toEqual([]);
    expect(listMounts(scratch)).toEqual([]);
  });

  test('nothing is held while it runs, nor after a kill of the engine', async () => {
    await fill('mkdir kept; echo 1 > kept/one');
    await ok('run', '-d', '--name', 'long', '--mount', mount('kept'), 'busybox', 'sleep', '600');
    const own = mountsLeft();
    expect(own.filter((path) => /held|archives/.test(path))).toEqual([]);
    await engine.kill('SIGKILL');
    await engine.restart();
    expect(mountsLeft()).toEqual(own);
    expect(await ok('exec', 'long', 'cat', '/m/one')).toBe('1');
    await ok('rm', '-f', 'long');
    expect(mountsLeft()).toEqual([]);
    await ok('volume', 'rm', 'vol');
  });
});

describe('an /etc/passwd or /etc/group that has no end', () => {
  const kinds: [string, string, string][] = ['passwd', 'group'].flatMap((name): [string, string, string][] => [
    [name, `truncate -s 8000G /etc/${name}`, 'it is larger than 4194304 bytes'],
    [name, `mkfifo /etc/${name}`, 'it is not a regular file'],
    [name, `mknod /etc/${name} c 1 5`, 'it is not a regular file'],
    [name, `ln -s /dev/zero /etc/${name}`, 'it leads'],
    [name, `ln -s /z /etc/${name}; ln -s dev/zero /z`, 'it leads'],
    [name, `ln -s /proc/self/fd/0 /etc/${name}`, 'it leads'],
  ]);
  const limit = ['-m', '128m', '--memory-swap', '128m'];

  /** Runs an exec that must be refused. Once the stream has begun, it carries the refusal. */
  const execRefused = async (...args: string[]) => {
    const { code, stdout, stderr } = await engine.docker('exec', ...args);
    expect({ args, code }).toEqual({ args, code: 126 });
    return stdout + stderr;
  };

  test.each(kinds)('/etc/%s: %s: no exec, and no further start', async (name, command, why) => {
    const script = `rm -f /etc/${name}; ${command}; echo made; sleep 600`;
    await ok('run', '-d', '--name', 'endless', ...limit, 'busybox', 'sh', '-c', script);
    await expect.poll(() => ok('logs', 'endless')).toContain('made');
    for (const user of ['0', '1000:1000', 'root']) {
      expect(await execRefused('-u', user, 'endless', 'true')).toContain(why);
    }
    await ok('kill', 'endless');
    const text = await refused('start', 'endless');
    expect(text).toContain("of the container's file system cannot be read");
    expect(text).toContain(why);
  });

  test.each([
    ['passwd', 'root', 'unable to find user root: read /etc/passwd: is a directory'],
    ['passwd', '', 'unable to find user 0: read /etc/passwd: is a directory'],
    ['group', '', 'unable to find groups for spec root: read /etc/group: is a directory'],
    ['group', '1000', 'unable to find groups for spec : read /etc/group: is a directory'],
  ])('/etc/%s is a directory, user "%s"', async (name, user, text) => {
    const make = `rm -f /etc/${name}; mkdir /etc/${name}; [ -e /etc/passwd ] || echo root:x:0:0 > /etc/passwd`;
    await ok('run', '--name', 'made', 'busybox', 'sh', '-c', make);
    await ok('commit', 'made', 'odd');
    expect(await refused('run', '--rm', '-u', user, 'odd', 'true')).toContain(`Error response from daemon: ${text}\n`);
    await ok('rm', 'made');
    await ok('rmi', 'odd');
  });

  test('nor where a volume is mounted over them', async () => {
    await ok(
      'run',
      '--rm',
      ...limit,
      '-v',
      'etc:/d',
      'busybox',
      'sh',
      '-c',
      'truncate -s 8000G /d/passwd; ln -s /dev/zero /d/group',
    );
    const run = (...args: string[]) => refused('run', '--rm', ...limit, ...args, 'busybox', 'true');
    expect(await run('-v', 'etc:/etc:nocopy')).toContain('/etc/passwd of the container');
    const path = await ok('volume', 'inspect', '-f', '{{.Mountpoint}}', 'etc');
    expect(await run('-v', `${path}/passwd:/etc/passwd`)).toContain('it is larger than');
    expect(await run('-v', `${path}:/etc`)).toContain('/etc/passwd of the container');
    expect(await run('--mount', 'type=volume,src=etc,dst=/etc/group,volume-subpath=passwd,volume-nocopy')).toContain(
      '/etc/group of',
    );
    await ok('run', '-d', '--name', 'inside', ...limit, '-v', 'fine:/etc', 'busybox', 'sleep', '600');
    await ok('exec', 'inside', 'truncate', '-s', '8000G', '/etc/passwd');
    expect(await execRefused('inside', 'true')).toContain('it is larger than');
    await ok('rm', '-f', 'inside');
    await ok('volume', 'rm', 'etc', 'fine');
  });

  test('a health check fails for that reason', async () => {
    const health = ['--health-cmd', 'true', '--health-interval', '200ms', '--health-retries', '1'];
    const script = 'rm /etc/group; mkfifo /etc/group; sleep 600';
    await ok('run', '-d', '--name', 'sick', ...limit, ...health, 'busybox', 'sh', '-c', script);
    const state = () => ok('inspect', '-f', '{{json .State.Health}}', 'sick');
    await expect
      .poll(state)
      .toMatch(/"Status":"unhealthy".*\/etc\/group of the container's file system cannot be read/);
  });
});

test('exec -u keeps the groups of --group-add', async () => {
  await ok(
    'run',
    '-d',
    '--name',
    'groups',
    '--group-add',
    '8',
    '--group-add',
    '77',
    '-u',
    '1000',
    'busybox',
    'sleep',
    '600',
  );
  for (const user of ['70', '70:7', 'root', '1000']) {
    expect((await ok('exec', '-u', user, 'groups', 'id', '-G')).split(' ')).toEqual(
      expect.arrayContaining(['8', '77']),
    );
  }
});

describe('files that every container has', () => {
  test('/.dockerenv and /etc/mtab, which are no changes; without IPC no /dev/shm', async () => {
    const look = 'ls -l /.dockerenv /etc/mtab; ls -d /dev/shm; cat /etc/mtab | grep -c " / "';
    await ok('run', '--name', 'has', 'busybox', 'sh', '-c', look);
    const text = await ok('logs', 'has');
    expect(text).toMatch(/^-rwxr-xr-x +1 root +root +0 .* \/\.dockerenv$/m);
    expect(text).toMatch(/^lrwxrwxrwx .* \/etc\/mtab -> \/proc\/mounts$/m);
    expect(text).toMatch(/^\/dev\/shm\n1$/m);
    expect(await ok('diff', 'has')).toBe('');
    const { stderr } = await engine.docker('run', '--rm', '--ipc', 'none', 'busybox', 'ls', '/dev/shm');
    expect(stderr).toContain('No such file or directory');
    await ok('create', '--name', 'never', 'busybox', 'true');
    for (const name of ['has', 'never']) {
      const tar = join(scratch, `${name}.tar`);
      await ok('export', '-o', tar, name);
      const entries = execFileSync('tar', ['tvf', tar], { encoding: 'utf8' });
      for (const entry of [
        '.dockerenv',
        'dev/console',
        'dev/pts/',
        'dev/shm/',
        'etc/hosts',
        'etc/hostname',
        'etc/resolv.conf',
        'proc/',
        'sys/',
        'etc/mtab -> /proc/mounts',
      ]) {
        expect(
          entries.split('\n').filter((line) => line.endsWith(` ${entry}`) || line.endsWith(` ./${entry}`)),
          `${name}: ${entry}`,
        ).toHaveLength(1);
      }
    }
  });

  test('a container’s changes to them are changes like any others', async () => {
    await ok('run', '--name', 'changes', 'busybox', 'sh', '-c', 'rm /.dockerenv /etc/mtab; echo own > /etc/mtab');
    expect(await ok('diff', 'changes')).toBe('D /.dockerenv\nC /etc\nC /etc/mtab');
    await ok('commit', 'changes', 'changed');
    expect(await ok('run', '--rm', 'changed', 'readlink', '/etc/mtab')).toBe('/proc/mounts');
    await ok('rmi', 'changed');
  });
});

describe('the working directory', () => {
  test('is made through links, and is no file, in Docker’s words', async () => {
    const links =
      'mkdir -p /real/d; ln -s /real /link; ln -s /etc/passwd /lf; ln -s nowhere /dang; ln -s ../../../.. /up';
    await ok('run', '--name', 'links', 'busybox', 'sh', '-c', links);
    await ok('commit', 'links', 'links');
    for (const [requested, real] of [
      ['/link', '/real'],
      ['/link/d', '/real/d'],
      ['/link/new/deep', '/real/new/deep'],
      ['/dang', '/nowhere'],
      ['/dang/x', '/nowhere/x'],
      ['/up/tmp/cleat-not-outside', '/tmp/cleat-not-outside'],
    ] as const) {
      expect(await ok('run', '--rm', '-w', requested, 'links', 'pwd')).toBe(real);
    }
    expect(existsSync('/tmp/cleat-not-outside')).toBe(false);
    for (const file of ['/lf', '/etc/passwd']) {
      const { code, stderr } = await engine.docker('run', '--rm', '-w', file, 'links', 'pwd');
      expect({ code, stderr }).toEqual({
        code: 125,
        stderr: expect.stringContaining(`Cannot mkdir: ${file} is not a directory`),
      });
    }
    await ok('run', '-d', '--name', 'runs', 'links', 'sleep', '600');
    expect(await ok('exec', '-w', '/link', 'runs', 'pwd')).toBe('/real');
    const { code, stdout, stderr } = await engine.docker('exec', '-w', '/etc/passwd', 'runs', 'pwd');
    expect(code).toBe(126);
    expect(stdout + stderr).toContain(
      'not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?',
    );
    await ok('rm', '-f', 'runs', 'links');
    await ok('rmi', 'links');
  });
});

describe('the data root as a bind', () => {
  test('is passed on to the container, and cannot be kept from it', async () => {
    const propagation = (...args: string[]) =>
      ok('run', '--rm', ...args, 'busybox', 'sh', '-c', 'grep " /m " /proc/self/mountinfo');
    const root = engine.dataRoot;
    for (const mode of ['private', 'rprivate', 'shared', 'slave']) {
      const text = `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "${root}", bind mount source: "${root}", propagation: "${mode}"`;
      expect(await refused('create', '-v', `${root}:/m:${mode}`, 'busybox')).toContain(text);
      const mount = `type=bind,src=${root},dst=/m,bind-propagation=${mode}`;
      expect(await refused('create', '--mount', mount, 'busybox')).toContain(text);
    }
    expect(await refused('create', '-v', '/:/m:rprivate', 'busybox')).toContain('bind mount source: "/"');
    await propagation('-v', `${root}:/m`);
    await ok('create', '--name', 'root', '-v', `${root}/volumes:/m`, '-v', `${root}-beside:/n`, 'busybox', 'true');
    const mounts = JSON.parse(await ok('inspect', '-f', '{{json .Mounts}}', 'root')) as { Propagation: string }[];
    expect(mounts.map(({ Propagation }) => Propagation).sort()).toEqual(['rprivate', 'rslave']);
  });
});

describe('the mount point that a plugin answers with', () => {
  test('is a directory, and no place of the host or the engine', async () => {
    await using plugin = new ScriptedVolumePlugin(join(engine.pluginDirectory, 'sly.sock'), join(scratch, 'sly'));
    plugin.clear();
    symlinkSync('/etc', join(scratch, 'link'));
    mkdirSync(join(scratch, 'fine'));
    writeFileSync(join(scratch, 'fine/mark'), 'fine\n');
    const run = (Mountpoint: string) => {
      plugin.answers.set('Mount', { Mountpoint });
      return engine.docker('run', '--rm', '-v', 'slyvol:/m', '--volume-driver', 'sly', 'busybox', 'ls', '/m');
    };
    for (const place of [
      engine.socket,
      engine.dataRoot,
      engine.execRoot,
      join(engine.dataRoot, 'store'),
      '/',
      '/dev',
      '/proc',
      '/proc/self/root/etc',
      '/sys/fs/cgroup',
      '/run',
      join(scratch, 'link'),
      join(scratch, 'link/ssl'),
    ].filter((each) => existsSync(each))) {
      const { code, stderr, stdout } = await run(place);
      expect({ place, code, stdout }).toEqual({ place, code: 125, stdout: '' });
      expect(stderr).toContain(`with the mount point ${JSON.stringify(place)}, which`);
      expect(stderr).toContain("error while mounting volume '");
    }
    expect(await run(join(scratch, 'fine'))).toMatchObject({ code: 0, stdout: 'mark\n' });
    expect(mountsLeft()).toEqual([]);
  });
});
