import { isClass } from '@cleat/protocol/errors';
import { expect, test } from 'vitest';
import { run } from './run.js';

const thrown = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test('input, output and code', async () => {
  const result = await run('sh', ['-c', 'cat; echo oops >&2; exit 3'], { input: 'hello' });
  expect(result).toEqual({ code: 3, stdout: 'hello', stderr: 'oops\n' });
  expect((await run('sh', ['-c', 'kill -9 $$'])).code).toBe(137);
});

test('a directory, and an environment', async () => {
  expect((await run('sh', ['-c', 'pwd; echo $GREETING'], { cwd: '/usr', env: { GREETING: 'hi' } })).stdout).toBe(
    '/usr\nhi\n',
  );
});

test('the end is noticed of each of many that end at once, and of one that is ended meanwhile', async () => {
  const many = await Promise.all(Array.from({ length: 40 }, (_, code) => run('sh', ['-c', `exit ${code}`])));
  expect(many.map(({ code }) => code)).toEqual(Array.from({ length: 40 }, (_, code) => code));
});

test('a missing command, a late one, a talkative one and an unwanted one have their classes', async () => {
  expect(isClass(await thrown(run('cleat-no-such-command', [])), 'Unavailable')).toBe(true);
  expect(isClass(await thrown(run('sleep', ['60'], { deadlineMs: 50 })), 'DeadlineExceeded')).toBe(true);
  expect(isClass(await thrown(run('yes', [], { maxBuffer: 1000 })), 'System')).toBe(true);
  const late = run('sleep', ['60'], { signal: AbortSignal.timeout(50) });
  expect(isClass(await thrown(late), 'Cancelled')).toBe(true);
});

test('a grandchild that keeps the pipes does not outlast the deadline', async () => {
  expect(isClass(await thrown(run('sh', ['-c', 'sleep 3 & wait'], { deadlineMs: 50 })), 'DeadlineExceeded')).toBe(true);
});
