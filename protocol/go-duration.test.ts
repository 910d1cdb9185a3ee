import { expect, test } from 'vitest';
import { goDuration, parseDuration } from './go-duration.js';

test.each([
  [0, '0s'],
  [7, '7ns'],
  [1500, '1.5µs'],
  [30e6, '30ms'],
  [1e9, '1s'],
  [1.5e9, '1.5s'],
  [90e9, '1m30s'],
  [3600e9, '1h0m0s'],
  [-5400.5e9, '-1h30m0.5s'],
])('%i nanoseconds are %s', (nanos, text) => expect(goDuration(nanos)).toBe(text));

test.each([
  ['0', 0n],
  ['-0', 0n],
  ['1h30m', 5_400_000_000_000n],
  ['-1.5s', -1_500_000_000n],
  ['.5µs', 500n],
  ['', undefined],
  ['5', undefined],
  ['1h2', undefined],
  ['1d', undefined],
])('%s is %s nanoseconds', (text, nanos) => expect(parseDuration(text)).toBe(nanos));
