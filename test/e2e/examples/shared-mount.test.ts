import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { expect, test } from 'vitest';
import { BothEngines } from '../support/both-engines.js';

test('one mount for all volumes, with fixed users by volume, on both engines; what one has made, the other sees', async () => {
  await using both = await BothEngines.start();
  const device = join(both.directory, 'device');
  const root = join(both.directory, 'mounts');
  mkdirSync(device);
  const { driver } = await both.startExample('shared-mount', () => ['--device', device, '--root', root]);
  const owner = (path: string) => {
    const { uid, gid } = statSync(join(device, path));
    return `${uid}:${gid}`;
  };
  for (const { ok } of both.sides) {
    await ok('volume', 'create', '-d', driver, 'team/plain');
    await ok('volume', 'create', '-d', driver, '-o', 'as=1001', 'team/hers');
    const volumes = ['-v', 'team/plain:/p', '-v', 'team/hers:/h'];
    await ok('run', '--rm', '--network=none', ...volumes, 'busybox', 'touch', '/p/file', '/h/file');
    expect(owner('team%2Fplain/file')).toBe('0:0');
    expect(owner('team%2Fhers/file')).toBe('1001:1001');
    expect(await ok('volume', 'inspect', '-f', '{{.Scope}} {{.Status}}', 'team/hers')).toBe('global map[as:1001]');
    for (const other of both.sides) {
      const listed = await other.ok('volume', 'ls', '-q', `--filter=driver=${driver}`);
      expect(listed).toBe('team/hers\nteam/plain');
    }
    await ok('volume', 'rm', 'team/plain', 'team/hers');
    expect(listMounts(root).map(({ target }) => target)).toEqual([join(root, 'all')]);
  }
});
