import { PassThrough, Readable } from 'node:stream';
import { owned } from '@cleat/protocol/guard';
import { expect, test } from 'vitest';
import { flow } from './flow.js';

async function read(source: Readable): Promise<string> {
  let text = '';
  for await (const piece of flow(source)) text += piece;
  return text;
}

test('pieces come as they are, to the end', async () => {
  expect(await read(Readable.from([Buffer.from('one '), 'two']))).toBe('one two');
});

test('a stream that was over before anybody read fails as one that breaks later', async () => {
  for (const error of [new Error('the client has gone'), undefined]) {
    const source = owned(new PassThrough());
    const closed = new Promise((resolve) => source.once('close', resolve));
    source.destroy(error);
    await closed;
    await expect(read(source)).rejects.toThrow(error?.message ?? 'unexpected EOF');
  }
});

test('a reader that leaves ends the stream', async () => {
  const source = owned(new PassThrough());
  source.write('one');
  for await (const _ of flow(source)) break;
  expect(source.destroyed).toBe(true);
});
