import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { gzip } from './gzip.js';

async function* inPieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  // One memory for all pieces, as a reader of files may have it.
  const memory = Buffer.alloc(size);
  for (let at = 0; at < data.length; at += size) {
    const length = data.copy(memory, 0, at, at + size);
    yield memory.subarray(0, length);
  }
}

async function compressed(data: Buffer, size = 100_000): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of gzip(inPieces(data, size))) parts.push(part);
  return Buffer.concat(parts);
}

const text = (length: number) => Buffer.alloc(length, 'a line of text, as it is in many files\n');

test.each([
  ['nothing', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['a block', text(512 * 1024)],
  ['a block and a byte', text(512 * 1024 + 1)],
  ['many blocks', text(5_000_000)],
  ['random bytes', randomBytes(3_000_000)],
  ['both', Buffer.concat([text(70_000), randomBytes(700_000), text(3_000_000), randomBytes(20_000)])],
])('%s can be read again by everybody', async (_what, data) => {
  const packed = await compressed(data);
  expect(gunzipSync(packed).equals(data)).toBe(true);
  expect(execFileSync('gzip', ['-dc'], { input: packed, maxBuffer: 1 << 25 }).equals(data)).toBe(true);
});

test('random bytes hardly grow, and others shrink', async () => {
  expect((await compressed(randomBytes(3_000_000))).length).toBeLessThan(3_001_000);
  expect((await compressed(text(3_000_000))).length).toBeLessThan(30_000);
  // Digits are less than bytes can be.
  const digests = Buffer.from(Array.from({ length: 3000 }, (_, at) => sha(at)).join('\n'));
  expect((await compressed(digests)).length).toBeLessThan(digests.length * 0.65);
});

const sha = (at: number) => createHash('sha256').update(String(at)).digest('hex');

test('the same bytes give the same result, however they come', async () => {
  const data = Buffer.concat([text(600_000), randomBytes(600_000), text(600_000)]);
  const once = await compressed(data, data.length);
  for (const size of [1000, 65_536, 524_288]) expect((await compressed(data, size)).equals(once)).toBe(true);
});

test('an error of the source is the error, and a reader that leaves ends the source', async () => {
  let ended = false;
  async function* broken(): AsyncGenerator<Buffer> {
    try {
      yield text(2_000_000);
      throw new Error('the disk is gone');
    } finally {
      ended = true;
    }
  }
  const read = async () => {
    for await (const _ of gzip(broken()));
  };
  await expect(read()).rejects.toThrow('the disk is gone');
  expect(ended).toBe(true);
  ended = false;
  for await (const part of gzip(broken())) if (part.length > 10) break;
  expect(ended).toBe(true);
});
