import { code, StatusError } from '@cleat/protocol/grpc/status';
import { expect, test } from 'vitest';
import { History, type HistoryEvent } from './history.js';
import { Progress } from './progress.js';

const never = new AbortController().signal;
const everything = { ref: '', activeOnly: false, limit: 0, follow: false };

function begin(history: History, ref: string, attributes: Record<string, string> = {}): Progress {
  const progress = new Progress();
  history.began({ ref, attributes: new Map(Object.entries(attributes)), exporters: [], progress });
  return progress;
}

async function all<T>(events: AsyncIterable<T>): Promise<T[]> {
  const heard: T[] = [];
  for await (const event of events) heard.push(event);
  return heard;
}

async function* noProgress() {}

const refs = (events: HistoryEvent[]) => events.map(({ type, record }) => `${type} ${record?.Ref}`);

test('builds are there from their beginning on, with what is known of them', async () => {
  const history = new History();
  const progress = begin(history, 'a', { filename: 'Dockerfile', long: 'x'.repeat(10_000) });
  begin(history, 'b');
  expect(refs(await all(history.events({ ...everything, activeOnly: true }, never)))).toEqual(['0 a', '0 b']);
  await progress.line({ Vertex: { ID: '1', Name: 'FROM x', Started: '2026-01-01T00:00:00Z' } });
  await progress.line({ Vertex: { ID: '1', Name: 'FROM x', Completed: '2026-01-01T00:00:01Z', Cached: true } });
  await progress.line({ Vertex: { ID: '2', Name: 'RUN y', Completed: '2026-01-01T00:00:01Z', Error: 'no' } });
  progress.end();
  history.ended('a', { error: new StatusError(code.unknown, 'it failed') });
  expect(refs(await all(history.events({ ...everything, limit: 1 }, never)))).toEqual(['1 a']);
  const [event] = await all(history.events({ ...everything, ref: 'a' }, never));
  expect(event?.record).toMatchObject({
    error: { code: code.unknown, message: 'it failed' },
    numTotalSteps: 2,
    numCompletedSteps: 2,
    numCachedSteps: 1,
    CompletedAt: { seconds: expect.any(Number) },
  });
  expect(event?.record?.FrontendAttrs?.get('long')).toHaveLength(4096);
  expect(await all(history.progressOf('a')?.watch(never) ?? noProgress())).toHaveLength(3);
});

test('a listener hears of each build', async () => {
  const history = new History();
  const leaving = new AbortController();
  const hearing = all(history.events({ ...everything, follow: true }, leaving.signal));
  await new Promise(setImmediate);
  begin(history, 'a');
  history.ended('a', { response: new Map([['k', 'v']]) });
  history.remove('a');
  expect(() => history.remove('a')).toThrow('no record found for build a');
  await new Promise(setImmediate);
  leaving.abort();
  expect(refs(await hearing)).toEqual(['0 a', '1 a', '2 a']);
});

test('only the last ones are kept, and only so much of what they printed', async () => {
  const history = new History();
  for (let at = 0; at < 60; at++) {
    begin(history, `${at}`);
    history.ended(`${at}`, {});
  }
  expect(refs(await all(history.events(everything, never))).at(0)).toBe('1 10');
  for (const ref of ['x', 'y', 'z']) {
    const progress = begin(history, ref);
    await progress.emit({ logs: [{ vertex: 'v', msg: Buffer.alloc(15 * 1024 * 1024) }] });
    history.ended(ref, {});
  }
  expect(refs(await all(history.events(everything, never)))).toEqual(['1 y', '1 z']);
});
