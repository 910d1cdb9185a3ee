import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TestContainer } from '../conmon/container.fixture.js';
import { unmount } from '../mount/mount.js';
import { getXattr, makeFifo, setXattr } from '../syscall/files.js';
import { mount } from '../syscall/mount.js';
import { Helper } from './helper.js';

let directory: string;
let helper: Helper;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-helper-'));
  helper = new Helper();
});
afterEach(() => {
  helper.close();
  rmSync(directory, { recursive: true, force: true });
});

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** A root with a file, and symlinks that would lead out of it. */
function makeRoot(): string {
  const root = join(directory, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'inside');
  writeFileSync(join(directory, 'secret'), 'outside');
  symlinkSync(directory, join(root, 'escape'));
  symlinkSync('../../../../../etc/passwd', join(root, 'up'));
  symlinkSync('/proc/self/root', join(root, 'magic'));
  makeFifo(join(root, 'fifo'), 0o600);
  return root;
}

test('paths of the host', async () => {
  const path = join(directory, 'a/b');
  expect(await failure(helper.call('stat', { path }))).toMatchObject({ class: 'NotFound' });
  expect(await helper.call('ensureDirectory', { path })).toEqual({ created: true });
  expect(await helper.call('ensureDirectory', { path })).toEqual({ created: false });
  expect(await helper.call('stat', { path })).toMatchObject({ type: 'directory', mode: 0o755, uid: 0 });
  writeFileSync(join(path, 'file'), 'hello');
  expect(await failure(helper.call('ensureDirectory', { path: join(path, 'file') }))).toMatchObject({
    class: 'Conflict',
  });
  expect(await helper.call('diskUsage', { path: directory })).toEqual({ bytes: 5, inodes: 4 });
  expect(helper.processes).toBe(1);
});

test('a running container, with what is mounted in it', async () => {
  await using container = new TestContainer({ args: ['sleep', '60'] });
  const { pid } = await container.create();
  await container.runtime.start(container.id);
  const root = `/proc/${pid}/root`;
  symlinkSync('/dev/data', join(container.directory, 'rootfs/link'));
  // /dev is a tmpfs that nobody outside sees.
  await helper.call('mkdirInRoot', { root, path: '/dev/data' });
  await helper.tarIn({ root, path: '/link' }, tarOf([{ name: 'file', content: 'seen' }]));
  expect(await helper.call('readFileInRoot', { root, path: '/link/file' })).toEqual({ text: 'seen' });
  expect(await helper.call('statInRoot', { root, path: 'link' })).toMatchObject({ resolvedTarget: '/dev/data' });
  const { stream } = await helper.tarOut({ root, path: '/link/.', entryName: '.' });
  expect(execFileSync('tar', ['-t'], { input: await buffer(stream) }).toString()).toBe('./\n./file\n');
  expect(existsSync(join(container.directory, 'rootfs/dev/data'))).toBe(false);
});

test('two answers that come at once are both heard', async () => {
  const root = makeRoot();
  const asked = helper.tarOut({ root, path: '/etc/passwd', entryName: 'passwd' });
  // The helper is asked once it has been started; then it has said everything before we listen again.
  await new Promise(setImmediate);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  const { stream } = await asked;
  expect((await buffer(stream)).length).toBe(2048);
});

test('nothing inside a root leads out of it', async () => {
  const root = makeRoot();
  const read = (path: string) => helper.call('readFileInRoot', { root, path });
  expect(await read('/etc/passwd')).toEqual({ text: 'inside' });
  expect(await read('up')).toEqual({ text: 'inside' });
  expect(await failure(read('escape/secret'))).toMatchObject({ class: 'NotFound' });
  expect(await failure(read('magic/etc/passwd'))).toMatchObject({ class: 'NotFound' });
  expect(await failure(read('fifo'))).toMatchObject({ class: 'InvalidParameter' });
  expect(await helper.call('statInRoot', { root, path: 'up' })).toMatchObject({
    type: 'symlink',
    resolvedTarget: '/etc/passwd',
  });
  expect(await helper.call('statInRoot', { root, path: 'escape' })).toMatchObject({ resolvedTarget: directory });
  await helper.call('mkdirInRoot', { root, path: '/up2/../new/dir', mode: 0o700, uid: 5, gid: 6 });
  expect(statSync(join(root, 'new/dir'))).toMatchObject({ uid: 5, gid: 6 });
  expect(await failure(helper.call('mkdirInRoot', { root, path: '/etc/passwd/x' }))).toMatchObject({
    class: 'InvalidParameter',
  });
});

