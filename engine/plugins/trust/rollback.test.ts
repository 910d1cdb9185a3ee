import { expect, test } from 'vitest';
import type { Collection, Store } from '../../store/service.js';
import { SignatureTimes } from './rollback.js';

const now = 2_000_000;

/** Times as they are kept. */
function opened(): SignatureTimes {
  const kept = new Map<string, object>();
  const collection: Collection<object> = {
    get: (key) => kept.get(key),
    put: (key, value) => void kept.set(key, value),
    delete: (key) => void kept.delete(key),
    entries: () => [...kept],
  };
  return new SignatureTimes({ collection: () => collection } as unknown as Store);
}

test('a version older than one that was here is refused, by each name', () => {
  const times = opened();
  times.check('r/p:1', undefined);
  times.note('r/p:1', 500, now);
  times.note('r/p:1', 400, now);
  for (const fine of [500, 501]) times.check('r/p:1', fine);
  expect(() => times.check('r/p:1', 499)).toThrow(/of 1970-01-01T00:08:19Z, but one of 1970-01-01T00:08:20Z was here/);
  expect(() => times.check('r/p:1', undefined)).toThrow('without a time');
  times.check('r/p:2', 1);
});

test('a publisher whose clock is ahead does not shut out itself', () => {
  const times = opened();
  times.note('r/p:1', 99_999_999, now);
  times.check('r/p:1', now / 1000);
  expect(() => times.check('r/p:1', now / 1000 - 1)).toThrow('went back');
});
