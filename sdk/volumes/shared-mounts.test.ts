import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeShared, mountTmpfs, unmount, unmountAll } from '@cleat/linux/mount/mount';
import { isMountPoint, listMounts } from '@cleat/linux/mount/mountinfo';
import { mount as mountSyscall } from '@cleat/linux/syscall/mount';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SharedMounts, type SharedMountsSettings } from '../volumes.js';

let directory: string;
let root: string;
let done: string[];
let opened: SharedMounts[];
let containers: ChildProcess[];
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-shared-');
  root = join(directory, 'mounts');
  done = [];
  opened = [];
  containers = [];
});
afterEach(async () => {
  await Promise.all(containers.map(end));
  for (const mounts of opened) mounts.close();
  unmountAll(directory);
  rmSync(directory, { recursive: true });
});

const tmpfs = (name: string, at: string) => {
  done.push(`mount ${name}`);
  mountTmpfs(at, { size: '1m' });
};
/** A process that starts on what the former one left, which was killed at any moment. */
async function open(more: Partial<SharedMountsSettings> = {}): Promise<SharedMounts> {
  const settings = { root, state: join(directory, 'state'), mount: tmpfs, seesContainers: true, log: silentLogger };
  const mounts = await SharedMounts.open({ ...settings, ...more });
  opened.push(mounts);
  return mounts;
}
const isMounted = (name: string) => isMountPoint(join(root, name));

/** A process in a mount namespace of its own, after a shell script there. */
async function inNamespace(script: string, propagation: 'private' | 'slave'): Promise<ChildProcess> {
  const args = ['--mount', '--propagation', propagation, 'sh', '-c', `${script} && echo ready && exec sleep 1000`];
  const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  containers.push(child);
  await once(child.stdout, 'data');
  return child;
}

/** A process that has a volume as a container has it: elsewhere, and nothing else of ours. */
async function container(volume: string): Promise<ChildProcess> {
  const inside = join(directory, `inside-${containers.length}`);
  mkdirSync(inside);
  const from = join(root, volume);
  return await inNamespace(`mount --bind ${from} ${inside} && umount ${from}`, 'private');
}
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

test('several use one mount, and the last one unmounts; what comes twice is harmless', async () => {
  const mounts = await open();
  const [at, again] = await Promise.all([mounts.hold('v', 'a'), mounts.hold('v', 'b')]);
  expect(at).toBe(join(root, 'v'));
  expect(again).toBe(at);
  expect(await mounts.hold('v', 'a')).toBe(at);
  expect(done).toEqual(['mount v']);
  expect(mounts.holders('v')).toEqual(['a', 'b']);
  expect(mounts.path('v')).toBe(at);
  await mounts.release('v', 'a');
  await mounts.release('v', 'a');
  await mounts.release('v', 'never');
  await mounts.release('other', 'never');
  expect(isMounted('v')).toBe(true);
  await expect(mounts.drop('v')).rejects.toMatchObject({ class: 'Conflict' });
  await mounts.release('v', 'b');
  await mounts.release('v', 'b');
  expect(isMounted('v')).toBe(false);
  expect(mounts.path('v')).toBeUndefined();
  expect(readdirSync(root)).toEqual([]);
  await mounts.drop('v');
});

test('a mount that failed leaves nothing, and the next one is tried', async () => {
  let fails = true;
  const mounts = await open({
    mount: (name, at) => {
      tmpfs(name, at);
      if (fails) throw new Error('the server says no');
    },
  });
  await expect(mounts.hold('v', 'a')).rejects.toThrow('the server says no');
  expect(mounts.holders('v')).toEqual([]);
  expect(readdirSync(root)).toEqual([]);
  fails = false;
  await mounts.hold('v', 'a');
  expect(isMounted('v')).toBe(true);
  const nothing = await open({ mount: () => {} });
  await expect(nothing.hold('w', 'a')).rejects.toThrow('nothing was mounted');
});

test('names cannot lead out of the root', async () => {
  const mounts = await open();
  expect(await mounts.hold('../../etc', 'a')).toBe(join(root, '%2E.%2F..%2Fetc'));
  expect(await mounts.hold('..', 'a')).toBe(join(root, '%2E.'));
  await (await open()).release('../../etc', 'a');
  expect(readdirSync(root)).toEqual(['%2E.']);
  for (const name of ['', 'x'.repeat(256), '\ud800']) {
    await expect(mounts.hold(name, 'a')).rejects.toMatchObject({ class: 'InvalidParameter' });
  }
});

test('killed after the mount, before it was remembered: nobody was told of it, and it goes', async () => {
  await open();
  mkdirSync(join(root, 'v'));
  mountTmpfs(join(root, 'v'));
  const next = await open();
  expect(isMounted('v')).toBe(false);
  expect(next.holders('v')).toEqual([]);
});

test('killed after it was remembered: the next process knows who holds it', async () => {
  await (await open()).hold('v', 'a');
  const next = await open();
  expect(next.holders('v')).toEqual(['a']);
  expect(isMounted('v')).toBe(true);
  await next.hold('v', 'a');
  expect(done).toEqual(['mount v']);
  await next.release('v', 'a');
  expect(isMounted('v')).toBe(false);
});

