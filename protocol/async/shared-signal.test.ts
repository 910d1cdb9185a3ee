import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Deadline } from './deadline.js';
import { shared } from './shared-signal.js';

test('as many as like wait on a shared signal, and no leak is reported', async () => {
  const warned = once(process, 'warning').then(([warning]) => warning);
  const stop = new AbortController();
  const signal = shared(stop.signal);
  const options = { ms: 60_000, signal, late: () => new Error('late') };
  const all = Array.from({ length: 50 }, () => new Deadline(options));
  process.emitWarning('the first one');
  expect(await warned).toMatchObject({ message: 'the first one' });
  stop.abort();
  for (const one of all) {
    expect(one.signal.aborted).toBe(true);
    one[Symbol.dispose]();
  }
});
