import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Events, openEvents } from './index.js';

let root: string;
let directory: string;
let events: Events;
const open = (limits = {}) => openEvents({ directory, log: silentLogger, ...limits });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cleat-cursor-'));
  directory = join(root, 'events');
  events = open();
});
afterEach(async () => {
  await events.close();
  rmSync(root, { recursive: true });
});

const publish = (...ids: string[]) =>
  ids.map((id) => events.publish({ type: 'container', action: 'start', id, attributes: {} }).Cursor ?? '');

/** IDs of what comes after a cursor, up to one. */
async function after(cursor: string, last: string, filters = {}): Promise<string[]> {
  const told: string[] = [];
  for await (const batch of events.subscribe({ cursor, filters, signal: AbortSignal.timeout(5_000) })) {
    told.push(...batch.map(({ Action, Actor }) => (Action === 'start' ? Actor.ID : Action)));
    if (told.at(-1) === last) return told;
  }
  return told;
}

const subscribing = (cursor: string) => () => events.subscribe({ cursor, filters: {}, signal: AbortSignal.abort() });

/** As after kill -9: nothing of its end is done. */
function crash(): void {
  // Nobody closes it; its timers do not hold up the process.
  events = open();
}

/** As a power cut leaves it: a shorter journal, of another boot. */
async function cutPower(keptBytes: number): Promise<void> {
  await events.close();
  truncateSync(join(directory, '0000000000000001.jsonl'), keptBytes);
  writeFileSync(join(directory, 'open'), '-another-boot\n');
  events = open();
}

const bytes = () => readFileSync(join(directory, '0000000000000001.jsonl')).length;

test('each event after the last one seen comes once, also when the engine was stopped or killed', async () => {
  const beginning = events.cursor;
  const [one = '', two = ''] = publish('one', 'two');
  expect(events.cursor).toBe(two);
  publish('three');
  expect(await after(beginning, 'three')).toEqual(['one', 'two', 'three']);
  expect(await after(one, 'three')).toEqual(['two', 'three']);
  await events.close();
  events = open();
  // An engine that has not told anything yet.
  expect(await after(one, 'three')).toEqual(['two', 'three']);
  const seen = events.cursor;
  crash();
  publish('four');
  crash();
  const [five = ''] = publish('five');
  expect(await after(two, 'five')).toEqual(['three', 'four', 'five']);
  expect(await after(seen, 'five')).toEqual(['four', 'five']);
  expect(await after(one, 'five', { container: ['five'] })).toEqual(['five']);
  expect(five.split('.')[0]).not.toBe(one.split('.')[0]);
  expect(five.split('.')[1]).toBe('5');
});

test('a client that saw an event which the power took is told, and gets all that came after', async () => {
  const [one = ''] = publish('one');
  const kept = bytes();
  const [two = ''] = publish('two');
  await cutPower(kept);
  expect(events.holds(1)).toBe(true);
  expect(events.holds(2)).toBe(false);
  publish('three');
  expect(events.holds(2)).toBe(false);
  expect(events.holds(events.last)).toBe(true);
  expect(events.stats().count).toBe(2);
  for (const cursor of [one, two]) expect(await after(cursor, 'three')).toEqual(['events_lost', 'three']);
  const [four = ''] = publish('four');
  publish('five');
  // Since then all is there.
  expect(await after(four, 'five')).toEqual(['five']);
});

test('a cursor of another journal, or of a time that this one does not have, is refused', async () => {
  publish('one');
  await events.close();
  cpSync(directory, join(root, 'copy'), { recursive: true });
  events = open();
  const [two = ''] = publish('two');
  const [three = ''] = publish('three');
  await events.close();
  directory = join(root, 'copy');
  events = open();
  publish('another two', 'another three', 'another four');
  for (const cursor of [two, three]) expect(subscribing(cursor)).toThrow("is not of this engine's events");
  const ahead = events.cursor.replace(/\d+$/, '1000');
  expect(subscribing(ahead)).toThrow('its data are not those that the cursor is of; list again');
  for (const wrong of ['1', 'x.1', '12345678.x', 'abcdefgh.-1', `${three}0000000000000000`]) {
    expect(subscribing(wrong)).toThrow('is no cursor of events');
  }
});

test('a cursor whose events are no longer kept is refused; one that has seen them is not', async () => {
  await events.close();
  events = open({ retention: () => ({ maxBytes: 32_000 }) });
  const [first = ''] = publish('first');
  publish(...Array.from({ length: 2_000 }, (_, n) => String(n)));
  expect(subscribing(first)).toThrow('are no longer kept: list again');
  const { cursor } = events;
  publish('last');
  expect(await after(cursor, 'last')).toEqual(['last']);
});

test('a journal of an engine that had no cursors gets them; a damaged list of epochs refuses old ones', async () => {
  const [one = ''] = publish('one');
  await events.close();
  for (const content of [undefined, '[{"id":1}]', 'torn']) {
    if (content === undefined) rmSync(join(directory, 'epochs.json'));
    else writeFileSync(join(directory, 'epochs.json'), content);
    events = open();
    expect(subscribing(one)).toThrow('list again');
    const { cursor } = events;
    publish('next');
    expect(await after(cursor, 'next')).toEqual(['next']);
    await events.close();
  }
  events = open();
});