test('killed between forgetting the last holder and the unmount: the next process unmounts', async () => {
  const killed = () => {
    throw new Error('killed');
  };
  const mounts = await open({ unmount: killed });
  await mounts.hold('v', 'a');
  await expect(mounts.release('v', 'a')).rejects.toThrow('killed');
  expect(isMounted('v')).toBe(true);
  await open();
  expect(isMounted('v')).toBe(false);
});

test('after a reboot nobody holds what is not mounted', async () => {
  await (await open()).hold('v', 'a');
  unmount(join(root, 'v'));
  const next = await open();
  expect(next.holders('v')).toEqual([]);
  await next.hold('v', 'b');
  expect(next.holders('v')).toEqual(['b']);
});

test('an engine that was killed and never said Unmount holds nothing for ever', async () => {
  const mounts = await open({ abandonedAfterMs: 0 });
  await mounts.hold('v', 'a');
  const using = await container('v');
  await mounts.settle();
  expect(mounts.holders('v')).toEqual(['a']);
  await end(using);
  await mounts.settle();
  expect(mounts.holders('v')).toEqual([]);
  expect(isMounted('v')).toBe(false);
});

test('not so before its time, nor while a file in it is open: an engine copies without a container', async () => {
  const patient = await open();
  const at = await patient.hold('v', 'a');
  await patient.settle();
  expect(isMounted('v')).toBe(true);
  writeFileSync(join(at, 'file'), '');
  const fd = openSync(join(at, 'file'), 'r');
  const hasty = await open({ abandonedAfterMs: 0 });
  expect(hasty.holders('v')).toEqual(['a']);
  closeSync(fd);
  await hasty.settle();
  expect(isMounted('v')).toBe(false);
});

test('a volume that was forgotten is not taken from a running container, and goes once that has ended', async () => {
  const mounts = await open();
  await mounts.hold('v', 'a');
  const using = await container('v');
  rmSync(join(directory, 'state'));
  const next = await open();
  expect(next.holders('v')).toEqual([]);
  await next.release('v', 'a');
  await expect(next.drop('v')).rejects.toThrow('stop it first');
  expect(isMounted('v')).toBe(true);
  await end(using);
  await next.drop('v');
  expect(isMounted('v')).toBe(false);
});

test('a copy that came with a namespace does not count: containerd’s shims have one of every mount', async () => {
  const mounts = await open();
  await mounts.hold('v', 'a');
  await inNamespace('true', 'private');
  await mounts.release('v', 'a');
  expect(isMounted('v')).toBe(false);
});

test('in a container it counts at whatever place, also at that of ours', async () => {
  const mounts = await open();
  const at = await mounts.hold('v', 'a');
  const kept = join(directory, 'kept');
  mkdirSync(kept);
  const script = `mount --bind ${at} ${kept} && umount ${at} && mount -t tmpfs none ${root} && mkdir ${at} && mount --move ${kept} ${at}`;
  const using = await inNamespace(script, 'private');
  await mounts.release('v', 'a');
  expect(isMounted('v')).toBe(true);
  await end(using);
  await mounts.drop('v');
  expect(isMounted('v')).toBe(false);
});

test('a copy that goes with ours does not count, what was mounted elsewhere from it does', async () => {
  const tree = join(directory, 'tree');
  mkdirSync(tree);
  mountTmpfs(tree);
  makeShared(tree);
  const mounts = await open({ root: join(tree, 'mounts') });
  const at = await mounts.hold('v', 'a');
  expect(listMounts(at)[0]?.propagation.join()).toMatch(/^shared:/);
  await inNamespace('true', 'slave');
  await mounts.release('v', 'a');
  expect(existsSync(at)).toBe(false);

  await mounts.hold('v', 'a');
  const inside = join(directory, 'inside');
  mkdirSync(inside);
  const bound = await inNamespace(`mount --bind ${at} ${inside}`, 'slave');
  await mounts.release('v', 'a');
  expect(isMountPoint(at)).toBe(true);
  await end(bound);
  await mounts.settle();
  expect(existsSync(at)).toBe(false);
});

test.skipIf(!existsSync('/dev/fuse'))(
  'a mount whose server has died is replaced; one whose server is silent is an error, in time',
  async () => {
    const fuse = openSync('/dev/fuse', 'r+');
    const mounts = await open({
      mount: (name, at) => {
        if (done.length > 0) return tmpfs(name, at);
        done.push('mount fuse');
        mountSyscall('test', at, 'fuse', 0, `fd=${fuse},rootmode=40000,user_id=0,group_id=0`);
      },
    });
    const at = await mounts.hold('v', 'a');
    await expect(mounts.hold('v', 'b')).rejects.toMatchObject({ class: 'Unavailable' });
    closeSync(fuse);
    expect(await mounts.hold('v', 'b')).toBe(at);
    expect(done).toEqual(['mount fuse', 'mount v']);
    expect(mounts.holders('v')).toEqual(['a', 'b']);
    writeFileSync(join(at, 'file'), 'lives');
  },
);
