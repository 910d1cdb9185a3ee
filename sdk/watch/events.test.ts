import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine } from './engine.js';
import { type EventItem, type EventOptions, events } from './events.js';
import { FakeEngine, start } from './fake-engine.fixture.js';

let engine: FakeEngine;
let stop: AbortController;
beforeEach(async () => {
  engine = await new FakeEngine().listen();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await engine[Symbol.asyncDispose]();
});

/** Reads on; what it got is `told`: `action id`, `subscribed`, or `gap`. */
function reader(options: EventOptions = {}, deadlineMs?: number) {
  const told: string[] = [];
  const items: EventItem[] = [];
  const log: string[] = [];
  const note = (text: string) => log.push(text);
  const logger = { ...silentLogger, warn: note, info: note };
  const follow = async () => {
    const from = new Engine(engine.address, { deadlineMs });
    for await (const item of events(from, { signal: stop.signal, log: logger, ...options })) {
      items.push(item);
      if (item.type === 'event') told.push(`${item.event.Action} ${item.event.Actor.ID}`);
      else told.push(item.gap === undefined ? 'subscribed' : 'gap');
    }
  };
  const ended = follow();
  ended.catch(() => {}); // Looked at where it matters.
  return { told, items, log, ended };
}

test('events come once, in order, over a connection that breaks, with their exact time', async () => {
  const { told, items, log, ended } = reader();
  await expect.poll(() => told).toEqual(['subscribed']);
  engine.tell('create', 'a');
  engine.tell('start', 'a', { at: start + 5_000n });
  engine.tell('start', 'b', { at: start + 5_000n });
  await expect.poll(() => told).toHaveLength(4);
  await engine.die();
  // One at the same instant as those that were told, and one that was noticed late.
  engine.tell('start', 'c', { at: start + 5_000n });
  engine.tell('die', 'a', { at: start + 3_000n });
  await engine.listen();
  await expect.poll(() => told.slice(4)).toEqual(['subscribed', 'start c', 'die a']);
  engine.tell('die', 'b');
  await expect.poll(() => told.slice(7)).toEqual(['die b']);
  const times = items.flatMap((item) => (item.type === 'event' ? [item.event.timeNano] : []));
  expect(times[0]).toBe(start + 1_001n);
  expect(log).toEqual([expect.stringContaining('; trying again'), 'the engine answers again']);
  stop.abort();
  await ended;
});

test('an engine that forgot what it was told is a gap, one that forgot only what we know is none', async () => {
  const { told } = reader();
  await expect.poll(() => told).toEqual(['subscribed']);
  engine.tell('create', 'a');
  await expect.poll(() => told).toHaveLength(2);
  await engine.die({ forget: true });
  await engine.listen();
  await expect.poll(() => told.slice(2)).toEqual(['gap']);
  engine.tell('create', 'b');
  engine.tell('create', 'c');
  await expect.poll(() => told).toHaveLength(5);
  await engine.die();
  engine.history.shift();
  engine.tell('create', 'd');
  await engine.listen();
  await expect.poll(() => told.slice(5)).toEqual(['subscribed', 'create d']);
});

test('where events have cursors the engine says which are new, and a cursor that it refuses is a gap', async () => {
  engine.journal = 'one';
  const { told, items } = reader();
  await expect.poll(() => told).toEqual(['subscribed']);
  engine.tell('create', 'a');
  await expect.poll(() => told).toHaveLength(2);
  await engine.die();
  engine.tell('create', 'b');
  await engine.listen();
  await expect.poll(() => told.slice(2)).toEqual(['subscribed', 'create b']);
  expect(items[2]).toEqual({ type: 'subscribed', resumed: true });
  expect(engine.asked.at(-1)).toBe(`/events?cursor=one.${start + 1_001n}`);
  engine.tell('events_lost', 'engine', { Type: 'daemon', attributes: { count: '3' } });
  await expect.poll(() => items.at(-1)).toEqual({ type: 'subscribed', gap: expect.stringContaining('has 3 events') });
  await engine.die({ forget: true });
  await engine.listen();
  await expect.poll(() => items.at(-1)).toEqual({ type: 'subscribed', gap: expect.stringContaining('list again') });
  engine.tell('create', 'c');
  await expect.poll(() => told.at(-1)).toBe('create c');
  const late = reader({ cursor: `one.${start + 3n * 1_001n}` });
  await expect.poll(() => late.told[0]).toBe('gap');
});

