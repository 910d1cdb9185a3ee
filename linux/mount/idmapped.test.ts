import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../process/run.js';
import { mountIdmapped } from './idmapped.js';
import { mountTmpfs, unmountAll } from './mount.js';
import { listMounts } from './mountinfo.js';

let directory: string;
let source: string;
let target: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-idmapped-'));
  [source, target] = [join(directory, 'source'), join(directory, 'target')];
  for (const path of [source, target]) mkdirSync(path);
  chmodSync(directory, 0o755);
});
afterEach(() => {
  unmountAll(directory);
  rmSync(directory, { recursive: true, force: true });
});

const one = (stored: number, seen: number) => [{ stored, seen, count: 1 }];
const as = (user: number, command: string) =>
  run('setpriv', [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', 'sh', '-c', command]);

test.each(['ext4 or what the host has', 'tmpfs'])(
  'one user is another there, and nobody else is anybody: %s',
  async (type) => {
    if (type === 'tmpfs') mountTmpfs(source);
    chmodSync(source, 0o777);
    chownSync(source, 1500, 1500);
    const map = (user: number) => [...one(user, 4000), ...one(1500, 65534)];
    await mountIdmapped(source, target, { users: map(1001), groups: map(1002) });
    expect(await as(4000, `echo mine > ${target}/file`)).toMatchObject({ code: 0, stderr: '' });
    expect(statSync(join(source, 'file'))).toMatchObject({ uid: 1001, gid: 1002 });
    expect(statSync(join(target, 'file'))).toMatchObject({ uid: 4000, gid: 4000 });
    writeFileSync(join(source, 'roots'), '');
    expect(statSync(join(target, 'roots'))).toMatchObject({ uid: 65534, gid: 65534 });
    chmodSync(join(source, 'roots'), 0o666);
    expect((await as(0, `echo > ${target}/roots`)).stderr).toContain('Permission denied');
    chmodSync(join(source, 'roots'), 0o666);
    expect((await as(0, `echo > ${target}/roots`)).stderr).toContain('Permission denied');
    for (const user of [0, 1001]) {
      expect((await as(user, `echo > ${target}/not`)).stderr).toContain('Value too large for defined data type');
    }
  },
);

test('a mount that cannot be mapped says so, and nothing is mounted', async () => {
  const map = { users: one(1, 1), groups: one(1, 1) };
  await expect(mountIdmapped('/proc/self', target, map)).rejects.toMatchObject({ class: 'NotImplemented' });
  await expect(mountIdmapped(join(directory, 'none'), target, map)).rejects.toThrow('no such file or directory');
  await expect(mountIdmapped(source, target, { users: [], groups: one(1, -1) })).rejects.toThrow('refuses the map');
  expect(listMounts(directory)).toEqual([]);
});
