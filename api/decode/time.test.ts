import { expect, it } from 'vitest';
import { decodeTime } from './time.js';

it.each([
  ['', undefined],
  ['0', undefined],
  ['1763780000', 1763780000000000000n],
  ['1763780000.000000007', 1763780000000000007n],
  ['1763780000.5', 1763780000500000000n],
  ['2025-11-22T02:53:20.000000007Z', 1763780000000000007n],
  ['2025-11-22T03:53:20+01:00', 1763780000000000000n],
  ['2025-11-22', 1763769600000000000n],
])('%s', (text, nanos) => expect(decodeTime('since', text)).toBe(nanos));

it.each(['yesterday', '10m', '2025-13-22', '1e9'])('refuses %s', (text) =>
  expect(() => decodeTime('since', text)).toThrow(/invalid value for "since": invalid timestamp/),
);
