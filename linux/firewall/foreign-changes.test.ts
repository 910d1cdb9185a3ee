import { expect, test } from 'vitest';
import { ForeignChanges } from './foreign-changes.js';

test.each([
  ['one of ours', 1, 1, 0],
  ['none of ours, and none of others', 0, 0, 0],
  ['none of ours, but one of others meanwhile', 0, 1, 1],
  ['one of ours, and one of others meanwhile', 1, 2, 1],
  ['one that may not have been ours', undefined, 1, 1],
])('transactions of others are told from ours: %s', async (_, made, happened, foreign) => {
  let generation = 7;
  const changes = new ForeignChanges(() => generation);
  await changes.own(async () => {
    generation += happened;
    return made;
  });
  expect(changes.count()).toBe(foreign);
});

test('work that fails claims nothing', async () => {
  let generation = 7;
  const changes = new ForeignChanges(() => generation);
  const failing = changes.own(() => {
    generation += 1;
    return Promise.reject(new Error('nft failed'));
  });
  await expect(failing).rejects.toThrow('nft failed');
  expect(changes.count()).toBe(1);
});

test('a kernel that does not count them is asked anew each time', () => {
  expect(new ForeignChanges(() => undefined).count()).toBeUndefined();
});
