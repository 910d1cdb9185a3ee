import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { expect, test } from 'vitest';
import { BackEnd, rcloneInstalled, serversBelow } from '../../../examples/rclone-volume/back-end.fixture.js';
import { BothEngines } from '../support/both-engines.js';

test.skipIf(!rcloneInstalled)(
  'a volume outlives kills of everything and absences of its back end, on both engines',
  async () => {
    await using both = await BothEngines.start();
    await using backEnd = new BackEnd(both.directory);
    mkdirSync(join(backEnd.files, 'data'));
    await backEnd.start();
    const options = (own: string) => ['--root', own, '--config', backEnd.config];
    const example = await both.startExample('rclone-volume', options);
    const mounted = () => listMounts(both.directory).filter(({ target }) => target !== both.directory);
    const state = () => ({ mounts: mounted().length, servers: serversBelow(both.directory).length });
    for (const { ok, refused } of both.sides) {
      const volume = ['--network=none', '-v', 'cloud:/c', 'busybox'];
      const inside = (name: string, script: string) => ok('exec', name, 'sh', '-c', script);
      await ok('volume', 'create', '-d', example.driver, '-o', 'remote=box:data', 'cloud');
      for (const name of ['one', 'two']) await ok('run', '-d', '--name', name, ...volume, 'sleep', '1000');
      await inside('one', 'echo shared > /c/file');
      expect(state()).toEqual({ mounts: 1, servers: 1 });

      await example.kill();
      expect(await inside('two', 'cat /c/file')).toBe('shared');
      await example.start();
      await ok('rm', '-f', 'one');
      expect(await inside('two', 'cat /c/file')).toBe('shared');
      expect(await ok('volume', 'inspect', '-f', '{{.Status.Mounted}} {{.Status.Holders}}', 'cloud')).toBe('true 1');

      for (const pid of serversBelow(both.directory)) process.kill(pid, 'SIGKILL');
      expect(await refused('exec', 'two', 'cat', '/c/file')).toContain('not connected');
      await ok('restart', '-t0', 'two');
      expect(await inside('two', 'cat /c/file')).toBe('shared');
      await expect.poll(state).toEqual({ mounts: 1, servers: 1 });

      await backEnd.stop();
      expect(await refused('run', '--rm', ...volume, 'true')).toContain(
        'the back end of volume cloud (box:data) does not answer, start the container again when it is back: ',
      );
      // A stock dockerd asks every plugin of this host, also those of other tests.
      expect(await ok('volume', 'ls', '-q', '--filter', `driver=${example.driver}`)).toBe('cloud');
      await backEnd.start();
      expect(await ok('run', '--rm', ...volume, 'cat', '/c/file')).toBe('shared');
      await ok('run', '--rm', ...volume, 'sh', '-c', 'echo last > /c/words');
      await ok('rm', '-f', 'two');
      expect(readFileSync(join(backEnd.files, 'data/words'), 'utf8')).toBe('last\n');
      await ok('volume', 'rm', 'cloud');
      await expect.poll(state).toEqual({ mounts: 0, servers: 0 });
      expect(readFileSync(join(backEnd.files, 'data/file'), 'utf8')).toBe('shared\n');
    }
  },
);
