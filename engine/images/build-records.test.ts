import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Bench, openBench, tarOf } from './images.fixture.js';
import type { Images } from './service.js';

let bench: Bench;
let builders: Images;
beforeEach(async () => {
  bench = await openBench();
  builders = bench.images.forBuilder('b');
});
afterEach(() => bench[Symbol.asyncDispose]());

/** A build record with one file. */
async function recordOf(name: string): Promise<string> {
  return (await builders.addLayer('', Readable.from([await tarOf([{ name, content: name }])]))).Id;
}

const known = () => bench.images.buildRecords().map(({ id }) => id);

test('a record that becomes an image while others are removed stays', async () => {
  const [one, two, three] = [await recordOf('1'), await recordOf('2'), await recordOf('3')];
  const removal = bench.images.removeRecords([one, two, three]);
  bench.images.publish(two, []);
  expect((await removal).sort()).toEqual([one, three].sort());
  expect((await bench.images.inspect(two)).Id).toBe(two);
  expect(known()).toEqual([]);
});

test('records stay from the moment that they may not go', async () => {
  const [one, two] = [await recordOf('1'), await recordOf('2')];
  let may = true;
  const removal = bench.images.removeRecords([one, two], () => may);
  may = false;
  expect(await removal).toEqual([one]);
  expect(known()).toEqual([two]);
});

test('an image has no parent that is not seen: neither a record, nor one that has gone', async () => {
  const parent = await recordOf('1');
  const created = '2026-11-29T18:00:00Z';
  const { Id } = await builders.compose({ parent, base: '', config: {}, history: [], created });
  bench.images.publish(Id, ['app']);
  const seen = async () => [
    (await bench.images.inspect(Id)).Parent,
    ...(await bench.images.list({ all: true, filters: {}, sharedSize: false })).map(({ ParentId }) => ParentId),
  ];
  expect(await seen()).toEqual(['', '']);
  expect(await bench.images.removeRecords([parent])).toEqual([parent]);
  expect(await seen()).toEqual(['', '']);
});
