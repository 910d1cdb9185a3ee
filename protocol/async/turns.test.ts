import { expect, test } from 'vitest';
import { Mutex } from './mutex.js';
import { Turns } from './turns.js';

/** Work that ends when it is told to. */
function work(name: string, order: string[]) {
  let end: (error?: Error) => void = () => {};
  const run = () => {
    order.push(name);
    return new Promise<string>((resolve, reject) => {
      end = (error) => (error ? reject(error) : resolve(name));
    });
  };
  return { run, end: (error?: Error) => end(error) };
}
const turn = () => new Promise(setImmediate);

test('one after the other for one name, also after a failure; other names do not wait', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const [a1, a2, b] = [work('a1', order), work('a2', order), work('b', order)];
  const first = turns.run('a', a1.run);
  const second = turns.run('a', a2.run);
  const other = turns.run('b', b.run);
  await turn();
  expect(order).toEqual(['a1', 'b']);
  a1.end(new Error('failed'));
  await expect(first).rejects.toThrow('failed');
  await turn();
  expect(order).toEqual(['a1', 'b', 'a2']);
  a2.end();
  b.end();
  expect(await Promise.all([second, other])).toEqual(['a2', 'b']);
});

test('a mutex has one holder at a time, in the order in which they came', async () => {
  const mutex = new Mutex();
  const order: string[] = [];
  const [one, two] = [work('one', order), work('two', order)];
  const first = mutex.run(one.run);
  const second = mutex.run(two.run);
  await turn();
  expect(order).toEqual(['one']);
  one.end(new Error('failed'));
  await expect(first).rejects.toThrow('failed');
  await turn();
  two.end();
  expect(await second).toBe('two');
  const release = await mutex.acquire();
  release();
});
