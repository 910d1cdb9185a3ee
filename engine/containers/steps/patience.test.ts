import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Patience } from './patience.js';

const told: string[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  told.length = 0;
});
afterEach(() => vi.useRealTimers());
const patience = () => new Patience((reason) => told.push(reason));

test('an extension that is not there is told of after a moment, and at once when the reason changes', () => {
  const waiting = patience();
  waiting.hear('its socket is gone');
  vi.advanceTimersByTime(400);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(told).toEqual(['its socket is gone']);
  waiting.hear('connection refused');
  expect(told).toEqual(['its socket is gone', 'connection refused']);
  waiting.end();
});

test('an extension that is slow to start is not waited for', () => {
  const waiting = patience();
  vi.advanceTimersByTime(2_000);
  waiting.end();
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([]);
});

test('an extension that hangs is', () => {
  const waiting = patience();
  vi.advanceTimersByTime(5_000);
  expect(told).toEqual(['it does not answer']);
  waiting.end();
});
