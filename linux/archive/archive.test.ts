import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ByteName } from '../rootfs/names.js';
import { ByteSource } from './byte-source.js';
import { encodePax } from './pax.js';
import { checksums, type TarEntry } from './tar-header.js';
import { TarReader } from './tar-reader.js';
import { encodeHeader, paddingOf, tarEnd } from './tar-writer.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync('/tmp/cleat-archive-');
});
afterAll(() => rmSync(directory, { recursive: true }));

/** In pieces of `step` bytes, as a network brings them. */
function readerOf(archive: Buffer, step = 1000): TarReader {
  const pieces = Array.from({ length: Math.ceil(archive.length / step) }, (_, at) =>
    archive.subarray(at * step, (at + 1) * step),
  );
  return new TarReader(
    new ByteSource(
      (async function* () {
        yield* pieces;
      })(),
    ),
  );
}

/** All entries, with their content; holes are filled up. */
async function readAll(reader: TarReader): Promise<{ entry: TarEntry; content: Buffer }[]> {
  const found: { entry: TarEntry; content: Buffer }[] = [];
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const content = Buffer.alloc(entry.type === 'file' ? entry.size : 0);
    for (let piece = await reader.read(); piece; piece = await reader.read()) piece.data.copy(content, piece.offset);
    found.push({ entry, content });
  }
  return found;
}

const bytes = (max: number) =>
  fc
    .uint8Array({ minLength: 1, maxLength: max })
    .map((part) => Buffer.from(part).toString('latin1').replace(/[\0/]/g, '_') as ByteName);