test('an event before the stream stands is told', async () => {
  engine.on('/_ping', (_query, response) => {
    engine.tell('create', 'early');
    response.setHeader('Date', new Date(Number(start / 1_000_000n)).toUTCString());
    response.end('OK');
  });
  const { told } = reader();
  await expect.poll(() => told).toEqual(['subscribed', 'create early']);
});

test('a moment to begin at, to the nanosecond, and whether the engine still knows it', async () => {
  for (const id of ['a', 'b', 'c']) engine.tell('create', id);
  const { told } = reader({ since: start + 2_002n });
  await expect.poll(() => told).toEqual(['subscribed', 'create b', 'create c']);
  const early = reader({ since: start - 1n });
  await expect.poll(() => early.told).toEqual(['gap', 'create a', 'create b', 'create c']);
});

test('a consumer that is slow gets every event that the engine remembers, and no more wait than may', async () => {
  const taken: string[] = [];
  const stream = events(new Engine(engine.address), { pending: 10, signal: stop.signal })[Symbol.asyncIterator]();
  expect((await stream.next()).value).toEqual({ type: 'subscribed', gap: undefined });
  for (let n = 0; n < 300; n++) engine.tell('create', String(n));
  // Cut off while nobody takes anything.
  await expect.poll(() => engine.streams.size).toBe(0);
  while (taken.length < 300) {
    const { value } = await stream.next();
    if (value?.type === 'event') taken.push(value.event.Actor.ID);
    else expect(value).toEqual({ type: 'subscribed', gap: undefined });
  }
  expect(taken).toEqual(Array.from({ length: 300 }, (_, n) => String(n)));
  await stream.return?.();
});

test.each([
  ['text', 'Oh no\n'],
  ['another object', '{"message":"something went wrong"}\n'],
  ['a time that is none', '{"Type":"container","Action":"die","Actor":{"ID":"a"},"timeNano":-1}\n'],
  ['a line without end', 'x'.repeat(5 << 20)],
])('garbage on the stream ends it, and it is asked again: %s', async (_what, garbage) => {
  const { told, log } = reader();
  await expect.poll(() => told).toEqual(['subscribed']);
  engine.tell('create', 'a');
  await expect.poll(() => told).toHaveLength(2);
  engine.say(garbage);
  await expect.poll(() => told.slice(2)).toEqual(['subscribed']);
  engine.tell('create', 'b');
  await expect.poll(() => told.slice(3)).toEqual(['create b']);
  expect(log[0]).toContain('something that is no event');
});

test.each(['/_ping', '/events?since', '/events?until'])('an engine that hangs at %s is asked again', async (path) => {
  engine.tell('create', 'before');
  engine.hangs = path;
  const { told, log } = reader({ since: path.includes('until') ? start + 2_000n : undefined }, 100);
  const given = path.includes('until') ? ['gap'] : [];
  if (given.length === 0) {
    await expect.poll(() => log).toEqual([expect.stringContaining('did not answer /')]);
    engine.hangs = undefined;
  }
  await expect.poll(() => told[0]).toBe(given[0] ?? 'subscribed');
});

test('an engine that is not there yet is waited for', async () => {
  await engine.die();
  const { told, log } = reader();
  await expect.poll(() => log).toEqual([expect.stringMatching(/cannot be reached: .*ENOENT.*; trying again/)]);
  await engine.listen();
  await expect.poll(() => told).toEqual(['subscribed']);
});

test('a fault that cannot go away is an error at once', async () => {
  expect(() => new Engine('docker.sock')).toThrow("'docker.sock' is no engine's address");
  expect(() => new Engine('tcp://host:70000')).toThrow('write unix:///path or tcp://host:port');
  engine.on('/events', (_query, response) => {
    response.writeHead(400, { 'Content-Type': 'application/json' }).end('{"message":"invalid filter \'colour\'"}');
  });
  const { ended } = reader({ filters: { colour: ['red'] } });
  await expect(ended).rejects.toThrow("the engine refused /events: invalid filter 'colour'");
});

test('an answer that is no engine’s is told as it is, and asked for again', async () => {
  engine.on('/events', (_query, response) => response.writeHead(502).end('<html>\u001b[31mBad gateway'));
  const { log } = reader();
  await expect.poll(() => log).toEqual([expect.stringContaining("is no engine's: <html>\\u001b[31mBad gateway")]);
});
