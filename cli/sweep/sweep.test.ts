import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountTmpfs, unmount, unmountAll } from '@cleat/linux/mount/mount';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { processesOf } from './processes.js';
import { checkIsEngine } from './running.js';
import { sweep } from './sweep.js';

let directory: string;
let roots: { dataRoot: string; execRoot: string };
const started: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-sweep-'));
  roots = { dataRoot: join(directory, 'data'), execRoot: join(directory, 'exec') };
  for (const root of Object.values(roots)) mkdirSync(root);
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await new Promise((end) => child.once('exit', end));
  }
  rmSync(directory, { recursive: true });
});

/** A program as extensions are: Node.js, with a path on its command line. It says when it is there. */
async function program(path: string, before: string[] = []): Promise<ChildProcess> {
  const [file = '', ...args] = [
    ...before,
    process.execPath,
    '-e',
    'console.log(1); setInterval(() => 1, 1000)',
    '--',
    path,
  ];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  await new Promise((there, failed) => {
    child.stdout?.once('data', there);
    child.once('exit', () => failed(new Error(`${file} ended`)));
  });
  return child;
}

test('only processes of these very roots are found', async () => {
  const ours = await program(`${roots.dataRoot}/extensions/one.sock`);
  const flag = await program(`--socket=${roots.execRoot}/two.sock`);
  await program(`/srv${roots.dataRoot}/extensions/one.sock`);
  await program(`${roots.dataRoot}-2/extensions/one.sock`);
  // An engine within a container sees the same paths, and they are others.
  const elsewhere = `
    mount -t tmpfs tmpfs ${directory} && cd ${directory} && mkdir upper work root
    mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
    exec chroot root "$0" "$@"`;
  await program(`${roots.dataRoot}/extensions/one.sock`, ['unshare', '--mount', 'sh', '-e', '-c', elsewhere]);
  expect(new Set(processesOf(roots).map(({ pid }) => pid))).toEqual(new Set([ours.pid, flag.pid]));
});

test('a file system that somebody mounted for a root is emptied, and stays', async () => {
  mountTmpfs(roots.dataRoot);
  try {
    writeFileSync(join(roots.dataRoot, 'engine-id'), randomUUID());
    const volume = join(roots.dataRoot, 'volumes/v');
    mkdirSync(join(volume, '_data'), { recursive: true });
    writeFileSync(join(volume, 'opts.json'), JSON.stringify({ MountType: 'tmpfs', MountDevice: 'tmpfs' }));
    mountTmpfs(join(volume, '_data'));
    expect(await sweep(roots)).toEqual([]);
    expect(isMountPoint(roots.dataRoot)).toBe(true);
    expect(readdirSync(roots.dataRoot)).toEqual([]);
    expect(existsSync(roots.execRoot)).toBe(false);
  } finally {
    unmount(roots.dataRoot);
  }
});

test('a mount of the administrator in the roots stays, and is told', async () => {
  const mount = (...place: string[]) => {
    const path = join(directory, ...place);
    mkdirSync(path, { recursive: true });
    mountTmpfs(path);
    writeFileSync(join(path, 'file'), '');
    return path;
  };
  writeFileSync(join(roots.dataRoot, 'engine-id'), randomUUID());
  const theirs = [
    mount('data/layers'),
    mount('data/volumes/plain/_data'),
    mount('data/extensions'),
    mount('data/volumes/damaged/_data'),
    mount('exec/backup'),
  ];
  writeFileSync(join(roots.dataRoot, 'volumes/plain/opts.json'), JSON.stringify({ MountType: '', MountDevice: '' }));
  writeFileSync(join(roots.dataRoot, 'volumes/damaged/opts.json'), '{');
  const memory = mount('data/extensions/volume-tmpfs/v/_data');
  const bundle = mount('exec/containers/c/shm');
  // The kernel knows their names without it.
  const link = join(directory, 'link');
  symlinkSync(directory, link);
  try {
    const told = await sweep({ dataRoot: join(link, 'data'), execRoot: join(link, 'exec') });
    const expected = theirs.map(
      (place) => `${place}: the engine did not mount what is mounted there, so it stays, with all that is in it`,
    );
    expect(told.sort()).toEqual(expected.sort());
    for (const place of theirs) expect(existsSync(join(place, 'file'))).toBe(true);
    for (const gone of [memory, bundle]) expect(isMountPoint(gone)).toBe(false);
    expect(readdirSync(roots.dataRoot).sort()).toEqual(['extensions', 'layers', 'volumes']);
    expect(readdirSync(roots.execRoot)).toEqual(['backup']);
  } finally {
    unmountAll(directory);
  }
});

test('two directories that are not the roots of one engine are refused', () => {
  const id = randomUUID();
  const say = (root: string, text: string) => writeFileSync(join(root, 'engine-id'), text);
  expect(() => checkIsEngine(roots)).toThrow('data is not the data root of an engine');
  say(roots.dataRoot, id);
  expect(() => checkIsEngine(roots)).toThrow('exec is not the exec root of an engine');
  say(roots.execRoot, randomUUID());
  expect(() => checkIsEngine(roots)).toThrow('exec is the exec root of another engine than');
  for (const theirs of [id, 'damaged']) {
    say(roots.execRoot, theirs);
    expect(() => checkIsEngine(roots)).not.toThrow();
  }
  expect(() => checkIsEngine({ ...roots, execRoot: join(directory, 'gone') })).not.toThrow();
});