const path = fc.array(bytes(120), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/') as ByteName);
const xattrs = fc
  .dictionary(fc.stringMatching(/^user\.[a-z]{1,8}$/), fc.uint8Array({ maxLength: 30 }))
  .map((found) => new Map(Object.entries(found).map(([key, value]) => [key, Buffer.from(value)])));
const id = fc.integer({ min: 0, max: 2 ** 32 - 2 });

const entries = fc.array(
  fc
    .record({
      name: path,
      type: fc.constantFrom('file', 'link', 'symlink', 'character', 'block', 'directory', 'fifo'),
      content: fc.uint8Array({ maxLength: 1500 }),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: id,
      gid: id,
      mtime: fc.integer({ min: 0, max: 2 ** 34 - 1 }),
      linkName: path,
      major: fc.integer({ min: 0, max: 4095 }),
      minor: fc.integer({ min: 0, max: 0o7777777 }),
      xattrs,
    })
    .map(({ content, ...rest }) => {
      const isFile = rest.type === 'file';
      const name = (rest.type === 'directory' ? `${rest.name}/` : rest.name) as ByteName;
      return {
        entry: { ...rest, name, size: isFile ? content.length : 0 },
        content: Buffer.from(isFile ? content : []),
      };
    }),
  { maxLength: 4 },
);

test('an archive is read as it was written: names and attributes of any bytes, numbers of any size', async () => {
  await fc.assert(
    fc.asyncProperty(entries, fc.integer({ min: 1, max: 3000 }), async (wanted, step) => {
      const archive = wanted.flatMap(({ entry, content }) => [encodeHeader(entry), content, paddingOf(content.length)]);
      expect(await readAll(readerOf(Buffer.concat([...archive, tarEnd]), step))).toEqual(wanted);
    }),
    { numRuns: 200 },
  );
});

test('GNU tar reads what was written', async () => {
  await fc.assert(
    fc.asyncProperty(entries, async (wanted) => {
      const archive = wanted.flatMap(({ entry, content }) => [encodeHeader(entry), content, paddingOf(content.length)]);
      const list = execFileSync('tar', ['-tP', '--quoting-style=literal', '--show-transformed-names', '--null'], {
        input: Buffer.concat([...archive, tarEnd]),
        env: { ...process.env, LC_ALL: 'C' },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      const names = wanted.map(({ entry }) => `${entry.name}\n`).join('');
      expect(list.toString('latin1')).toBe(names);
    }),
    { numRuns: 20, seed: 20 },
  );
});

/** A file of 3 MB with 100 small islands in it, and a hole at its end. */
function sparseFile(): { path: string; content: Buffer } {
  const content = Buffer.alloc(3_000_000);
  const file = join(directory, 'sparse');
  writeFileSync(file, '');
  truncateSync(file, content.length);
  const fd = openSync(file, 'r+');
  for (let at = 4096; at < 2_900_000; at += 28_672) {
    content.write(`island ${at}`, at);
    writeSync(fd, `island ${at}`, at);
  }
  closeSync(fd);
  return { path: file, content };
}

test.each([
  ['0.0', ['--format=posix', '--sparse-version=0.0']],
  ['0.1', ['--format=posix', '--sparse-version=0.1']],
  ['1.0', ['--format=posix', '--sparse-version=1.0']],
  ['the old GNU format', ['--format=gnu']],
])('sparse files of %s', async (_, format) => {
  const { path: file, content } = sparseFile();
  writeFileSync(join(directory, 'next'), 'next');
  writeFileSync(join(directory, 'hole'), '');
  truncateSync(join(directory, 'hole'), 100_000);
  const archive = execFileSync('tar', ['-c', '-S', ...format, '-C', directory, 'sparse', 'hole', 'next']);
  expect(archive.length).toBeLessThan(1_000_000);
  const [sparse, hole, next] = await readAll(readerOf(archive));
  expect(sparse?.entry).toMatchObject({ name: 'sparse', size: content.length });
  expect(sparse?.content.equals(content)).toBe(true);
  expect(hole).toMatchObject({ entry: { name: 'hole', size: 100_000 } });
  expect(hole?.content.equals(Buffer.alloc(100_000))).toBe(true);
  expect(next?.content.toString()).toBe('next');
  expect(file).toBe(join(directory, 'sparse'));
});

const plain: TarEntry = {
  name: 'f' as ByteName,
  type: 'file',
  size: 0,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0,
  linkName: '' as ByteName,
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

/** A header whose fields are changed, with the right checksum. */
function header(change: (block: Buffer) => void): Buffer {
  const block = encodeHeader(plain);
  change(block);
  block.write(`${checksums(block).unsigned.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function withPax(records: Record<string, string>, body = encodePax(new Map(Object.entries(records)))): Buffer {
  const head = header((block) => {
    block.write('x', 156);
    block.write(body.length.toString(8).padStart(11, '0'), 124);
  });
  return Buffer.concat([head, body, paddingOf(body.length), encodeHeader(plain), tarEnd]);
}

const hostile: [string, () => Buffer][] = [
  ['rubbish', () => Buffer.from('rubbish'.repeat(200))],
  ['a few bytes', () => Buffer.from('abc')],
  ['a wrong checksum', () => Buffer.concat([encodeHeader(plain).fill('7', 140, 141), tarEnd])],
  ['an unknown type', () => header((block) => block.write('Z', 156))],
  ['a volume label', () => header((block) => block.write('V', 156))],
  ['a negative size', () => header((block) => block.fill(0xff, 124, 136))],
  ['a huge size', () => header((block) => block.fill(0x7f, 125, 136).fill(0x80, 124, 125))],
  ['content that is missing', () => encodeHeader({ ...plain, size: 5000 })],
  ['a block of zeros before an entry', () => Buffer.concat([Buffer.alloc(512), encodeHeader(plain), tarEnd])],
  ['a PAX record without its length', () => withPax({}, Buffer.from('99 bad=x\n'))],
  ['a PAX record without its end', () => withPax({}, Buffer.from('8 a=bcd\0'))],
  ['a zero byte in a name', () => withPax({ path: 'a\0b' })],
  ['a zero byte in a link', () => withPax({ linkpath: 'a\0b' })],
  ['a negative size in PAX', () => withPax({ size: '-3' })],
  ['an owner that is none', () => withPax({ uid: '99999999999' })],
  ['a negative owner', () => withPax({ gid: '-5' })],
  ['an owner that is no number', () => withPax({ uid: 'abc' })],
  ['a time that is no number', () => withPax({ mtime: '1e9' })],
  ['an unknown sparse format', () => withPax({ 'GNU.sparse.major': '2', 'GNU.sparse.minor': '0' })],
  ['a sparse map that leads out', () => withPax({ 'GNU.sparse.size': '10', 'GNU.sparse.map': '5,10' })],
  ['a sparse map that goes back', () => withPax({ 'GNU.sparse.size': '10', 'GNU.sparse.map': '5,1,0,1' })],
  ['a sparse map of more than there is', () => withPax({ 'GNU.sparse.size': '10', 'GNU.sparse.map': '0,10' })],
  ['half a sparse map', () => withPax({ 'GNU.sparse.size': '10', 'GNU.sparse.map': '0,0,5' })],
  [
    'an extension of gigabytes',
    () =>
      header((block) => {
        block.write('x', 156);
        block.write('77777777777', 124);
      }),
  ],
];

test.each(hostile)('%s is refused in words', async (_, archive) => {
  await expect(readAll(readerOf(archive()))).rejects.toMatchObject({
    class: 'InvalidParameter',
    message: expect.stringMatching(/invalid tar header|unexpected EOF|unhandled tar header type/),
  });
});

test('bytes after the end of an archive are not part of it', async () => {
  const archive = Buffer.concat([encodeHeader(plain), tarEnd, encodeHeader({ ...plain, name: 'late' as ByteName })]);
  expect((await readAll(readerOf(archive))).map(({ entry }) => entry.name)).toEqual(['f']);
  expect(await readAll(readerOf(Buffer.alloc(0)))).toEqual([]);
});
