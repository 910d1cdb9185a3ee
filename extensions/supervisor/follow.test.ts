import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { follow } from './follow.js';

test('where there are no watches, it is looked at all the same', async () => {
  const look = vi.fn();
  // The kernel refuses a watch of what is not there, as it does when it has none left.
  const end = follow('/nowhere/at/all', look);
  await expect.poll(() => look.mock.calls.length).toBeGreaterThan(0);
  end();
});

test('a change is seen before the next look, and what nobody told of by that', async () => {
  const directory = mkdtempSync('/tmp/cleat-follow-');
  const path = join(directory, 'log');
  writeFileSync(path, '');
  vi.useFakeTimers({ toFake: ['setInterval'] });
  const look = vi.fn();
  const seen = new Promise<void>((resolve) => look.mockImplementation(resolve));
  const end = follow(path, look);
  try {
    appendFileSync(path, 'x');
    // Not polled: vitest moves its clock on with each look, and so would come to the timer.
    await seen;
    const before = look.mock.calls.length;
    vi.advanceTimersByTime(1_000);
    expect(look.mock.calls.length).toBeGreaterThan(before);
  } finally {
    end();
    vi.useRealTimers();
    rmSync(directory, { recursive: true });
  }
});
