import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { getXattr, listXattrs, splitDevice } from '@cleat/linux/syscall/files';
import { isClass } from '@cleat/protocol/errors';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Entry, tarOf } from '../../images/images.fixture.js';
import { Growth, Unpackers } from './unpackers.js';

let directory: string;
let target: string;
const unpackers = new Unpackers();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-unpack-'));
  target = join(directory, 'inner', 'layer');
  mkdirSync(target, { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function unpackBytes(bytes: Buffer, bounds?: { maxBytes: number; maxEntries: number }) {
  const archive = join(directory, 'archive');
  writeFileSync(archive, bytes);
  return unpackers.unpack({ archive, target, ...(bounds && { bounds }) });
}

const unpackEntries = async (entries: Entry[]) => await unpackBytes(await tarOf(entries));

test('owners, modes, times, links and devices arrive as they are in the archive', async () => {
  const mtime = new Date('2020-01-02T03:04:05Z');
  const tar = await tarOf([
    { name: './', type: 'directory', mode: 0o711, mtime },
    { name: 'd/', type: 'directory', mode: 0o1777, uid: 7, gid: 8, mtime },
    { name: 'd/suid', mode: 0o4755, uid: 1000, gid: 1001, mtime, content: 'hello' },
    { name: 'd/hard', type: 'link', linkname: 'd/suid' },
    { name: 'd/dangling', type: 'symlink', linkname: '/no/such', uid: 5, mtime },
    { name: 'd/null', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 },
    { name: 'd/fifo', type: 'fifo', mode: 0o600 },
    { name: 'no/parents/listed', content: 'x' },
    { name: `long/${'n'.repeat(200)}`, content: 'long' },
  ]);
  const done = await unpackBytes(gzipSync(tar));
  expect(done).toEqual({
    diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}`,
    size: 10,
    tarSize: tar.length,
    compression: 'gzip',
  });
  const suid = lstatSync(join(target, 'd/suid'));
  expect([suid.mode & 0o7777, suid.uid, suid.gid, suid.mtime]).toEqual([0o4755, 1000, 1001, mtime]);
  expect(lstatSync(join(target, 'd/hard')).ino).toBe(suid.ino);
  const dir = lstatSync(join(target, 'd'));
  expect([dir.mode & 0o7777, dir.uid, dir.gid, dir.mtime]).toEqual([0o1777, 7, 8, mtime]);
  const link = lstatSync(join(target, 'd/dangling'));
  expect([link.isSymbolicLink(), link.uid, link.mtime]).toEqual([true, 5, mtime]);
  const device = lstatSync(join(target, 'd/null'), { bigint: true });
  expect(splitDevice(device.rdev)).toEqual({ major: 1, minor: 3 });
  expect(lstatSync(join(target, 'd/fifo')).isFIFO()).toBe(true);
  expect(lstatSync(target).mode & 0o777).toBe(0o711);
  expect(readFileSync(join(target, `long/${'n'.repeat(200)}`), 'utf8')).toBe('long');
});

test('nothing leads out of the layer', async () => {
  writeFileSync(join(directory, 'secret'), 'secret');
  await unpackEntries([
    { name: '../../up', content: 'x' },
    { name: `${directory}/absolute`, content: 'x' },
    { name: 'root', type: 'symlink', linkname: '/' },
    { name: `root${directory}/through-link`, content: 'x' },
    { name: 'relative', type: 'symlink', linkname: '../../..' },
    { name: 'relative/through-relative', content: 'x' },
    { name: 'secret', content: 'mine' },
    { name: 'secret', type: 'symlink', linkname: join(directory, 'secret') },
    { name: 'secret', content: 'replaced, not followed' },
  ]);
  expect(readdirSync(directory).sort()).toEqual(['archive', 'inner', 'secret']);
  expect(readdirSync(join(directory, 'inner'))).toEqual(['layer']);
  expect(readFileSync(join(directory, 'secret'), 'utf8')).toBe('secret');
  expect(readFileSync(join(target, 'secret'), 'utf8')).toBe('replaced, not followed');
  expect(existsSync(join(target, 'through-relative'))).toBe(true);
  expect(existsSync(join(target, directory, 'through-link'))).toBe(true);
  const hardLink = unpackEntries([{ name: 'stolen', type: 'link', linkname: join(directory, 'secret') }]);
  // The layer itself may hold that path by now; the host's file must not be the one that is linked.
  await hardLink.catch(() => {});
  expect(lstatSync(join(directory, 'secret')).nlink).toBe(1);
});

test('whiteouts become those of overlayfs', async () => {
  await unpackEntries([
    { name: 'a/', type: 'directory' },
    { name: 'a/.wh.gone', content: '' },
    { name: 'b/', type: 'directory' },
    { name: 'b/.wh..wh..opq', content: '' },
    { name: '.wh.was-file', content: '' },
    { name: 'was-file/', type: 'directory' },
    { name: '.wh..wh.plnk/1.2', content: '' },
    { name: '.wh..wh.aufs', content: '' },
  ]);
  const gone = lstatSync(join(target, 'a/gone'));
  expect([gone.isCharacterDevice(), gone.rdev]).toEqual([true, 0]);
  expect(getXattr(join(target, 'b'), 'trusted.overlay.opaque').toString()).toBe('y');
  expect(getXattr(join(target, 'was-file'), 'trusted.overlay.opaque').toString()).toBe('y');
  expect(existsSync(join(target, '.wh..wh.aufs'))).toBe(false);
  await expect(unpackEntries([{ name: 'a/.wh...', content: '' }])).rejects.toThrow('invalid whiteout');
});

test('extended attributes are bytes; orders to overlayfs are not taken from an archive', async () => {
  const capability = Buffer.from('0100000200208000ff0000000000000000000000', 'hex');
  const record = (key: string, value: Buffer) => {
    const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
    let length = body.length + 2;
    if (String(length).length + body.length !== length) length = String(length).length + body.length;
    return Buffer.concat([Buffer.from(String(length)), body]);
  };
  const pax = Buffer.concat([
    record('SCHILY.xattr.security.capability', capability),
    record('SCHILY.xattr.trusted.overlay.redirect', Buffer.from('/etc')),
  ]);
  const header = await tarOf([{ name: 'pax', content: pax }]);
  header.write('x', 156);
  let sum = 0;
  header.fill(' ', 148, 156);
  for (const byte of header.subarray(0, 512)) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const file = await tarOf([{ name: 'bin', mode: 0o755, content: 'x' }]);
  await unpackBytes(Buffer.concat([header.subarray(0, 512 + Math.ceil(pax.length / 512) * 512), file]));
  expect(listXattrs(join(target, 'bin'))).toEqual(['security.capability']);
  expect(getXattr(join(target, 'bin'), 'security.capability').subarray(4, 9)).toEqual(capability.subarray(4, 9));
});

test("other compressions go through the host's commands", async () => {
  const tar = await tarOf([{ name: 'f', content: 'content' }]);
  for (const [command, compression] of [
    ['zstd', 'zstd'],
    ['xz', 'xz'],
    ['bzip2', 'bzip2'],
  ] as const) {
    const bytes = execFileSync(command, ['-c'], { input: tar });
    expect((await unpackBytes(bytes)).compression).toBe(compression);
    expect(readFileSync(join(target, 'f'), 'utf8')).toBe('content');
  }
});

test('damaged and oversized archives are refused', async () => {
  const tar = await tarOf([{ name: 'zeros', content: Buffer.alloc(4 * 1024 * 1024) }]);
  const invalid = (error: unknown) => isClass(error, 'InvalidParameter');
  const refused = async (work: Promise<unknown>) =>
    expect(invalid(await work.catch((error: unknown) => error))).toBe(true);
  await refused(unpackBytes(gzipSync(tar), { maxBytes: 1024 * 1024, maxEntries: 10 }));
  await refused(
    unpackBytes(await tarOf(Array.from({ length: 11 }, (_, i) => ({ name: `f${i}`, content: '' }))), {
      maxBytes: 1e9,
      maxEntries: 10,
    }),
  );
  await refused(unpackBytes(tar.subarray(0, 100_000)));
  await refused(unpackBytes(gzipSync(tar).subarray(0, 1000)));
  await refused(unpackBytes(Buffer.from('this is no tar at all'.repeat(100))));
});

/** The unpacking processes of this one. */
function processes(): string[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .split(' ')
    .filter((pid) => {
      try {
        return pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('unpack/child.js');
      } catch {
        // It has ended meanwhile.
        return false;
      }
    });
}

test.each(['none', 'gzip'])('an archive is unpacked as it grows, also under another name (%s)', async (compression) => {
  const tar = await tarOf([
    { name: 'first', content: 'first' },
    { name: 'large', content: randomBytes(2_000_000) },
    { name: 'last', content: 'last' },
  ]);
  const bytes = compression === 'gzip' ? gzipSync(tar) : tar;
  const archive = join(directory, 'growing');
  writeFileSync(archive, bytes.subarray(0, 700_000));
  const growth = new Growth();
  const done = new Unpackers().unpack({ archive, growth, target });
  await vi.waitFor(() => expect(readdirSync(target)).toContain('first'), 20_000);
  renameSync(archive, join(directory, 'whole'));
  for (const [start, end] of [
    [700_000, 1_400_000],
    [1_400_000, bytes.length],
  ] as const) {
    appendFileSync(join(directory, 'whole'), bytes.subarray(start, end));
    growth.tell(end === bytes.length);
  }
  expect(await done).toEqual({
    ...(compression === 'gzip' && { diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}` }),
    size: 2_000_009,
    tarSize: tar.length,
    compression,
  });
  expect(readFileSync(join(target, 'last'), 'utf8')).toBe('last');
});

