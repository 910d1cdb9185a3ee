import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine } from './engine.js';
import { FakeEngine } from './fake-engine.fixture.js';
import { type Change, type WatchOptions, watch } from './watcher.js';

let engine: FakeEngine;
let directory: string;
let stop: AbortController;
beforeEach(async () => {
  engine = await new FakeEngine().listen();
  directory = mkdtempSync('/tmp/cleat-watch-');
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await engine[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const inWords = (change: Change) => {
  if (change.type === 'synced') return 'synced';
  const by = change.event ? ` by ${change.event.Action}` : '';
  return `${change.type} ${change.id}${by}`;
};

function watching(options: Partial<WatchOptions> = {}) {
  const told: string[] = [];
  const changes: Change[] = [];
  const own = new AbortController();
  const signal = AbortSignal.any([stop.signal, own.signal]);
  const watched = watch(new Engine(engine.address, { deadlineMs: 300 }), { containers: true, signal, ...options });
  const follow = async () => {
    for await (const change of watched) {
      changes.push(change);
      told.push(inWords(change));
    }
  };
  const ended = follow();
  ended.catch(() => {}); // Looked at where it matters.
  const states = () =>
    [...watched.picture.container].map(([id, { object }]) => `${id} ${object.State}`).sort((a, b) => (a < b ? -1 : 1));
  const end = async () => {
    own.abort();
    await ended;
  };
  return { told, changes, ended, end, states };
}

test('tells what is there, then what changes, with the event that told of it', async () => {
  engine.set('a', 'running', { silently: true });
  const { told, changes, states } = watching();
  await expect.poll(() => told).toEqual(['added a', 'synced']);
  engine.set('b', 'created');
  await expect.poll(() => told.at(-1)).toBe('added b by create');
  engine.set('b', 'running');
  await expect.poll(() => told.at(-1)).toBe('changed b by start');
  engine.tell('exec_create: sh', 'b');
  engine.set('a', undefined);
  await expect.poll(() => told.at(-1)).toBe('removed a by destroy');
  expect(told).toHaveLength(5);
  expect(states()).toEqual(['b running']);
  expect(changes[3]).toMatchObject({ before: { State: 'created' }, object: { State: 'running', Names: ['/b'] } });
});

test('a change between subscribing and listing is told once', async () => {
  let listed = false;
  engine.on('/containers/json', (_query, response) => {
    const rows = [...engine.containers.values()];
    if (!listed) engine.set('late', 'running');
    listed = true;
    response.end(JSON.stringify(rows));
  });
  const { told, states } = watching();
  await expect.poll(() => told).toEqual(['synced', 'added late by create']);
  expect(engine.paths.indexOf('/events')).toBeLessThan(engine.paths.indexOf('/containers/json'));
  expect(states()).toEqual(['late running']);
});

test('a change that an engine shows a moment after it told of it is seen', async () => {
  const { told, states } = watching();
  await expect.poll(() => told).toEqual(['synced']);
  engine.set('a', 'created');
  await expect.poll(() => told.at(-1)).toBe('added a by create');
  const asked = engine.asked.length;
  engine.tell('start', 'a');
  await expect.poll(() => engine.asked.length).toBeGreaterThan(asked);
  engine.set('a', 'running', { silently: true });
  await expect.poll(states).toEqual(['a running']);
});

test('an engine that died and forgot is listed again; what is new, other and gone is told', async () => {
  for (const id of ['gone', 'other', 'same']) engine.set(id, 'running');
  const { told, states } = watching();
  await expect.poll(() => told.at(-1)).toBe('synced');
  await engine.die();
  engine.set('gone', undefined);
  engine.set('other', 'exited');
  engine.set('new', 'running');
  engine.history = [];
  await engine.listen();
  // Each connection is followed by a list, and on a busy machine a first one may break: a list without news tells no more.
  const news = () => told.slice(4).filter((one, at, all) => one !== 'synced' || all[at - 1] !== 'synced');
  await expect
    .poll(news)
    .toEqual([
      expect.stringMatching(/^removed gone/),
      expect.stringMatching(/^changed other/),
      expect.stringMatching(/^added new/),
      'synced',
    ]);
  expect(states()).toEqual(['new running', 'other exited', 'same running']);
});

test('an engine that has cursors is not listed again for a connection that broke', async () => {
  engine.journal = 'one';
  const { told, states } = watching();
  await expect.poll(() => told).toEqual(['synced']);
  engine.set('a', 'running');
  await expect.poll(() => told.at(-1)).toBe('added a by create');
  const lists = () => engine.asked.filter((path) => path === '/containers/json?all=1').length;
  expect(lists()).toBe(1);
  await engine.die();
  engine.set('b', 'running');
  await engine.listen();
  await expect.poll(states).toEqual(['a running', 'b running']);
  expect(lists()).toBe(1);
  await engine.die({ forget: true });
  engine.set('a', undefined, { silently: true });
  await engine.listen();
  await expect.poll(states).toEqual(['b running']);
});

test('a consumer that is slow costs one entry per object, and then a list', async () => {
  const watched = watch(new Engine(engine.address), { containers: true, signal: stop.signal });
  const changes = watched[Symbol.asyncIterator]();
  expect(await changes.next()).toEqual({ done: false, value: { type: 'synced' } });
  for (let n = 0; n < 3_000; n++) engine.set(`c${n}`, 'running', { silently: n % 2 === 0 });
  for (let n = 0; n < 2_000; n++) engine.set('busy', n % 2 === 0 ? 'running' : 'exited');
  for (let taken = 0; taken < 3_001; taken++) {
    const { value } = await changes.next();
    expect(value?.type).toBe('added');
  }
  expect(watched.picture.container.size).toBe(3_001);
  expect(engine.asked.filter((target) => target.includes('filters=%7B%22id')).length).toBeLessThan(1_100);
  await changes.return?.();
  await expect(watched[Symbol.asyncIterator]().next()).rejects.toThrow('iterated once');
});

test('a later process is told what happened in between, and a change that was not dealt with again', async () => {
  const state = join(directory, 'state');
  for (const id of ['gone', 'other', 'same']) engine.set(id, 'running');
  const first = watching({ state });
  await expect.poll(() => first.told.at(-1)).toBe('synced');
  await first.end();
  engine.set('gone', undefined);
  engine.set('other', 'exited');
  const second = watching({ state });
  await expect.poll(() => second.told.at(-1)).toBe('synced');
  expect(second.told).toEqual([
    expect.stringMatching(/^removed gone/),
    expect.stringMatching(/^changed other/),
    'synced',
  ]);
  expect(second.changes[0]).toMatchObject({ object: { Names: ['/gone'] } });
  expect(second.states()).toEqual(['other exited', 'same running']);
  await second.end();

  engine.set('same', undefined);
  const third = watch(new Engine(engine.address), { containers: true, state, signal: stop.signal });
  // It leaves before the change counts as dealt with.
  for await (const change of third) {
    expect(inWords(change)).toMatch(/^removed same/);
    break;
  }
  const fourth = watching({ state });
  await expect.poll(() => fourth.told.at(-1)).toBe('synced');
  expect(fourth.told[0]).toMatch(/^removed same/);
});

test('with inspect, one that goes before it can be asked for was never there', async () => {
  const inspected = (id: string) => (_query: URLSearchParams, response: { end(text: string): void }) =>
    response.end(JSON.stringify({ Id: id, State: { StartedAt: id, Health: { Log: [Math.random()] } } }));
  engine.on('/containers/a/json', inspected('a'));
  engine.set('a', 'running');
  engine.set('fleeting', 'running');
  const { told, changes } = watching({ inspect: true, relistMs: 50 });
  await expect.poll(() => told.filter((text) => text === 'synced').length).toBeGreaterThan(2);
  expect(told.filter((text) => text !== 'synced')).toEqual([expect.stringMatching(/^added a/)]);
  expect(changes[0]).toMatchObject({ inspect: { State: { StartedAt: 'a' } } });
  engine.on('/containers/a/json', inspected('b'));
  await expect.poll(() => told.filter((text) => text === 'changed a')).toHaveLength(1);
});

test('a list that fails, hangs, or is none is asked for again', async () => {
  const list = (text: string) => engine.on('/containers/json', (_query, response) => response.end(text));
  engine.hangs = '/containers';
  const { told } = watching();
  const asked = () => engine.paths.filter((path) => path === '/containers/json').length;
  const again = async () => {
    const before = asked();
    await expect.poll(asked).toBeGreaterThan(before);
  };
  await again();
  engine.hangs = undefined;
  for (const text of ['{"message":"no list"}', '[{"id":5}]', '[null]', '<html>']) {
    list(text);
    await again();
  }
  list('[{"Id":"a","State":"running"}]');
  await expect.poll(() => told).toEqual(['added a', 'synced']);
});

test('time that goes by and the order of lists are no change', async () => {
  const list = (row: object) =>
    engine.on('/containers/json', (_query, response) => response.end(JSON.stringify([{ Id: 'a', ...row }])));
  list({ Status: 'Up 3 seconds (healthy)', Ports: [{ PrivatePort: 1 }, { PrivatePort: 2 }] });
  const { told } = watching({ relistMs: 50 });
  await expect.poll(() => told).toContain('synced');
  list({ Status: 'Up 4 seconds (healthy)', Ports: [{ PrivatePort: 2 }, { PrivatePort: 1 }] });
  const before = told.length;
  await expect.poll(() => told.length).toBeGreaterThan(before + 2);
  expect(told.filter((text) => text !== 'synced')).toEqual(['added a']);
  list({ Status: 'Up 5 seconds (unhealthy)', Ports: [] });
  await expect.poll(() => told.filter((text) => text !== 'synced')).toEqual(['added a', 'changed a']);
});

test('nothing to watch, and filters that the engine refuses, are errors', async () => {
  expect(() => watch(new Engine(engine.address), {})).toThrow('say what to watch');
  engine.on('/containers/json', (_query, response) => {
    response.writeHead(400, { 'Content-Type': 'application/json' }).end('{"message":"invalid filter"}');
  });
  const { ended } = watching({ containers: { colour: ['red'] } });
  await expect(ended).rejects.toThrow('the engine refused /containers/json: invalid filter');
});
