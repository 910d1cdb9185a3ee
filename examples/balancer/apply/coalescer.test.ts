import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Coalescer } from './coalescer.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function coalescing() {
  const begun: number[] = [];
  const from = Date.now();
  let finish = () => {};
  const coalescer = new Coalescer({ quietMs: 50, longestMs: 250 }, async () => {
    begun.push(Date.now() - from);
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  return { coalescer, begun, finish: () => finish() };
}

test('a storm is one piece of work, and begins no later than the bound', async () => {
  const { coalescer, begun } = coalescing();
  for (let at = 0; at < 1_000; at += 10) {
    coalescer.wish();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(begun).toEqual([250]);
});

test('one wish waits for quiet only; one that is urgent does not wait', async () => {
  const { coalescer, begun, finish } = coalescing();
  expect(coalescer.isBusy).toBe(false);
  coalescer.wish();
  expect(coalescer.isBusy).toBe(true);
  await vi.advanceTimersByTimeAsync(50);
  expect(begun).toEqual([50]);
  expect(coalescer.isBusy).toBe(true);
  finish();
  await vi.advanceTimersByTimeAsync(100);
  expect(coalescer.isBusy).toBe(false);
  coalescer.wish();
  coalescer.wish(true);
  await vi.advanceTimersByTimeAsync(5);
  expect(begun).toHaveLength(2);
});

test('wishes that come during the work are one more piece, after it; none comes after the end', async () => {
  const { coalescer, begun, finish } = coalescing();
  coalescer.wish(true);
  await vi.advanceTimersByTimeAsync(5);
  coalescer.wish();
  coalescer.wish();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(begun).toHaveLength(1);
  finish();
  await vi.advanceTimersByTimeAsync(60);
  expect(begun).toHaveLength(2);
  coalescer.wish();
  finish();
  await coalescer.end();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(begun).toHaveLength(2);
});
