import { Readable } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { Uploads } from './uploads.js';

const never = new AbortController().signal;
const content = (): Readable => Readable.from(['x']);
afterEach(() => vi.useRealTimers());

test.each(['context', 'build'])('the %s comes first', async (first) => {
  const uploads = new Uploads();
  const sent = content();
  const offer = () => uploads.offer('b', sent, never);
  const offered = first === 'context' ? offer() : undefined;
  const taking = uploads.take('b', never);
  const ending = offered ?? offer();
  const upload = await taking;
  expect(upload.content).toBe(sent);
  upload.done();
  await ending;
});

test('a context may be read for long, once its build has come', async () => {
  vi.useFakeTimers();
  const uploads = new Uploads();
  const ending = uploads.offer('b', content(), never);
  const upload = await uploads.take('b', never);
  await vi.advanceTimersByTimeAsync(600_000);
  // And the next of that name is another one.
  const next = content();
  const again = uploads.offer('b', next, never);
  upload.done();
  await ending;
  const other = await uploads.take('b', never);
  expect(other.content).toBe(next);
  other.done();
  await again;
});

test('a request without its counterpart is given up', async () => {
  vi.useFakeTimers();
  const uploads = new Uploads();
  const failing = [uploads.offer('a', content(), never), uploads.take('b', never)].map((one) =>
    expect(one).rejects.toMatchObject({ class: 'DeadlineExceeded' }),
  );
  await vi.advanceTimersByTimeAsync(60_000);
  await Promise.all(failing);
  // Nothing of it is left.
  const ending = uploads.offer('a', content(), never);
  (await uploads.take('a', never)).done();
  await ending;
});
