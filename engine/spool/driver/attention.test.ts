import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Attention } from './attention.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTime(ms);

test('a driver that reads nothing is noticed, silent or not as the container may be', () => {
  const attention = new Attention();
  attention.wrote(100, 100);
  pass(5000);
  expect(attention.missingMs(100)).toBe(5000);
  // It prints on, and what lies there grows.
  attention.wrote(200, 200);
  pass(5000);
  attention.wrote(250, 250);
  // Some more was written before it was asked.
  attention.wrote(300, 320);
  expect(attention.missingMs(320)).toBe(10_000);
});

test('a driver that reads, if only a little, is not', () => {
  const attention = new Attention();
  attention.wrote(100, 100);
  pass(5000);
  attention.wrote(200, 150);
  expect(attention.missingMs(150)).toBe(0);
  pass(5000);
  expect(attention.missingMs(149)).toBe(0);
  pass(5000);
  expect(attention.missingMs(0)).toBe(0);
  pass(5000);
  attention.wrote(300, 100);
  expect(attention.missingMs(100)).toBe(0);
});

test('another feed counts from nothing', () => {
  const attention = new Attention();
  attention.wrote(1000, 0);
  pass(5000);
  attention.wrote(10, 10);
  expect(attention.missingMs(10)).toBe(0);
  pass(5000);
  attention.wrote(30, 30);
  expect(attention.missingMs(30)).toBe(5000);
});