test('a path that hangs costs its caller the deadline, and nobody else anything', async () => {
  const slow = new Helper({ maxProcesses: 2 });
  try {
    await slow.call('stat', { path: '/' });
    // A helper that stands still is what a silent file system makes of it.
    const [pid] = execFileSync('pgrep', ['-P', String(process.pid), '-f', 'helper/main'])
      .toString()
      .split('\n')
      .map(Number);
    process.kill(pid ?? 0, 'SIGSTOP');
    const hung = failure(slow.call('stat', { path: '/' }, { deadlineMs: 300 }));
    expect(await slow.call('stat', { path: '/' })).toMatchObject({ type: 'directory' });
    expect(await hung).toMatchObject({ class: 'DeadlineExceeded' });
    expect(slow.processes).toBe(1);
  } finally {
    slow.close();
  }
});

test.skipIf(!existsSync('/dev/fuse'))('a silent FUSE mount', async () => {
  const target = join(directory, 'silent');
  mkdirSync(target);
  // A file system whose server takes requests and never answers.
  const server = openSync('/dev/fuse', constants.O_RDWR);
  mount('silent', target, 'fuse', 0, `fd=${server},rootmode=40000,user_id=0,group_id=0`);
  try {
    const late = { deadlineMs: 300 };
    const hung = [
      helper.call('stat', { path: join(target, 'file') }, late),
      helper.call('ensureDirectory', { path: join(target, 'directory') }, late),
      helper.call('statInRoot', { root: target, path: '/file' }, late),
      helper.tarIn({ root: directory, path: '/silent' }, tarOf([{ name: 'file' }]), late),
    ].map(failure);
    expect(await helper.call('stat', { path: directory })).toMatchObject({ type: 'directory' });
    for (const error of await Promise.all(hung)) expect(error).toMatchObject({ class: 'DeadlineExceeded' });
    expect(helper.processes).toBe(1);
  } finally {
    unmount(target);
    closeSync(server);
  }
});

test('callers beyond the limit wait for their turn, and idle helpers end', async () => {
  const small = new Helper({ maxProcesses: 1, idleMs: 20 });
  try {
    const answers = await Promise.all(Array.from({ length: 20 }, () => small.call('stat', { path: '/' })));
    expect(answers).toHaveLength(20);
    expect(small.processes).toBe(1);
    await expect.poll(() => small.processes).toBe(0);
  } finally {
    small.close();
  }
  expect(await failure(small.call('stat', { path: '/' }))).toMatchObject({ class: 'Unavailable' });
});

test('a process that has read an archive to its end takes the next one, and other calls', async () => {
  const root = makeRoot();
  const small = new Helper({ maxProcesses: 1, idleMs: 60_000 });
  try {
    const packed = await buffer(tarOf([{ name: 'packed', content: 'x'.repeat(300_000) }]));
    for (const archive of [packed, gzipSync(packed), Buffer.concat([packed, Buffer.alloc(200_000)])]) {
      await small.tarIn({ root, path: '/' }, Readable.from([Buffer.alloc(0), archive]));
      expect([small.processes, small.ready]).toEqual([1, 1]);
      expect(await small.call('statInRoot', { root, path: '/packed' })).toMatchObject({ size: 300_000 });
      rmSync(join(root, 'packed'));
    }
    // A process that failed at it has ended.
    const rubbish = Readable.from([Buffer.alloc(2000, 'x')]);
    expect(await failure(small.tarIn({ root, path: '/' }, rubbish))).toMatchObject({ class: 'InvalidParameter' });
    expect(small.processes).toBe(0);
  } finally {
    small.close();
  }
});

