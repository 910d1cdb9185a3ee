import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decompress } from './compression.js';
import { gunzip } from './gunzip.js';

const content = Buffer.concat([randomBytes(70_000), Buffer.alloc(900_000, 'text '), randomBytes(3)]);
const packed = gzipSync(content);

async function* cutInto(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function read(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

test.each([1, 13, 4_096, 10_000_000])('members one after the other, read in chunks of %i bytes', async (size) => {
  const small = gzipSync('small');
  expect((await read(gunzip(cutInto(Buffer.concat([small, gzipSync(''), small]), size)))).toString()).toBe(
    'smallsmall',
  );
  const data = size === 1 ? packed.subarray(0) : Buffer.concat([packed, packed]);
  expect((await read(gunzip(cutInto(data, size)))).length).toBe(content.length * (size === 1 ? 1 : 2));
});

test('every part of a header', async () => {
  const plain = gzipSync('x');
  const extra = Buffer.concat([
    Buffer.from([3, 0]),
    Buffer.from('abc'),
    Buffer.from('name\0comment\0'),
    Buffer.from([1, 2]),
  ]);
  const head = Buffer.from(plain.subarray(0, 10));
  head[3] = 2 + 4 + 8 + 16;
  const full = Buffer.concat([head, extra, plain.subarray(10)]);
  for (const size of [1, 5, 1_000]) expect(String(await read(gunzip(cutInto(full, size))))).toBe('x');
  for (let end = 3; end < full.length; end++) {
    await expect(read(gunzip(cutInto(full.subarray(0, end), 4)))).rejects.toThrow('unexpected EOF');
  }
});

test('a damaged stream is refused', async () => {
  for (const at of [3_000, packed.length - 6, packed.length - 2]) {
    const broken = Buffer.from(packed);
    broken[at] = (broken[at] ?? 0) ^ 0xff;
    await expect(read(gunzip(cutInto(broken, 1_000)))).rejects.toThrow('the gzip data is damaged');
  }
  await expect(read(gunzip(cutInto(packed.subarray(0, 50_000), 1_000)))).rejects.toThrow('unexpected EOF');
});

test('an error of the source is its own, and who stops early ends it', async () => {
  const failing = (async function* () {
    yield packed.subarray(0, 5_000);
    throw new Error('the disk');
  })();
  await expect(read(gunzip(failing))).rejects.toThrow('the disk');
  let closed = false;
  const watched = (async function* () {
    try {
      yield* cutInto(packed, 1_000);
    } finally {
      closed = true;
    }
  })();
  for await (const chunk of gunzip(watched)) if (chunk.length > 0) break;
  expect(closed).toBe(true);
});

describe('bytes behind the end are left, as Go’s readers of archives do', () => {
  const behind: [string, Buffer][] = [
    ['zeros', Buffer.alloc(512)],
    ['one zero', Buffer.alloc(1)],
    ['anything', Buffer.from('junk junk junk')],
    ['much', Buffer.alloc(300_000, 'j')],
  ];
  test.each(
    behind.flatMap(([what, bytes]) =>
      (['gzip', 'bzip2', 'zstd'] as const).map((method) => [method, what, bytes] as const),
    ),
  )('%s: %s', async (method, _what, bytes) => {
    const { stdout } = spawnSync(method, ['-c'], { input: content, maxBuffer: 10_000_000 });
    const data = Buffer.concat([stdout, bytes]);
    for (const size of [4_096, 10_000_000]) {
      expect((await read(decompress(cutInto(data, size), method))).equals(content)).toBe(true);
    }
  });

  test('xz: zeros, in fours', async () => {
    const { stdout } = spawnSync('xz', ['-c'], { input: content, maxBuffer: 10_000_000 });
    const data = Buffer.concat([stdout, Buffer.alloc(512)]);
    expect((await read(decompress(cutInto(data, 4_096), 'xz'))).equals(content)).toBe(true);
  });
});