test('an archive that stops growing can be given up: nobody writes there then', async () => {
  const archive = join(directory, 'growing');
  writeFileSync(archive, (await tarOf([{ name: 'large', content: randomBytes(2_000_000) }])).subarray(0, 700_000));
  const stop = new AbortController();
  const before = processes().length;
  const done = unpackers.unpack({ archive, growth: new Growth(), target, signal: stop.signal });
  await vi.waitFor(() => expect(readdirSync(target)).toEqual(['large']), 20_000);
  stop.abort();
  await expect(done).rejects.toMatchObject({ class: 'Cancelled' });
  expect(processes().length).toBeLessThanOrEqual(before);
});

test('a process that has unpacked one archive takes the next, and no other after a failure', async () => {
  const unpack = async (bytes: Buffer) => {
    const archive = join(directory, 'archive');
    writeFileSync(archive, bytes);
    await own.unpack({ archive, target });
  };
  const own = new Unpackers();
  const before = processes();
  const started = () => processes().filter((pid) => !before.includes(pid));
  await unpack(await tarOf([{ name: 'one', content: '1' }]));
  const [first] = started();
  expect(first).toBeDefined();
  await unpack(await tarOf([{ name: 'two', content: '2' }]));
  expect(started()).toEqual([first]);
  await expect(unpack(Buffer.from('this is no tar at all'.repeat(100)))).rejects.toThrow();
  expect(started()).toEqual([]);
  await unpack(await tarOf([{ name: 'three', content: '3' }]));
  expect(readdirSync(target).sort()).toEqual(['one', 'three', 'two']);
});
