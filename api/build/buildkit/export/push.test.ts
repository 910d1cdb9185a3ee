import type { PushOptions } from '@cleat/engine/images/service';
import { expect, test } from 'vitest';
import { Job } from '../control/job.js';
import type { Session } from '../session/sessions.js';
import { pushImage } from './push.js';

const { signal } = new AbortController();

/** A client with credentials for one registry, and none for others. */
const session = {
  id: 's',
  sharedKey: '',
  supports: () => true,
  client: {
    call: async (_path: string, _types: unknown, { Host }: { Host: string }) =>
      Host === 'mine.test' ? { Username: 'me', Secret: 'word' } : { Username: '', Secret: '' },
  },
} as unknown as Session;

async function push(name: string, lines: object[]) {
  const job = new Job('ref', async () => session, signal);
  const asked: PushOptions[] = [];
  const images = {
    async *push(options: PushOptions) {
      asked.push(options);
      yield* lines;
    },
  };
  await pushImage({ images }, job, name).finally(() => job.progress.end());
  const told: string[] = [];
  for await (const { vertexes = [], statuses = [] } of job.progress.watch(signal)) {
    told.push(...vertexes.map(({ name = '' }) => name), ...statuses.map(({ ID = '' }) => ID));
  }
  return { asked, told };
}

test('a name is pushed with the credentials for its registry, and told of', async () => {
  const { asked, told } = await push('mine.test:5000/a/b:1', [{ status: 'Pushing', id: 'abc' }, { status: 'done' }]);
  expect(asked).toMatchObject([{ ref: 'mine.test:5000/a/b', tag: '1' }]);
  expect(told).toEqual(['pushing mine.test:5000/a/b:1', 'Pushing abc', 'pushing mine.test:5000/a/b:1']);
  expect((await push('mine.test/a:1', [])).asked).toMatchObject([{ auth: { username: 'me', password: 'word' } }]);
  expect((await push('docker.io/library/a:latest', [])).asked[0]).not.toHaveProperty('auth');
});

test('a refusal of the registry fails the build', async () => {
  await expect(push('mine.test/a:1', [{ error: 'denied: not yours' }])).rejects.toThrow('denied: not yours');
});
