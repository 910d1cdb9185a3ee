import { setImmediate } from 'node:timers/promises';
import type { Launched, Launcher } from '@cleat/extensions/supervisor/launcher';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { expect, test } from 'vitest';
import { inTurn, launchesAtOnce } from './launches.js';

const launched: Launched = { pid: 1, ended: Promise.resolve(''), stop: async () => {} };

test('so many are launched at once, in order; one that is not wanted any longer is never launched', async () => {
  const turns = new Semaphore(2);
  const under = new Map<number, () => void>();
  const begun: number[] = [];
  const launcherOf = (number: number): Launcher =>
    inTurn(
      {
        async launch() {
          begun.push(number);
          await new Promise<void>((resolve) => under.set(number, resolve));
          return launched;
        },
        adopt: async () => launched,
        close: async () => {},
      },
      turns,
    );
  const unwanted = new AbortController();
  const results = [1, 2, 3, 4].map((number) => {
    const signal = number === 3 ? unwanted.signal : new AbortController().signal;
    return launcherOf(number).launch(signal);
  });
  await setImmediate();
  expect(begun).toEqual([1, 2]);
  expect(await launcherOf(5).adopt()).toBe(launched);
  unwanted.abort(new Error('disabled'));
  await expect(results[2]).rejects.toThrow('disabled');
  under.get(1)?.();
  await setImmediate();
  expect(begun).toEqual([1, 2, 4]);
  for (const number of [2, 4]) under.get(number)?.();
  await expect(Promise.all([results[0], results[1], results[3]])).resolves.toHaveLength(3);
});

test('the bound grows with the processors', () => {
  expect([1, 2, 16].map(launchesAtOnce)).toEqual([2, 4, 32]);
});
