import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadline, endsWithin, waitFor, withDeadline, within } from './deadline.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new Promise<never>(() => {});
const late = () => new Error('too late');
/** Work that ends as its signal says. */
const obedient = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('within', () => {
  test('work that comes in time counts, and leaves no timer behind', async () => {
    expect(await within(1000, Promise.resolve('there'), 'late')).toBe('there');
    await expect(within(1000, Promise.reject(new Error('failed')), 'late')).rejects.toThrow('failed');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a negative time is however long it takes, and a very long one is no timer of 1 ms', async () => {
    const slow = new Promise((resolve) => setTimeout(resolve, 1e9, 'there'));
    const [patient, long] = [within(-1, slow, 'late'), endsWithin(2 ** 40, slow)];
    await vi.advanceTimersByTimeAsync(1e9);
    expect(await Promise.all([patient, long])).toEqual(['there', true]);
    expect(await endsWithin(0, Promise.resolve())).toBe(true);
    const never = endsWithin(10, new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(10);
    expect(await never).toBe(false);
  });

  test('work that comes later does not, also when it fails', async () => {
    let fail: (error: Error) => void = () => {};
    const work = new Promise<string>((_, reject) => {
      fail = reject;
    });
    const said = within(1000, work, 'late');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await said).toBe('late');
    fail(new Error('an unhandled rejection would end the test run'));
    await Promise.resolve();
  });
});

describe('withDeadline', () => {
  test('the first of deadline and caller ends the work', async () => {
    const said = withDeadline(1000, undefined, late, obedient).catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await said).toBe('too late');

    const caller = new AbortController();
    const left = withDeadline(1000, caller.signal, late, obedient);
    caller.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    await expect(withDeadline(1000, caller.signal, late, obedient)).rejects.toThrow('left');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('work that is done is its answer', async () => {
    expect(await withDeadline(1000, undefined, late, async () => 'done')).toBe('done');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('Deadline', () => {
  test('work that heeds no signal is left behind', async () => {
    using deadline = new Deadline({ ms: 1000, late });
    const said = deadline.race(never).catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await said).toBe('too late');
    expect(deadline.signal.reason).toMatchObject({ message: 'too late' });
    await expect(deadline.race(Promise.resolve())).rejects.toThrow('too late');
  });

  test('a caller that goes away is told in the words that were asked for', async () => {
    const caller = new AbortController();
    using deadline = new Deadline({ ms: 1000, signal: caller.signal, late, left: () => new Error('nobody waits') });
    const said = deadline.race(never);
    caller.abort();
    await expect(said).rejects.toThrow('nobody waits');
    using next = new Deadline({ ms: 1000, signal: caller.signal, late });
    await expect(next.race(never)).rejects.toThrow('aborted');
  });

  test('it tells with and without a signal, also who comes late, and not who has left', () => {
    const caller = new AbortController();
    using deadline = new Deadline({ ms: 1000, signal: caller.signal, late });
    const told: unknown[] = [];
    deadline.whenOver((reason) => told.push(reason));
    deadline.whenOver(() => told.push('left'))();
    caller.abort('gone');
    deadline.whenOver((reason) => told.push(reason));
    vi.advanceTimersByTime(1000);
    expect(told).toEqual(['gone', 'gone']);
    expect(deadline.signal.reason).toBe('gone');
  });

  test('once it is over, nothing is left', () => {
    const caller = new AbortController();
    const deadline = new Deadline({ ms: 1000, signal: caller.signal, late });
    deadline[Symbol.dispose]();
    caller.abort();
    expect(deadline.signal.aborted).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('waitFor: one caller leaves, the work goes on for the others', async () => {
  const caller = new AbortController();
  const left = waitFor(never, caller.signal);
  caller.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  await expect(waitFor(never, caller.signal)).rejects.toThrow('left');
  expect(await waitFor(Promise.resolve(1), new AbortController().signal)).toBe(1);
});
