import { expect, test } from 'vitest';
import { Progress, type Status } from './progress.js';

const never = new AbortController().signal;
const output = (length: number): Status => ({ logs: [{ vertex: 'v', msg: Buffer.alloc(length) }] });
const bytesIn = (all: readonly Status[]): number =>
  all.reduce((sum, { logs = [] }) => sum + logs.reduce((more, { msg }) => more + (msg?.length ?? 0), 0), 0);

async function all(progress: Progress): Promise<Status[]> {
  const heard: Status[] = [];
  for await (const status of progress.watch(never)) heard.push(status);
  return heard;
}

test.each([
  ['bytes', 100, 1024 * 1024],
  ['updates', 15_000, 1],
])('of too many %s, only output is dropped, once every watcher has it', async (_of, times, length) => {
  const progress = new Progress();
  const watching = all(progress);
  await progress.emit({ vertexes: [{ digest: 'first' }] });
  for (let at = 0; at < times; at++) await progress.emit(output(length));
  progress.end();
  // The early watcher has it all, once.
  const heard = await watching;
  expect(heard).toHaveLength(times + 1);
  expect(bytesIn(heard)).toBe(times * length);
  const late = await all(progress);
  expect(late[0]).toEqual({ vertexes: [{ digest: 'first' }] });
  expect(late.length).toBeLessThanOrEqual(10_000);
  expect(bytesIn(late)).toBeLessThanOrEqual(32 * 1024 * 1024);
});

test('a build waits for a slow watcher, and goes on when it leaves', async () => {
  const progress = new Progress();
  const reader = progress.watch(never);
  await progress.emit(output(1));
  await reader.next();
  let told = 0;
  const telling = (async () => {
    for (; told < 100; told++) await progress.emit(output(1024 * 1024));
  })();
  await new Promise(setImmediate);
  expect(told).toBeLessThan(40);
  await reader.return(undefined);
  await telling;
  expect(told).toBe(100);
});

test('steps are numbered as BuildKit does, where the builder says how: those that make a layer', async () => {
  const progress = new Progress();
  const steps = [
    { ID: '1', Name: 'FROM busybox AS a', Step: 2, Steps: 14, Stage: 'a', StageStep: 1, StageSteps: 10 },
    { ID: '2', Name: 'ARG X', Step: 3, Steps: 14, Stage: 'a', StageStep: 0, StageSteps: 10 },
    { ID: '3', Name: 'ENV X=$', Step: 4, Steps: 14, Stage: 'a', StageStep: 0, StageSteps: 10, Error: 'it failed' },
    { ID: '4', Name: 'RUN make', Step: 13, Steps: 14, Stage: 'a', StageStep: 10, StageSteps: 10 },
    { ID: '5', Name: 'RUN of another builder', Step: 14, Steps: 14, Stage: 'b' },
  ];
  for (const Vertex of steps) await progress.line({ Vertex });
  progress.end();
  expect((await all(progress)).flatMap(({ vertexes = [] }) => vertexes.map(({ name }) => name))).toEqual([
    '[a  1/10] FROM busybox AS a',
    'ENV X=$',
    '[a 10/10] RUN make',
    '[b 14/14] RUN of another builder',
  ]);
});
