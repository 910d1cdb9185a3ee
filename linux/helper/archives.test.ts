import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTreeSync } from '../rootfs/remove.js';
import { makeDeepTree } from '../rootfs/trees.fixture.js';
import { diskUsage } from '../rootfs/usage.js';
import { getXattr, listXattrs, setXattr } from '../syscall/files.js';
import { Helper } from './helper.js';
import type { TarOutRequest } from './operations.js';

let directory: string;
let root: string;
let helper: Helper;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-archives-'));
  root = join(directory, 'root');
  mkdirSync(join(root, 'tree'), { recursive: true });
  mkdirSync(join(root, 'target'));
  helper = new Helper();
});
afterEach(() => {
  helper.close();
  removeTreeSync(directory);
});

async function tarOf(request: Partial<TarOutRequest> = {}): Promise<Buffer> {
  const { stream } = await helper.tarOut({ root, path: '/tree', entryName: 'tree', ...request });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const into = (archive: Buffer | Readable, path = '/target') =>
  helper.tarIn({ root, path }, Buffer.isBuffer(archive) ? Readable.from([archive]) : archive);

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** A path below the root, of which each character is one byte. */
const at = (name: string) => Buffer.from(`${root}/${name}`, 'latin1');
const capability = Buffer.from('0100000200208000ff0000000000000000000000', 'hex');

test('names, link names and attributes are bytes, out and in', async () => {
  mkdirSync(at('tree/d\xe9'));
  writeFileSync(at('tree/d\xe9/caf\xe9'), 'coffee', { mode: 0o4755 });
  chmodSync(at('tree/d\xe9/caf\xe9'), 0o4755);
  linkSync(at('tree/d\xe9/caf\xe9'), at('tree/twin\xff'));
  symlinkSync(Buffer.from('to\xe9', 'latin1'), at('tree/link\xe9'));
  setXattr(at('tree/d\xe9/caf\xe9'), 'security.capability', capability);
  setXattr(at('tree/d\xe9/caf\xe9'), 'user.byte', Buffer.from([0, 0xff, 0x0a]));
  setXattr(at('tree/d\xe9'), 'user.directory', Buffer.from('x'));
  await into(await tarOf());
  const copy = 'target/tree';
  expect(readdirSync(at(copy), 'latin1').sort()).toEqual(['d\xe9', 'link\xe9', 'twin\xff']);
  expect(readFileSync(at(`${copy}/d\xe9/caf\xe9`), 'utf8')).toBe('coffee');
  expect(lstatSync(at(`${copy}/d\xe9/caf\xe9`))).toMatchObject({ mode: 0o104755, nlink: 2 });
  expect(readlinkSync(at(`${copy}/link\xe9`), 'latin1')).toBe('to\xe9');
  expect(getXattr(at(`${copy}/twin\xff`), 'security.capability')).toEqual(capability);
  expect(getXattr(at(`${copy}/d\xe9/caf\xe9`), 'user.byte')).toEqual(Buffer.from([0, 0xff, 0x0a]));
  expect(listXattrs(at(`${copy}/d\xe9`))).toEqual(['user.directory']);
  // As Python and other tools write a byte that is no UTF-8 into a text.
  expect(await helper.call('statInRoot', { root, path: '/tree/d\udce9/caf\udce9' })).toMatchObject({ size: 6 });
});

test('a tree that is deeper than any path goes out and in', async () => {
  makeDeepTree(join(root, 'tree'), 1000);
  await into(await tarOf());
  expect(diskUsage(join(root, 'target'))).toEqual({ bytes: 4, inodes: 1003 });
  // Over it once more: what is there is found again.
  await into(await tarOf());
  expect(diskUsage(join(root, 'target'))).toEqual({ bytes: 4, inodes: 1003 });
  // Two entries that each need what is missing above.
  removeTreeSync(join(root, 'target/tree'));
  mkdirSync(join(root, 'target/tree'));
  const long = Array.from({ length: 1000 }, () => 'part').join('/');
  const archive = pack();
  for (const name of ['a', 'b']) archive.entry({ name: `${long}/${name}` }, name);
  archive.finalize();
  await into(Readable.from(archive as AsyncIterable<Buffer>));
  expect(diskUsage(join(root, 'target/part'))).toEqual({ bytes: 2, inodes: 1002 });
});

test('compressed archives are taken; damaged ones are refused, and nothing is written', async () => {
  writeFileSync(join(root, 'tree/file'), 'x'.repeat(10_000));
  const archive = await tarOf();
  const compressed = {
    gzip: gzipSync(archive),
    bzip2: execFileSync('bzip2', ['-c'], { input: archive }),
    xz: execFileSync('xz', ['-c'], { input: archive }),
    zstd: execFileSync('zstd', ['-c', '-q'], { input: archive }),
  };
  for (const [method, bytes] of Object.entries(compressed)) {
    await into(bytes);
    expect(readFileSync(join(root, 'target/tree/file'), 'utf8'), method).toHaveLength(10_000);
    removeTreeSync(join(root, 'target/tree'));
    const damaged = Buffer.from(bytes);
    damaged.fill(0xaa, 14, damaged.length - 8);
    expect(await refusal(into(damaged)), method).toMatchObject({
      class: 'InvalidParameter',
      message: expect.stringMatching(new RegExp(`^the ${method} data is damaged$|^unexpected EOF$`)),
    });
    expect(await refusal(into(bytes.subarray(0, bytes.length - 20))), method).toMatchObject({
      class: 'InvalidParameter',
      message: 'unexpected EOF',
    });
    expect(readdirSync(join(root, 'target')), method).toEqual([]);
  }
});

test('a helper takes one archive after the other, also a large one that a writer has filled up', async () => {
  const large = Buffer.concat([await largeArchive(), Buffer.alloc(20 * 512)]);
  for (let round = 0; round < 2; round++) {
    await into(Readable.from(pieces(large)));
    // A process that was left within an archive is killed.
    expect(helper.ready).toBe(1);
  }
});

async function largeArchive(): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: 'large' }, Buffer.alloc(9 * 1024 * 1024));
  archive.finalize();
  return Buffer.concat(await Readable.from(archive as AsyncIterable<Buffer>).toArray());
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 512) yield bytes.subarray(at, at + 512);
}

