import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Backoff } from './backoff.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('pauses double up to the longest, and begin anew after a success', () => {
  const backoff = new Backoff({ firstMs: 100, longestMs: 350 });
  expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 200, 350, 350]);
  backoff.reset();
  expect(backoff.nextMs).toBe(100);
  expect([backoff.next(), backoff.next()]).toEqual([100, 200]);
});

test('a first pause of nothing stays nothing', () => {
  const backoff = new Backoff({ firstMs: 0, longestMs: 100 });
  expect([backoff.next(), backoff.next()]).toEqual([0, 0]);
});
