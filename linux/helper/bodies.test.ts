import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { Bodies, endBody, writePiece } from './bodies.js';

test('bodies come whole, one after the other, however the pipe cuts them', async () => {
  const sent = new PassThrough();
  const whole = buffer(sent);
  for (const text of ['one', '', 'two, in\0\0\0\0two']) {
    for (const piece of text.split(' ')) writePiece(sent, Buffer.from(piece));
    endBody(sent);
  }
  sent.end();
  const bytes = await whole;
  for (const size of [1, 3, 4, 5, bytes.length]) {
    const cut = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    const bodies = new Bodies(chunksOf(cut));
    const read = async () => (await buffer(bodies.next())).toString();
    expect([await read(), await read(), await read()]).toEqual(['one', '', 'two,in\0\0\0\0two']);
    expect(bodies.isReadUp).toBe(true);
  }
});

test('a body that was left, or that is cut off, is not read up', async () => {
  const sent = new PassThrough();
  writePiece(sent, Buffer.from('one'));
  endBody(sent);
  const left = new Bodies(sent);
  for await (const _ of left.next()) break;
  expect(left.isReadUp).toBe(false);
  const cut = new PassThrough();
  writePiece(cut, Buffer.from('one'));
  cut.end();
  const bodies = new Bodies(cut);
  await expect(buffer(bodies.next())).rejects.toThrow('the pipe has ended within a body');
  expect(bodies.isReadUp).toBe(false);
});

test('a full pipe says so', async () => {
  const full = new PassThrough({ highWaterMark: 16 });
  expect(writePiece(full, Buffer.alloc(64))).toBe(false);
  full.resume();
  await once(full, 'drain');
  expect(writePiece(full, Buffer.alloc(1))).toBe(true);
});

async function* chunksOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}