test('an archive that is not understood is refused before anything is written', async () => {
  const archive = pack();
  archive.entry({ name: 'first' }, 'content');
  archive.entry({ name: 'last' }, 'content');
  archive.finalize();
  const bytes = Buffer.concat(await Readable.from(archive as AsyncIterable<Buffer>).toArray());
  const last = bytes.indexOf('last\0');
  bytes.write('Z', last + 156);
  const sum = bytes.subarray(last, last + 512).reduce((a, b) => a + b) - checksumBytes(bytes, last) + 8 * 0x20;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, last + 148);
  expect(await refusal(into(bytes))).toMatchObject({
    class: 'InvalidParameter',
    message: 'unhandled tar header type 90',
  });
  expect(readdirSync(join(root, 'target'))).toEqual([]);
});

const checksumBytes = (bytes: Buffer, header: number) =>
  bytes.subarray(header + 148, header + 156).reduce((a, b) => a + b);

test('sparse files arrive as they were, with their holes', async () => {
  execFileSync('truncate', ['-s', '20M', join(root, 'tree/sparse')]);
  execFileSync('dd', ['if=/dev/urandom', `of=${root}/tree/sparse`, 'bs=64k', 'count=1', 'seek=100', 'conv=notrunc'], {
    stdio: 'ignore',
  });
  await into(execFileSync('tar', ['-cS', '--format=posix', '-C', root, 'tree']));
  execFileSync('cmp', [join(root, 'tree/sparse'), join(root, 'target/tree/sparse')]);
  expect(lstatSync(join(root, 'target/tree/sparse')).blocks * 512).toBeLessThan(200_000);
});