test('callers that had gone before they asked take no process with them', async () => {
  const small = new Helper({ maxProcesses: 2, idleMs: 20 });
  const signal = AbortSignal.abort();
  try {
    for (let time = 0; time < 3; time++) {
      const asked = [
        small.call('stat', { path: '/' }, { signal }),
        small.tarOut({ root: directory, path: '/', entryName: '.' }, { signal }),
        small.tarIn({ root: directory, path: '/' }, Readable.from([]), { signal }),
      ];
      for (const one of asked) expect(await failure(one)).toMatchObject({ class: 'Cancelled' });
    }
    expect(await small.call('stat', { path: '/' })).toMatchObject({ type: 'directory' });
    await expect.poll(() => small.processes).toBe(0);
  } finally {
    small.close();
  }
});

test('one is kept ready: it stays when idle, and another comes for one that was used up or killed', async () => {
  const ready = new Helper({ idleMs: 20 });
  try {
    ready.keepReady();
    await expect.poll(() => ready.ready).toBe(1);
    // More at once end again, but for one.
    const calls = [1, 2, 3].map(() => ready.call('stat', { path: '/' }));
    expect(ready.processes).toBe(3);
    await Promise.all(calls);
    await expect.poll(() => ready.processes).toBe(1);
    expect(ready.ready).toBe(1);
    mkdirSync(join(directory, 'packed'), { recursive: true });
    const { stream } = await ready.tarOut({ root: directory, path: '/packed', entryName: 'packed' });
    await stream.resume().toArray();
    await expect.poll(() => [ready.ready, ready.processes]).toEqual([1, 1]);
  } finally {
    ready.close();
  }
  expect(ready.processes).toBe(0);
});

test('sizes that are asked for at once share the process that is there, unless it is busy for long', async () => {
  const ready = new Helper();
  try {
    ready.keepReady();
    await expect.poll(() => ready.ready).toBe(1);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const size = () => ready.call('diskUsage', { path: directory });
    expect(await Promise.all([1, 2, 3, 4, 5].map(size))).toHaveLength(5);
    expect(ready.processes).toBe(1);
    const both = [size(), size()];
    vi.advanceTimersByTime(1_000);
    expect(await Promise.all(both)).toHaveLength(2);
    expect(ready.processes).toBe(2);
  } finally {
    vi.useRealTimers();
    ready.close();
  }
});

test('a helper whose operation failed is free once, not twice', async () => {
  const failed = async (own: Helper) =>
    expect(await failure(own.call('stat', { path: '/nowhere' }))).toMatchObject({ class: 'NotFound' });
  await failed(helper);
  await Promise.all([helper.call('stat', { path: '/' }), helper.call('stat', { path: '/' })]);
  expect(helper.processes).toBe(2);
  const brief = new Helper({ idleMs: 20 });
  try {
    await failed(brief);
    await expect.poll(() => brief.processes).toBe(0);
    expect(await brief.call('stat', { path: '/' })).toMatchObject({ type: 'directory' });
  } finally {
    brief.close();
  }
});

test('copying a directory keeps holes', async () => {
  const source = join(directory, 'root/data');
  const destination = join(directory, 'volume');
  for (const path of [source, destination]) mkdirSync(path, { recursive: true });
  const size = 64 * 1024 * 1024;
  const middle = Buffer.alloc(3 * 1024 * 1024 + 5, 'data');
  const file = openSync(join(source, 'between'), constants.O_WRONLY | constants.O_CREAT);
  writeSync(file, 'first');
  writeSync(file, middle, 0, middle.length, size / 2);
  ftruncateSync(file, size);
  closeSync(file);
  for (const [name, length] of Object.entries({ all: size, empty: 0 })) {
    writeFileSync(join(source, name), '');
    truncateSync(join(source, name), length);
  }
  await helper.call('copyDirectory', { root: join(directory, 'root'), path: '/data', destination });
  for (const name of ['between', 'all', 'empty']) {
    const [from, to] = [source, destination].map((place) => join(place, name)) as [string, string];
    expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
    expect(statSync(to).blocks).toBeLessThan((middle.length + 1024 * 1024) / 512);
  }
});

