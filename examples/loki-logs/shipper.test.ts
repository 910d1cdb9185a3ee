import { silentLogger } from '@cleat/protocol/log';
import type { Logger } from '@cleat/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeLoki } from './fake-loki.fixture.js';
import type { Line } from './line-joiner.js';
import { type LokiOptions, lokiOptions } from './options.js';
import { Shipper } from './shipper.js';

let loki: FakeLoki;
let said: string[];
beforeEach(async () => {
  loki = new FakeLoki();
  await loki.start();
  said = [];
});
afterEach(() => loki.stop());

const say = (message: string) => void said.push(message);
const log: Logger = { ...silentLogger, info: say, warn: say, error: say };
const lines = (count: number): Line[] =>
  Array.from({ length: count }, (_, at) => ({
    source: 'stdout',
    timeNano: BigInt(1e18) + BigInt(at),
    text: `line ${at}`,
  }));
const options = (): LokiOptions =>
  lokiOptions({
    Config: { 'loki-url': loki.url, 'loki-batch-size': '1k', 'loki-batch-wait': '10ms', 'loki-backlog': '8k' },
    ContainerID: 'id',
    ContainerName: '/web',
  });
const droppedIn = (messages: string[]) =>
  messages.reduce((sum, message) => sum + Number(/^(\d+) lines were dropped: /.exec(message)?.[1] ?? 0), 0);

test('the oldest of what is more than may wait is dropped, and counted to the line', async () => {
  await loki.stop();
  const shipper = new Shipper(options(), log);
  shipper.begin();
  shipper.add(lines(1000));
  await expect.poll(() => said).toContainEqual(expect.stringMatching(/^output is kept, and sent again: Loki does not/));
  expect(said).toContain('more waits for Loki than loki-backlog allows: the oldest lines are dropped');
  await loki.start();
  shipper.end();
  await shipper.finished;
  const arrived = loki.lines({});
  expect(arrived.at(-1)).toBe('line 999');
  expect(arrived.length).toBeLessThan(200);
  expect(said).toContain('Loki takes the output again');
  expect(droppedIn(said)).toBe(1000 - arrived.length);
  expect(shipper.isOver).toBe(true);
});

test('an entry that Loki will never take is dropped, with its reason', async () => {
  loki.refusals.push(400);
  const shipper = new Shipper(options(), log);
  shipper.begin();
  shipper.add(lines(3));
  shipper.end();
  await shipper.finished;
  expect(said).toEqual(['3 lines were dropped: Loki answered 400 not like this']);
});

test('a loss is told also when Loki refuses all the rest', async () => {
  loki.refusals.push(...Array.from({ length: 20 }, () => 400));
  const shipper = new Shipper(options(), log);
  shipper.begin();
  shipper.add(lines(1000));
  shipper.end();
  await shipper.finished;
  expect(loki.pushes).toEqual([]);
  expect(droppedIn(said)).toBe(1000);
});

test('a shipper that is told to end drops what waits, and says how much', async () => {
  await loki.stop();
  const shipper = new Shipper(options(), log);
  shipper.begin();
  shipper.add(lines(50));
  shipper.abandon();
  await shipper.finished;
  expect(droppedIn(said)).toBe(50);
  expect(loki.pushes).toEqual([]);
});
