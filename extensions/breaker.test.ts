import { expect, test } from 'vitest';
import { Breaker } from './breaker.js';

test('opens after three hangs in a row, lets one probe through per pause, and the pause grows', () => {
  let now = 0;
  const breaker = new Breaker(() => now);
  breaker.hung('1');
  breaker.hung('2');
  breaker.succeeded();
  for (const reason of ['a', 'b']) breaker.hung(reason);
  expect(breaker.blocked()).toBeUndefined();
  breaker.hung('c');
  expect(breaker.blocked()).toBe('c');
  now += 2_000;
  expect(breaker.blocked()).toBeUndefined();
  now += 1_000_000;
  expect(breaker.blocked(), 'the probe is still out').toBe('c');
  breaker.hung('d');
  now += 3_999;
  expect(breaker.blocked()).toBe('d');
  now += 1;
  expect(breaker.blocked()).toBeUndefined();
  breaker.inconclusive();
  expect(breaker.blocked(), 'a probe without an outcome is repeated').toBeUndefined();
  breaker.succeeded();
  expect(breaker.blocked()).toBeUndefined();
  expect(breaker.blocked()).toBeUndefined();
});
