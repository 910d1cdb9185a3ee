import { join } from 'node:path';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { processesOf } from '../../cli/sweep/processes.js';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { losePower } from './support/reboot.js';

/** batteries/volume-tmpfs: memory that outlives containers, the engine and the extension, and ends with its volume. */
const carriers = { 'in-process': [], process: ['--extension=volume-tmpfs=process'] } as const;

describe.each(['in-process', 'process'] as const)('tmpfs volumes, %s', (carrier) => {
  let engine: Engine;
  const flags = carriers[carrier];
  const { ok, refused } = clientOf(() => engine);
  beforeAll(async () => {
    engine = await startEngine({ flags });
  });
  afterEach(() => removeAll(engine));
  afterAll(() => engine[Symbol.asyncDispose]());

  /** Mount points of volumes, in the host's own namespace. */
  const mounted = () => listMounts(join(engine.dataRoot, 'extensions/volume-tmpfs')).map(({ target }) => target);
  const status = async (name: string) => JSON.parse(await ok('volume', 'inspect', '-f', '{{json .Status}}', name));
  const create = (name: string, ...options: string[]) =>
    ok('volume', 'create', '-d', 'tmpfs', ...options.flatMap((option) => ['-o', option]), name);
  /** The output of a script in a new container that has the volume at /v. */
  const inNew = (volume: string, script: string) =>
    ok('run', '--rm', '--network=none', '-v', `${volume}:/v`, 'busybox', 'sh', '-c', script);

  describe('beside others', () => {
    test('options are what the container finds', async () => {
      await create('scratch', 'size=64m', 'mode=0750', 'uid=1000', 'gid=33', 'inodes=1000');
      expect(mounted()).toEqual([]);
      const [facts, df, mount] = (
        await inNew(
          'scratch',
          "stat -c '%a %u:%g' /v; df -k /v | tail -n1 | tr -s ' ' | cut -d' ' -f1,2; grep ' /v ' /proc/mounts",
        )
      ).split('\n');
      expect(facts).toBe('750 1000:33');
      expect(df).toBe('tmpfs 65536');
      expect(mount).toMatch(/^tmpfs \/v tmpfs rw,nosuid,nodev,.*\bnr_inodes=1000\b/);
      expect(await inNew('scratch', 'for i in $(seq 2000); do : > /v/$i || break; done 2>&1 | tail -n1')).toContain(
        'No space left on device',
      );
      await create('small', 'size=1m');
      expect(await inNew('small', 'head -c 2000000 /dev/zero > /v/f; stat -c %s /v/f')).toBe(`${1 << 20}`);
      const { Options, ...usage } = await status('small');
      expect(Options).toEqual({ mode: '1777', size: '1m' });
      expect(usage).toMatchObject({ Mounted: true, UsedBytes: 1 << 20, SizeBytes: 1 << 20, UsedInodes: 2 });
      const own = ['--mount', 'type=volume,src=own,dst=/v,volume-driver=tmpfs,volume-opt=size=2m,volume-opt=mode=700'];
      expect(await ok('run', '--rm', '--network=none', ...own, 'busybox', 'stat', '-fc', '%b', '/v')).toBe('512');
      await ok('volume', 'rm', 'scratch', 'small', 'own');
      expect(mounted()).toEqual([]);
    });

    test('a wrong option is refused with the right ones, and nothing is made', async () => {
      const refusals: [Record<string, string>, string][] = [
        [{ color: 'red' }, 'invalid option: "color": a tmpfs volume has size, mode, uid, gid, inodes'],
        [{ size: 'lots' }, 'invalid option: size="lots": it must be a number of bytes above 0, such as '],
        [{ size: '1m,uid=0' }, 'invalid option: size="1m,uid=0": it must be '],
        [{ mode: '1888' }, 'invalid option: mode="1888": it must be octal permission bits'],
        [{ uid: 'root' }, 'invalid option: uid="root": it must be the number of a user'],
        [{ gid: '-1' }, 'invalid option: gid="-1": it must be the number of a group'],
        [{ inodes: '0' }, 'invalid option: inodes="0": it must be how many files'],
      ];
      for (const [DriverOpts, message] of refusals) {
        const body = { Name: 'bad', Driver: 'tmpfs', DriverOpts };
        const answer = await engine.api('POST', '/volumes/create', body);
        expect({ status: answer.status, message: JSON.parse(answer.body).message }).toEqual({
          status: 400,
          message: expect.stringContaining(`create bad: ${message}`),
        });
      }
      expect(await ok('volume', 'ls', '-q')).toBe('');
    });

    test('contents stay through stops, starts and kills, and end with the volume', async () => {
      await create('kept', 'size=8m');
      const sleeper = ['--network=none', '-v', 'kept:/v', 'busybox', 'sleep', '1000'];
      await ok('run', '-d', '--name', 'one', ...sleeper);
      await ok('run', '-d', '--name', 'two', ...sleeper);
      await ok('exec', 'one', 'sh', '-c', 'echo first > /v/file');
      const read = (name: string) => ok('exec', name, 'cat', '/v/file');
      expect(await read('two')).toBe('first');
      const data = join(engine.dataRoot, 'extensions/volume-tmpfs/kept/_data');
      expect(await ok('volume', 'inspect', '-f', '{{.Mountpoint}}', 'kept')).toBe(data);

      await ok('stop', '-t', '0', 'one', 'two');
      await ok('start', 'one');
      expect(await read('one')).toBe('first');
      await ok('rm', '-f', 'one', 'two');
      expect(await inNew('kept', 'cat /v/file')).toBe('first');

      await ok('run', '-d', '--name', 'three', ...sleeper);
      await engine.kill('SIGTERM');
      await engine.restart();
      expect(await inNew('kept', 'cat /v/file')).toBe('first');
      await ok('rm', '-f', 'three');
      await ok('run', '-d', '--name', 'four', ...sleeper);
      await engine.kill('SIGKILL');
      await engine.restart();
      expect(await read('four')).toBe('first');
      await ok('exec', 'four', 'sh', '-c', 'echo second > /v/file');
      if (carrier === 'process') {
        process.kill(hostOf(engine), 'SIGKILL');
        expect(await read('four')).toBe('second');
      }
      await expect
        .poll(() => engine.docker('run', '--rm', '--network=none', '-v', 'kept:/v', 'busybox', 'cat', '/v/file'))
        .toMatchObject({ stdout: 'second\n' });
      expect(mounted()).toEqual([data]);

      // Without the extension, what runs goes on with what it has.
      await engine.kill('SIGKILL');
      await engine.restart(['--extension=volume-tmpfs=off']);
      expect(await read('four')).toBe('second');
      expect(await refused('run', '--rm', '-v', 'kept:/v', 'busybox', 'true')).toContain(
        'extension volume-tmpfs is left out by the configuration; cleatd --extension volume-tmpfs=in-process brings it back',
      );
      await engine.kill('SIGKILL');
      await engine.restart([...flags]);

      expect(await refused('volume', 'rm', '-f', 'kept')).toMatch(/remove kept: volume is in use - \[[0-9a-f]{64}\]/);
      expect(await read('four')).toBe('second');
      await ok('rm', '-f', 'four');
      await ok('volume', 'rm', 'kept');
      expect(mounted()).toEqual([]);
      await create('kept');
      expect(await inNew('kept', 'ls /v')).toBe('');
      await ok('volume', 'rm', 'kept');
    });

    test('after the power failed it is known, with its options, and empty', async () => {
      await create('scratch', 'size=3m', 'mode=0700');
      await inNew('scratch', 'echo x > /v/file');
      await losePower(engine, { staleSockets: false });
      expect(mounted()).toEqual([]);
      await engine.restart();
      expect(await ok('volume', 'ls', '--format', '{{.Driver}} {{.Name}}')).toBe('tmpfs scratch');
      // Looking does not wait for an extension that is just being started.
      await expect.poll(() => status('scratch')).toEqual({ Options: { mode: '0700', size: '3m' }, Mounted: false });
      expect(await inNew('scratch', 'ls /v; stat -c %a /v; stat -fc %b /v')).toBe('700\n768');
      expect(mounted()).toHaveLength(1);
      await ok('volume', 'rm', 'scratch');
    });

    test('prune takes those of the default driver only, as it does of any other', async () => {
      await create('idle');
      expect(await ok('volume', 'prune', '-af')).toContain('Total reclaimed space: 0B');
      expect(await ok('volume', 'ls', '-q')).toBe('idle');
      await ok('volume', 'rm', 'idle');
    });
  });

  test('as the default, by configuration alone', async () => {
    await engine.kill('SIGTERM');
    await engine.restart([...flags, '--default-volume-driver=tmpfs', '--extension=volume-local=off']);
    await ok('run', '--name', 'seed', 'busybox', 'sh', '-c', 'mkdir /data && echo from the image > /data/f');
    await ok('commit', '--change', 'VOLUME /data', 'seed', 'filled');
    await ok('rm', 'seed');

    await ok('run', '-d', '--name', 'user', '-v', '/anonymous', '-v', 'named:/named', 'filled', 'sleep', '1000');
    expect(await ok('exec', 'user', 'cat', '/data/f')).toBe('from the image');
    const types = await ok('exec', 'user', 'stat', '-fc', '%T', '/data', '/anonymous', '/named');
    expect(types.split('\n')).toEqual(['tmpfs', 'tmpfs', 'tmpfs']);
    const drivers = (await ok('volume', 'ls', '--format', '{{.Driver}}')).split('\n');
    expect(drivers).toEqual(['tmpfs', 'tmpfs', 'tmpfs']);
    expect(await ok('info', '-f', '{{json .Plugins.Volume}}')).toBe('["tmpfs"]');
    expect(await ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Local Volumes 3');
    expect(mounted()).toHaveLength(3);

    await ok('exec', 'user', 'sh', '-c', 'head -c 100000 /dev/zero > /anonymous/f');
    await ok('rm', '-f', 'user');
    // Those that nobody named; then the others, too.
    expect(await ok('volume', 'prune', '-f')).toMatch(/Deleted Volumes:\n(\w{64}\n){2}[\s\S]*space: 1\d\d(\.\d)?kB$/);
    expect(mounted()).toHaveLength(1);
    expect(await ok('volume', 'prune', '-af')).toContain('Deleted Volumes:\nnamed');
    expect(mounted()).toEqual([]);
    expect(await refused('volume', 'create', '-d', 'local', 'x')).toContain(
      'cleatd --extension volume-local=in-process brings it back',
    );
  });
});

/** The process of the extension. */
function hostOf(engine: Engine): number {
  const found = processesOf(engine).find(({ command }) => command.includes('/volume-tmpfs/'));
  if (found === undefined) throw new Error('no process of volume-tmpfs');
  return found.pid;
}