test("the container's own symlinks are followed inside the container", async () => {
  mkdirSync(join(root, 'elsewhere'));
  symlinkSync('/elsewhere', join(root, 'target/absolute'));
  symlinkSync('../elsewhere', join(root, 'target/relative'));
  symlinkSync('../../../../../../../../../..', join(root, 'target/up'));
  const archive = pack();
  for (const name of ['absolute/a', 'relative/b', 'up/c']) archive.entry({ name }, '');
  archive.finalize();
  await into(Readable.from(archive as AsyncIterable<Buffer>));
  expect(readdirSync(join(root, 'elsewhere'))).toEqual(['a', 'b']);
  expect(existsSync(join(root, 'c'))).toBe(true);
});

test('entries that refer to nothing are the archive’s fault; paths are checked', async () => {
  const link = pack();
  link.entry({ name: 'hard', type: 'link', linkname: 'nothing' });
  link.finalize();
  expect(await refusal(into(Readable.from(link as AsyncIterable<Buffer>)))).toMatchObject({
    class: 'InvalidParameter',
    message: 'invalid entry "hard": it refers to something that is not there',
  });
  for (const path of ['/tree/a\0b', `/${'x'.repeat(300)}`, `/${'x/'.repeat(5000)}`]) {
    expect(await refusal(helper.call('statInRoot', { root, path }))).toMatchObject({ class: 'InvalidParameter' });
  }
});

test('a symlink that is swapped in all the time leads neither out nor in', async () => {
  mkdirSync(join(directory, 'outside'));
  writeFileSync(join(directory, 'outside/secret'), 'secret');
  for (const place of ['tree', 'target']) mkdirSync(join(root, place, 'dir'));
  const script = `
    for place in tree target; do ln -s ${directory}/outside $place/link; done
    echo ready
    while true; do for place in tree target; do
      mv -T $place/dir $place/away; mv -T $place/link $place/dir
      mv -T $place/dir $place/link; mv -T $place/away $place/dir
    done; done`;
  const swapper = spawn('sh', ['-c', script], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await new Promise((resolve) => swapper.stdout.once('data', resolve));
    for (let round = 0; round < 12; round++) {
      const archive = pack();
      archive.entry({ name: 'dir/evil', mode: 0o777 }, 'evil');
      archive.entry({ name: 'dir/secret' }, 'overwritten');
      archive.finalize();
      // It may fail, or write into the directory that it saw.
      await refusal(into(Readable.from(archive as AsyncIterable<Buffer>)));
      const out = await refusal(tarOf().then((bytes) => expect(bytes.includes('secret')).toBe(false)));
      if (out !== undefined) expect(out).toMatchObject({ class: expect.stringMatching(/NotFound|InvalidParameter/) });
    }
  } finally {
    swapper.kill('SIGKILL');
  }
  expect(readdirSync(join(directory, 'outside'))).toEqual(['secret']);
  expect(readFileSync(join(directory, 'outside/secret'), 'utf8')).toBe('secret');
});

test('names of a layer and of an export', async () => {
  writeFileSync(join(root, 'tree/file'), '');
  const names = async (request: Partial<TarOutRequest>) =>
    execFileSync('tar', ['-tP'], { input: await tarOf(request) })
      .toString()
      .split('\n')
      .filter(Boolean);
  expect(await names({})).toEqual(['tree/', 'tree/file']);
  expect(await names({ path: '/tree/.', entryName: '.' })).toEqual(['./', './file']);
  expect(await names({ path: '/', entryName: '' })).toEqual(['/', '/target/', '/tree/', '/tree/file']);
  expect(await names({ path: '/', entryName: '.', bare: true })).toEqual(['target/', 'tree/', 'tree/file']);
});
