import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nobody } from '@cleat/protocol/caller';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type Store } from '../store/index.js';
import { type Events, openEvents } from './index.js';

/** Engines that are killed between a record and the event that tells of it: two files. */

interface Engine extends AsyncDisposable {
  readonly store: Store;
  readonly events: Events;
}

let root: string;
let engines: number;

function start(directory: string, caller = nobody): Engine {
  const store = openStore(join(directory, 'store'), { reserve: 65_536 });
  const events = openEvents({ directory: join(directory, 'events'), log: silentLogger, store, caller: () => caller });
  return {
    store,
    events,
    async [Symbol.asyncDispose]() {
      await events.close();
      await store.close();
    },
  };
}

/** Copies the disk as a kill leaves it now. @returns where to */
function killed(directory: string): string {
  const left = join(root, `${++engines}`);
  cpSync(directory, left, { recursive: true });
  return left;
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cleat-untold-'));
  engines = 0;
});
afterEach(() => rmSync(root, { recursive: true }));

const make = ({ store, events }: Engine, name: string, between = () => {}) =>
  events.together(() => {
    events.publish({ type: 'volume', action: 'create', id: name, attributes: { driver: 'd' } });
    store.collection('things').put(name, { v: 1 });
    between();
  });

const names = ({ store }: Engine) =>
  store
    .collection('things')
    .entries()
    .map(([name]) => name);

/** The actors of all events after a cursor. */
async function told({ events }: Engine, cursor: string): Promise<string[]> {
  events.publish({ type: 'daemon', action: 'reload', id: 'end', attributes: {} });
  const ids: string[] = [];
  for await (const batch of events.subscribe({ cursor, filters: {}, signal: AbortSignal.timeout(5_000) })) {
    ids.push(...batch.map(({ Actor }) => Actor.ID));
    if (ids.at(-1) === 'end') break;
  }
  return ids.slice(0, -1);
}

test('an event comes once, wherever the engine was killed', async () => {
  const directory = join(root, 'data');
  let left = '';
  let cursor: string;
  {
    await using engine = start(directory);
    make(engine, 'before');
    cursor = engine.events.cursor;
    make(engine, 'made', () => {
      left = killed(directory);
    });
  }
  {
    await using engine = start(left);
    expect(names(engine)).toEqual(['before', 'made']);
    const again = killed(left);
    expect(await told(engine, cursor)).toEqual(['made']);
    await using third = start(again);
    expect(await told(third, cursor)).toEqual(['made']);
  }
  await using next = start(directory);
  expect(await told(next, cursor)).toEqual(['made']);
});

test('its time, its attributes and its client are those of when it happened', async () => {
  const directory = join(root, 'data');
  let left = '';
  await using engine = start(directory, { Method: 'TLS', User: 'alice' });
  const at = new Date(Date.now() + 1_000);
  engine.events.together(() => {
    engine.events.publish({ type: 'image', action: 'delete', id: 'i', attributes: { name: 'n' }, at });
    engine.store.collection('things').delete('i');
    left = killed(directory);
  });
  await using next = start(left);
  const past = { since: 0, until: at.getTime() / 1000 + 1, filters: {}, signal: AbortSignal.timeout(5_000) };
  const [event] = (await next.events.subscribe(past)[Symbol.asyncIterator]().next()).value;
  expect(event).toMatchObject({
    Type: 'image',
    Action: 'delete',
    Actor: { ID: 'i', Attributes: { name: 'n' } },
    timeNano: BigInt(at.getTime()) * 1_000_000n,
    Caller: { Method: 'TLS', User: 'alice' },
  });
});

test('several events: those that were not told yet, in their order', async () => {
  const directory = join(root, 'data');
  await using engine = start(directory);
  const { store, events } = engine;
  const { cursor } = events;
  const publish = (id: string) => events.publish({ type: 'container', action: 'oom', id, attributes: {} });
  events.together(() =>
    store.transaction(() => {
      publish('one');
      store.collection('things').put('a', { v: 1 });
      events.together(() => publish('two'));
      store.collection('things').put('b', { v: 1 });
      expect(events.next).toBe(3);
      publish('three');
    }),
  );
  const left = killed(directory);
  const journal = join(left, 'events/0000000000000001.jsonl');
  writeFileSync(journal, readFileSync(journal, 'utf8').split('\n').slice(0, 1).join('\n').concat('\n'));
  await using next = start(left);
  expect(names(next)).toEqual(['a', 'b']);
  expect(await told(next, cursor)).toEqual(['one', 'two', 'three']);
  expect(await told(engine, cursor)).toEqual(['one', 'two', 'three']);
});

test('nothing is told of what came to nothing', async () => {
  const directory = join(root, 'data');
  let cursor: string;
  {
    await using engine = start(directory);
    cursor = engine.events.cursor;
    const fails = () => {
      throw new Error('no room');
    };
    expect(() => engine.events.together(() => engine.store.transaction(() => make(engine, 'x', fails)))).toThrow(
      'no room',
    );
    engine.store.collection('things').put('y', { v: 1 });
    expect(await told(engine, cursor)).toEqual([]);
  }
  await using next = start(directory);
  expect(names(next)).toEqual(['y']);
  expect(await told(next, cursor)).toEqual(['end']);
});
