import { expect, test } from 'vitest';
import { lastLines, Silence } from './lines.js';

async function* chunks(...texts: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text;
    yield Buffer.from(text);
  }
}

async function read(stream: AsyncIterable<Uint8Array>, longest = 100, silenceMs = 60_000): Promise<(string | Error)[]> {
  const heard: (string | Error)[] = [];
  try {
    for await (const line of lastLines(stream, { longest, silenceMs })) heard.push(line);
  } catch (error) {
    heard.push(error as Error);
  }
  return heard;
}

test('lines come whole, however they are cut; of several that came at once the last one counts', async () => {
  expect(await read(chunks('one\n', 'tw', 'o', '\nthr', 'ee\n'))).toEqual(['one', 'two', 'three']);
  expect(await read(chunks('a\nb\nc\nd', '\ne\n'))).toEqual(['c', 'e']);
  expect(await read(chunks('\n', '\n\n', 'one\n\n', 'x\n'))).toEqual(['x']);
  const bytes = Buffer.from('zwö\n');
  expect(await read(chunks(...[...bytes].map((byte) => Buffer.of(byte).toString('latin1'))))).toHaveLength(1);
});

test('a stream that ends in the middle of a line, is too long or breaks is an error', async () => {
  expect(await read(chunks('one\n', 'tw'))).toEqual(['one', new Error('the last line is cut short')]);
  expect(await read(chunks('x'.repeat(60), 'x'.repeat(60)))).toEqual([new Error('a line has more than 100 bytes')]);
  expect(await read(chunks('x'.repeat(120), '\n'))).toEqual([new Error('a line has more than 100 bytes')]);
  expect(await read(chunks('one\n', new Error('broken')))).toEqual(['one', new Error('broken')]);
});

test('silence ends it, and the stream is let go', async () => {
  let isLetGo = false;
  const stream: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: async () => {
        isLetGo = true;
        return { done: true, value: undefined };
      },
    }),
  };
  expect(await read(stream, 100, 10)).toEqual([new Silence('nothing came')]);
  expect(isLetGo).toBe(true);
});
