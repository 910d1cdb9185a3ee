import { expect, test } from 'vitest';
import { longestMs, Patience } from './patience.js';

test('a thing that is damaged again and again is put right less and less often, until there was peace', () => {
  let now = 0;
  const patience = new Patience(longestMs.links, () => now);
  const pauses: number[] = [];
  for (let times = 0; times < 18; times++) {
    expect(patience.isDue('vethx')).toBe(true);
    const pause = patience.spend('vethx');
    pauses.push(pause);
    expect(patience.isDue('vethx')).toBe(pause === 0);
    expect(patience.isDue('another')).toBe(true);
    now += pause;
  }
  const atOnce = Array<number>(9).fill(0);
  expect(pauses).toEqual([...atOnce, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  now += 5 * 60_000 + 1;
  expect(patience.spend('vethx')).toBe(0);
});
