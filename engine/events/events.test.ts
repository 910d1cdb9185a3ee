import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventMessage } from '@cleat/protocol/api/event';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventFilter } from './filter.js';
import { type EventQuery, type Events, openEvents } from './index.js';
import { makeEvent } from './line.js';

let directory: string;
let events: Events;

const open = (limits = {}) => openEvents({ directory, log: silentLogger, ...limits });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-events-'));
  events = open();
});

afterEach(async () => {
  await events.close();
  rmSync(directory, { recursive: true, force: true });
});

const publish = (id: string, at?: Date) =>
  events.publish({ type: 'container', action: 'start', id, attributes: { name: `n-${id}` }, at });

/** One at a time. */
async function* each(query: Partial<EventQuery>): AsyncGenerator<EventMessage> {
  const batches = events.subscribe({ filters: {}, signal: new AbortController().signal, ...query });
  for await (const batch of batches) {
    expect(batch.length).toBeGreaterThan(0);
    yield* batch;
  }
}

async function collect(query: Partial<EventQuery>, count = Number.POSITIVE_INFINITY): Promise<string[]> {
  const ids: string[] = [];
  for await (const event of each(query)) {
    ids.push(event.Action === 'events_lost' ? `lost ${event.Actor.Attributes.count ?? 'some'}` : event.Actor.ID);
    if (ids.length >= count) break;
  }
  return ids;
}

const segments = () => readdirSync(directory).filter((name) => name.endsWith('.jsonl'));

const past = { since: 0, until: Date.now() / 1000 };
const all = () => ({ since: 0, until: Date.now() / 1000 + 0.001 });

test('events are kept, to the nanosecond, over a restart, and the newest may be torn', async () => {
  const first = publish('one');
  publish('two');
  await events.close();
  const [segment = ''] = segments();
  appendFileSync(join(directory, segment), '{"s":3,"n":"17');
  events = open();
  publish('three');
  expect(events.stats()).toEqual({ count: 3, kept: 3, published: 1, subscribers: 0 });
  // Nobody knows how much was torn off.
  expect(await collect(all())).toEqual(['one', 'two', 'lost some', 'three']);
  for await (const event of each(all())) {
    expect(event).toEqual(first);
    break;
  }
});

test('a subscription holds from the call on, and ends when it is aborted', async () => {
  publish('before');
  const abort = new AbortController();
  const subscription = events.subscribe({ filters: {}, signal: abort.signal });
  publish('one');
  const ids: string[] = [];
  for await (const batch of subscription) {
    ids.push(...batch.map(({ Actor }) => Actor.ID));
    if (ids.length === 1) setTimeout(() => publish('two'), 5);
    else abort.abort();
  }
  expect(ids).toEqual(['one', 'two']);
  expect(events.stats().subscribers).toBe(0);
});

test('since and until are exact and inclusive', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((id, n) => publish(id, new Date(1_700_000_000_000 + n)));
  expect(await collect({ since: a?.timeNano, until: b?.timeNano })).toEqual(['a', 'b']);
  expect(await collect({ since: 1_700_000_000.002, until: c?.timeNano })).toEqual(['c']);
  expect(await collect({ until: a?.timeNano })).toEqual(['a']);
});

test('an event that was noticed late is not older than what a reader has seen, also after a restart', async () => {
  const times = [publish('seen'), publish('late', new Date(Date.now() - 4_000))];
  await events.close();
  events = open();
  times.push(publish('later', new Date(Date.now() - 3_000)), publish('now'));
  const nanos = times.map(({ timeNano }) => timeNano);
  for (const [at, nano] of nanos.entries()) expect(nano).toBeGreaterThan(nanos[at - 1] ?? 0n);
  expect(nanos.at(-1)).toBeLessThan(BigInt(Date.now() + 1) * 1_000_000n);
  expect(await collect({ since: nanos[0], until: nanos.at(-1) })).toEqual(['seen', 'late', 'later', 'now']);
  expect(await collect({ since: nanos[2], until: nanos.at(-1) })).toEqual(['later', 'now']);
});

test('since follows the order of the journal where a clock was set back', async () => {
  const ahead = publish('ahead', new Date(Date.now() + 3_600_000));
  publish('after');
  const abort = new AbortController();
  const ids: string[] = [];
  for await (const { Actor } of each({ signal: abort.signal, since: ahead.timeNano })) {
    ids.push(Actor.ID);
    if (Actor.ID === 'after') abort.abort();
  }
  expect(ids).toEqual(['ahead', 'after']);
});

test('an event after a subscription is heard, at any time that it has', async () => {
  publish('before', new Date(Date.now() - 10_000));
  const subscription = collect({ since: Date.now() / 1000 }, 1);
  publish('late', new Date(Date.now() - 5_000));
  expect(await subscription).toEqual(['late']);
});

test('until in the future ends the stream then', async () => {
  setTimeout(() => publish('soon'), 5);
  expect(await collect({ until: Date.now() / 1000 + 0.1 })).toEqual(['soon']);
});