test('copying a directory keeps everything and replaces nothing', async () => {
  const root = join(directory, 'root');
  mkdirSync(join(root, 'data/sub'), { recursive: true });
  const file = join(root, 'data/sub/file');
  writeFileSync(file, 'hello');
  chownSync(file, 7, 8);
  chmodSync(file, 0o4751);
  setXattr(file, 'user.cleat', Buffer.from([0, 200]));
  linkSync(file, join(root, 'data/twin'));
  symlinkSync('/nowhere', join(root, 'data/link'));
  makeFifo(join(root, 'data/fifo'), 0o640);
  writeFileSync(join(root, 'data/kept'), 'new');
  chownSync(join(root, 'data'), 9, 10);
  utimesSync(join(root, 'data'), 1, 2);
  const destination = join(directory, 'volume');
  mkdirSync(destination);
  writeFileSync(join(destination, 'kept'), 'old');
  expect(await helper.call('copyDirectory', { root, path: '/data', destination })).toEqual({ copied: true });
  const copy = statSync(join(destination, 'sub/file'));
  expect(copy).toMatchObject({ uid: 7, gid: 8, nlink: 2, mode: 0o104751 });
  expect(statSync(join(destination, 'twin')).ino).toBe(copy.ino);
  expect(getXattr(join(destination, 'sub/file'), 'user.cleat')).toEqual(Buffer.from([0, 200]));
  expect(readlinkSync(join(destination, 'link'))).toBe('/nowhere');
  expect(lstatSync(join(destination, 'fifo')).isFIFO()).toBe(true);
  expect(readFileSync(join(destination, 'kept'), 'utf8')).toBe('old');
  expect(statSync(destination)).toMatchObject({ uid: 9, gid: 10, mtimeMs: 2000 });
  expect(await helper.call('copyDirectory', { root, path: '/missing', destination })).toEqual({ copied: false });
});

