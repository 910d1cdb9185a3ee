import { expect, test } from 'vitest';
import { Semaphore } from './semaphore.js';

test('so many at a time, the others in their order, and who leaves the queue costs nobody a turn', async () => {
  const turns = new Semaphore(2);
  const end = [await turns.take(), await turns.take()];
  const order: string[] = [];
  const leaving = new AbortController();
  const third = turns.take().then((done) => {
    order.push('third');
    return done;
  });
  const left = turns.take(leaving.signal);
  const fifth = turns.take().then((done) => {
    order.push('fifth');
    return done;
  });
  leaving.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  expect(order).toEqual([]);
  end[0]?.();
  const endThird = await third;
  end[1]?.();
  await fifth;
  expect(order).toEqual(['third', 'fifth']);
  endThird();
  await turns.take();
  await expect(turns.take(leaving.signal)).rejects.toThrow('gone');
});