test('a slow reader loses nothing and is not what memory is spent on', async () => {
  const reader = each({});
  const first = reader.next();
  const total = 10_000;
  publish('0');
  expect((await first).value.Actor.ID).toBe('0');
  for (let n = 1; n < total; n++) publish(String(n));
  for (let n = 1; n < total; n++) {
    const { value } = await reader.next();
    if (value.Actor.ID !== String(n)) expect(value.Actor.ID).toBe(String(n));
    if (n === total / 2) publish('end');
  }
  expect((await reader.next()).value.Actor.ID).toBe('end');
});

test('many readers at once have the same events in the same order, and so has one that ends meanwhile', async () => {
  const ids = [...Array(30).keys()].map(String);
  const abort = new AbortController();
  const ended = collect({ signal: abort.signal });
  const readers = Array.from({ length: 200 }, () => collect({}, ids.length));
  for (const id of ids) {
    publish(id);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const seen of await Promise.all(readers)) expect(seen).toEqual(ids);
  abort.abort();
  expect(await ended).toEqual(ids);
  expect(events.stats().subscribers).toBe(0);
});

test('the journal keeps its bound, and a reader that it left behind is told', async () => {
  await events.close();
  const retention = () => ({ maxBytes: 32_000 });
  events = open({ retention });
  const reader = each({});
  const first = reader.next();
  publish('first');
  expect((await first).value.Actor.ID).toBe('first');
  // More than memory keeps.
  for (let n = 0; n < 5000; n++) publish(String(n));
  const bytes = segments().reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  expect(bytes).toBeLessThanOrEqual(32_000);
  const { count } = events.stats();
  expect(count).toBeLessThan(400);
  const lost = (await reader.next()).value;
  const oldest = (await reader.next()).value;
  // It goes on with what there is.
  expect(Number(lost.Actor.Attributes.count)).toBe(Number(oldest.Actor.ID));
  expect(await collect({ cursor: lost.Cursor }, 1)).toEqual([oldest.Actor.ID]);
  await events.close();
  events = open({ retention });
  expect(events.stats().count).toBe(count);
  expect(await collect(all())).toEqual(Array.from({ length: count }, (_, n) => String(5000 - count + n)));
});

test('events that are too old go, also when nothing happens', async () => {
  await events.close();
  let maxAgeMs = 3_600_000;
  const retention = () => ({ maxBytes: 1 << 20, maxAgeMs });
  events = open({ retention });
  const { Cursor } = publish('old', new Date(Date.now() - 3_600_000));
  await events.close();
  const past = new Date(Date.now() - 3_600_000);
  for (const name of segments()) utimesSync(join(directory, name), past, past);
  events = open({ retention });
  expect(await collect(all())).toEqual([]);
  // It has seen all that there was.
  publish('new');
  expect(await collect({ cursor: Cursor }, 1)).toEqual(['new']);
  maxAgeMs = 0;
  await events.close();
  events = open({ retention });
  expect(await collect(all())).toEqual(['new']);
});

test('filters as Docker’s', () => {
  const attributes = { image: 'docker.io/library/busybox:1.36', name: 'web', colour: 'red' };
  const start = makeEvent('container', 'start', 'abcdef', attributes, 1n);
  const health = makeEvent('container', 'health_status: healthy', 'abcdef', attributes, 1n);
  const pull = makeEvent('image', 'pull', 'localhost:5000/a/b:x', { name: 'localhost:5000/a/b' }, 1n);
  const pass = (filters: Record<string, string[]>, event: EventMessage) => eventFilter(filters)(event);
  expect(pass({ container: ['abc'] }, start)).toBe(true);
  expect(pass({ container: ['we', 'x'] }, start)).toBe(true);
  expect(pass({ container: ['bc'] }, start)).toBe(false);
  expect(pass({ event: ['health_status'] }, health)).toBe(true);
  expect(pass({ event: ['health_status: healthy'] }, health)).toBe(true);
  expect(pass({ event: ['star'] }, start)).toBe(false);
  expect(pass({ image: ['busybox'] }, start)).toBe(true);
  expect(pass({ image: ['localhost:5000/a/b'] }, pull)).toBe(true);
  expect(pass({ image: ['localhost'] }, pull)).toBe(false);
  expect(pass({ label: ['colour=red', 'name'] }, start)).toBe(true);
  expect(pass({ type: ['image'], event: ['pull'] }, pull)).toBe(true);
  expect(pass({ scope: ['swarm'] }, pull)).toBe(false);
  expect(() => events.subscribe({ ...past, filters: { colour: [] }, signal: new AbortController().signal })).toThrow(
    "invalid filter 'colour'",
  );
});

test('large events are not kept in memory by the thousand; nobody misses one', async () => {
  const text = 'x'.repeat(1024 * 1024);
  const ids = [...Array(60).keys()].map(String);
  const reading = collect({}, ids.length);
  // Each has a text of its own, as each request does.
  for (const id of ids) {
    events.publish({ type: 'container', action: 'exec_create', id, attributes: { label: text + id } });
  }
  expect(await reading).toEqual(ids);
  expect(events.stats().kept).toBeLessThanOrEqual(16);
});
