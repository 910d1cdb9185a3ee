import fc from 'fast-check';
import { expect, test } from 'vitest';
import { goTime, nowNanos, parseMoment, parseTime, toNanos } from './time.js';

test('a time is printed as Go prints it, and read back', () => {
  expect(goTime(1763780000123456789n)).toBe('2025-11-22T02:53:20.123456789Z');
  expect(goTime(1763780000100000000n)).toBe('2025-11-22T02:53:20.1Z');
  expect(goTime(new Date(1763780000000))).toBe('2025-11-22T02:53:20Z');
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }), (nanos) => parseTime(goTime(nanos)) === nanos),
  );
});

test('moments: durations, dates, seconds', () => {
  const reference = 1_000_000_000_000_000_000n;
  expect(parseMoment('1h30m', reference)).toBe(reference - 5_400_000_000_000n);
  expect(parseMoment('1763780000.123456789')).toBe(1763780000123456789n);
  expect(parseMoment('1763780000')).toBe(1763780000000000000n);
  expect(parseMoment('0')).toBe(0n);
  expect(parseMoment('2025-11-22')).toBe(toNanos(new Date('2025-11-22T00:00:00Z')));
  expect(parseMoment('2025-11-22T03:53:20+01:00')).toBe(1763780000000000000n);
  expect(parseTime('0001-01-01T00:00:00Z')).toBeLessThan(0n);
  for (const wrong of ['', 'x', '2025-13-01', '1h2']) expect(() => parseMoment(wrong)).toThrow(/failed to parse/);
});

test('the clock agrees with the wall clock and never steps back', () => {
  let last = nowNanos();
  for (let i = 0; i < 1000; i++) {
    const next = nowNanos();
    expect(next >= last).toBe(true);
    last = next;
  }
  expect(Math.abs(Number(last / 1_000_000n) - Date.now())).toBeLessThan(1000);
});