async function buffer(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('a tree goes out and in again unchanged', async () => {
  const root = join(directory, 'root');
  const [tree, target] = [join(root, 'tree'), join(root, 'target')];
  mkdirSync(join(tree, 'sub', 'x'.repeat(120)), { recursive: true });
  mkdirSync(target);
  writeFileSync(join(tree, 'sub/big'), Buffer.alloc(3_000_001, 7));
  writeFileSync(join(tree, 'sub', 'x'.repeat(120), 'ünï'), 'deep');
  writeFileSync(join(tree, 'shadow'), 'locked');
  chmodSync(join(tree, 'shadow'), 0);
  chownSync(join(tree, 'shadow'), 300_000, 8);
  utimesSync(join(tree, 'shadow'), 2 ** 32, 2 ** 32);
  linkSync(join(tree, 'sub/big'), join(tree, 'twin'));
  symlinkSync('/etc/passwd', join(tree, 'link'));
  makeFifo(join(tree, 'fifo'), 0o640);
  utimesSync(join(tree, 'sub'), 5, 5);
  const { facts, stream } = await helper.tarOut({ root, path: '/tree', entryName: 'tree' });
  expect(facts.type).toBe('directory');
  const archive = await buffer(stream);
  const listing = execFileSync('tar', ['-tv', '--numeric-owner'], { input: archive }).toString();
  expect(listing).toMatch(/^---------- 300000\/8 .* tree\/shadow$/m);
  await helper.tarIn({ root, path: '/target' }, Readable.from([archive.subarray(0, 1000), archive.subarray(1000)]));
  const differences = execFileSync('diff', [
    '-r',
    '--no-dereference',
    tree,
    join(target, 'tree'),
    '-x',
    'fifo',
  ]).toString();
  expect(differences).toBe('');
  const copy = join(target, 'tree');
  expect(statSync(join(copy, 'shadow'))).toMatchObject({
    uid: 300_000,
    gid: 8,
    mode: 0o100000,
    mtimeMs: 2 ** 32 * 1000,
  });
  expect(statSync(join(copy, 'twin')).ino).toBe(statSync(join(copy, 'sub/big')).ino);
  expect(lstatSync(join(copy, 'fifo')).isFIFO()).toBe(true);
  expect(statSync(join(copy, 'sub')).mtimeMs).toBe(5000);
});

/** A tar of these entries. */
function tarOf(entries: (Partial<Header> & { name: string; content?: string })[]): Readable {
  const archive = pack();
  for (const { content = '', ...header } of entries) archive.entry(header, content);
  archive.finalize();
  return Readable.from(archive as AsyncIterable<Buffer>);
}

test.each([
  ['a name with ..', [{ name: '../evil' }]],
  ['a symlink, then a name through it', [{ name: 'way', type: 'symlink', linkname: '..' }, { name: 'way/evil' }]],
  ['an absolute symlink', [{ name: 'way', type: 'symlink', linkname: '/' }, { name: 'way/evil' }]],
  ['a hard link out', [{ name: 'evil', type: 'link', linkname: '../../secret' }]],
  [
    'a hard link through a symlink',
    [
      { name: 'way', type: 'symlink', linkname: '../..' },
      { name: 'evil', type: 'link', linkname: 'way/secret' },
    ],
  ],
] as [string, (Partial<Header> & { name: string })[]][])('an archive does not get out by %s', async (_, entries) => {
  const root = makeRoot();
  mkdirSync(join(root, 'target'));
  const error = await failure(helper.tarIn({ root, path: '/target' }, tarOf(entries)));
  expect(error).toMatchObject({ class: expect.stringMatching(/InvalidParameter|NotFound/) });
  for (const place of [root, directory, '/']) expect(existsSync(join(place, 'evil'))).toBe(false);
  expect(existsSync(join(root, 'target/evil'))).toBe(false);
});

test('an archive replaces files, but not everything', async () => {
  const root = makeRoot();
  mkdirSync(join(root, 'target/directory/inner'), { recursive: true });
  symlinkSync(directory, join(root, 'target/link'));
  const into = { root, path: '/target' };
  const replacing = () => tarOf([{ name: 'directory', content: 'file now' }]);
  expect(await failure(helper.tarIn({ ...into, noOverwriteDirNonDir: true }, replacing()))).toMatchObject({
    message: expect.stringContaining('cannot overwrite directory'),
  });
  await helper.tarIn(into, replacing());
  expect(readFileSync(join(root, 'target/directory'), 'utf8')).toBe('file now');
  // A symlink is replaced, not written through.
  await helper.tarIn({ ...into, owner: { uid: 3, gid: 4 } }, tarOf([{ name: './link', content: 'file', uid: 99 }]));
  expect(lstatSync(join(root, 'target/link'))).toMatchObject({ uid: 3, gid: 4, size: 4 });
});

test('rubbish, a truncated archive, a sender that goes away, and a reader that does', async () => {
  const root = makeRoot();
  const into = { root, path: '/' };
  expect(await failure(helper.tarIn(into, Readable.from([Buffer.alloc(2000, 'x')])))).toMatchObject({
    class: 'InvalidParameter',
  });
  const whole = await buffer(tarOf([{ name: 'big', content: 'x'.repeat(100_000) }]));
  expect(await failure(helper.tarIn(into, Readable.from([whole.subarray(0, 5000)])))).toMatchObject({
    class: 'InvalidParameter',
  });
  const gone = new Readable({ read() {} });
  gone.push(whole.subarray(0, 5000));
  const leaving = failure(helper.tarIn(into, gone));
  await sleep(50);
  gone.destroy();
  expect(await leaving).toMatchObject({ class: 'Cancelled' });
  writeFileSync(join(root, 'large'), Buffer.alloc(5_000_000));
  const { stream } = await helper.tarOut({ root, path: 'large', entryName: 'large' });
  stream.destroy();
  await expect.poll(() => helper.processes).toBe(0);
  expect(await failure(helper.tarOut({ root, path: 'missing', entryName: 'x' }))).toMatchObject({ class: 'NotFound' });
});
