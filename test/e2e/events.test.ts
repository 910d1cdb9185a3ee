import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { eventTable } from './support/event-table.js';
import { managedPlugin } from './support/managed-plugin.js';
import { Registry } from './support/registry.js';

interface Told {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  Cursor: string;
  timeNano: number;
}

let engine: Engine;
let registry: Registry;
const { ok, refused } = clientOf(() => engine);
beforeAll(async () => {
  [engine, registry] = await Promise.all([startEngine({ config: {} }), Registry.start()]);
});
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});

/** An answer of `GET /events`, read as it comes. */
async function following(query: string, accept?: string) {
  const headers = accept === undefined ? {} : { accept };
  const sent = request({ socketPath: engine.socket, path: `/events?${query}`, headers }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const events: Told[] = [];
  response.setEncoding('utf8').on('error', () => {});
  let rest = '';
  response.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    events.push(...lines.map((line) => JSON.parse(line.replace('\x1e', '')) as Told));
  });
  const cursor = response.headers['cleat-events-cursor'];
  return { response, events, cursor: String(cursor), end: () => response.destroy() };
}

/** All events so far, in API versions that leave nothing out. */
async function allSince(cursor: string): Promise<Told[]> {
  const until = (Date.now() / 1000 + 0.001).toFixed(3);
  const { body } = await engine.api('GET', `/events?cursor=${cursor}&until=${until}`);
  return body.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Told]));
}

/** Types the detach key as soon as it is attached. Of today's clients most look for the keys themselves. */
async function detached(path: string, body = ''): Promise<void> {
  const socket = connect(engine.socket);
  socket.on('error', () => {}).resume();
  const ended = once(socket, 'close');
  const head = ['Host: d', 'Connection: Upgrade', 'Upgrade: tcp', 'Content-Type: application/json'];
  socket.write(`POST ${path} HTTP/1.1\r\n${head.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await once(socket, 'data');
  socket.write('x');
  await ended;
}

const now = async () => String((await engine.api('GET', '/networks')).headers['cleat-events-cursor']);
const text = ({ Type, Action, Actor }: Told) => `${Type} ${Action} ${Actor.Attributes.name ?? Actor.ID}`;

test('every event of Docker’s is told, with its attributes', async () => {
  const begin = await now();
  const { directory } = engine;
  const run = (...args: string[]) => ok('run', '-d', '--network=none', ...args);
  const shell = ['sh', '-c', 'trap : USR1; while :; do sleep 0.1; done'];
  const containers = async () => {
    await run('--name=ab', '--label=mine=1', 'busybox', ...shell);
    await ok('exec', 'ab', 'true');
    await Promise.all([ok('top', 'ab'), ok('update', '--cpu-shares=64', 'ab'), ok('kill', '--signal=USR1', 'ab')]);
    await ok('pause', 'ab');
    await ok('unpause', 'ab');
    await Promise.all([ok('cp', 'ab:/bin', directory), ok('export', '-o', join(directory, 'tar'), 'ab')]);
    await ok('cp', join(directory, 'tar'), 'ab:/tmp');
    await ok('commit', 'ab');
    await ok('rename', 'ab', 'bc');
    await ok('restart', '-t0', 'bc');
    await ok('stop', '-t0', 'bc');
    await ok('rm', 'bc');
    await ok('import', join(directory, 'tar'), 'imported');
    await ok('rmi', 'imported');
  };
  const terminals = async () => {
    await run('-it', '--name=tt', 'busybox', 'sh');
    await detached('/containers/tt/attach?stream=1&stdin=1&stdout=1&detachKeys=x');
    const exec = { AttachStdin: true, AttachStdout: true, Tty: true, DetachKeys: 'x', Cmd: ['sh'] };
    const { Id } = JSON.parse((await engine.api('POST', '/containers/tt/exec', exec)).body) as { Id: string };
    await detached(`/exec/${Id}/start`, '{"Tty":true}');
    await engine.api('POST', '/containers/tt/resize?h=30&w=90');
    await ok('rm', '-f', 'tt');
  };
  const ends = async () => {
    const grow = 'x=a; while :; do x=$x$x; done';
    await run('--name=oo', '--memory=8m', 'busybox', 'sh', '-c', grow);
    await run('--name=hh', '--health-cmd=true', '--health-interval=100ms', 'busybox', 'sleep', '99');
    await ok('wait', 'oo');
    await expect.poll(async () => await ok('inspect', '-f', '{{.State.Health.Status}}', 'hh')).toBe('healthy');
    await ok('rm', '-f', 'oo', 'hh');
  };
  const others = async () => {
    await ok('volume', 'create', 'vv');
    await ok('network', 'create', 'nn');
    await ok('run', '--rm', '--network=nn', '-v=vv:/v', 'busybox', 'true');
    await Promise.all([ok('network', 'rm', 'nn'), ok('volume', 'rm', 'vv')]);
    await ok('save', '-o', join(directory, 'saved'), 'busybox');
    await ok('load', '-i', join(directory, 'saved'));
    const name = `${registry.host}/one`;
    await ok('tag', 'busybox', name);
    await ok('push', name);
    await ok('pull', name);
    await ok('rmi', name);
  };
  const plugins = async () => {
    const name = `${registry.host}/plugin`;
    await ok('plugin', 'create', name, managedPlugin(directory));
    await ok('plugin', 'push', name);
    await ok('plugin', 'rm', name);
    await ok('plugin', 'install', '--grant-all-permissions', name);
    await ok('plugin', 'disable', name);
    await ok('plugin', 'rm', name);
  };
  await Promise.all([containers(), terminals(), ends(), others(), plugins()]);
  for (const what of ['container', 'volume', 'network', 'image', 'builder']) await ok(what, 'prune', '-f');
  writeFileSync(join(directory, 'daemon.json'), '{"labels": ["x=y"]}');
  process.kill(engine.pid, 'SIGHUP');
  const reloaded = await following(`cursor=${begin}&filters={"event":["reload"]}`);
  await expect.poll(() => reloaded.events.length).toBe(1);
  reloaded.end();

  const told: Record<string, string[]> = {};
  const events = await allSince(begin);
  for (const { Type, Action, Actor } of events) {
    const keys = Object.keys(Actor.Attributes).filter((key) => key !== 'mine');
    const shown = Action === 'reload' ? [...keys.filter((key) => key === 'name'), '…'] : keys;
    told[`${Type} ${Action.replace(/:.*/, '')}`] ??= shown.sort();
  }
  expect(told).toEqual(
    Object.fromEntries(Object.entries(eventTable).map(([action, keys]) => [action, [...keys].sort()])),
  );
  expect(events.filter(({ Action }) => Action.startsWith('exec_create')).map(({ Action }) => Action)).toContain(
    'exec_create: true ',
  );
  expect(events.find(({ Action }) => Action === 'rename')?.Actor.Attributes).toMatchObject({ mine: '1', name: 'bc' });
});

test('a reader that comes back with a cursor gets each event once, over a stop and a kill of the engine', async () => {
  const first = await following('filters={"type":["volume"]}');
  const seen: Told[] = [];
  let cursor = first.cursor;
  const read = async (last: string, stream = following(`cursor=${cursor}&filters={"type":["volume"]}`)) => {
    const { events, end } = await stream;
    await expect.poll(() => events.map(text).at(-1)).toBe(`volume create ${last}`);
    end();
    seen.push(...events);
    cursor = events.at(-1)?.Cursor ?? '';
  };
  const create = (name: string) => engine.api('POST', '/volumes/create', { Name: name });
  await create('v1');
  await read('v1', Promise.resolve(first));
  await create('v2');
  await engine.kill('SIGKILL');
  await engine.restart();
  await create('v3');
  await read('v3');
  await create('v4');
  await engine.kill('SIGTERM');
  await engine.restart();
  // Before this engine has told anything.
  await read('v4');
  await create('v5');
  await read('v5');
  expect(seen.map(text)).toEqual([1, 2, 3, 4, 5].map((n) => `volume create v${n}`));
  expect(new Set(seen.map(({ Cursor }) => Cursor)).size).toBe(5);
  // The CLI of any age knows nothing of it, and is not troubled.
  const until = String(Date.now() / 1000);
  expect(await ok('events', '--since=1h', '--until', until, '--filter=volume=v5')).toContain('volume create v5');
  for (const n of [1, 2, 3, 4, 5]) await engine.api('DELETE', `/volumes/v${n}`);
});

test('a cursor is refused where it cannot be kept, so that its owner lists again', async () => {
  const ask = async (query: string) => {
    const { status, body } = await engine.api('GET', `/events?${query}`);
    return `${status} ${body}`;
  };
  expect(await ask('cursor=AAAAAAAA.17')).toMatch(/^410 .*not of this engine's events, or too old: list again/);
  expect(await ask('cursor=17')).toMatch(/^400 .*'17' is no cursor of events/);
  expect(await ask(`cursor=${await now()}&since=1`)).toMatch(/^400 .*give one of them/);
  const later = (await now()).replace(/\d+$/, '999999999');
  expect(await ask(`cursor=${later}`)).toMatch(/^410 /);
});

test('a list and the events after its cursor miss nothing', async () => {
  const at = {
    containers: '/containers/json?all=1',
    networks: '/networks',
    volumes: '/volumes',
    images: '/images/json',
  };
  /** The IDs in a list, and its cursor. */
  const look = async (kind: keyof typeof at) => {
    const { headers, body } = await engine.api('GET', at[kind]);
    const answer = JSON.parse(body) as object;
    const rows = ('Volumes' in answer ? answer.Volumes : answer) as Record<string, string>[];
    return { cursor: String(headers['cleat-events-cursor']), ids: rows.map((row) => row.Id ?? row.Name ?? '') };
  };
  const looks: { kind: keyof typeof at; look: Awaited<ReturnType<typeof look>> }[] = [];
  let busy = true;
  const looking = Promise.all(
    (Object.keys(at) as (keyof typeof at)[]).map(async (kind) => {
      while (busy) looks.push({ kind, look: await look(kind) });
    }),
  );
  const begin = await now();
  await Promise.all(
    Array.from({ length: 5 }, async (_, n) => {
      const body = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
      await Promise.all([
        engine.api('POST', '/volumes/create', { Name: `race${n}` }),
        engine.api('POST', '/networks/create', { Name: `race${n}` }),
        engine.api('POST', `/containers/create?name=race${n}`, body),
      ]);
      await Promise.all([
        engine.api('DELETE', `/volumes/race${n}`),
        engine.api('DELETE', `/networks/race${n}`),
        engine.api('POST', `/commit?container=race${n}&repo=race${n}`),
      ]);
      await Promise.all([engine.api('DELETE', `/images/race${n}`), engine.api('DELETE', `/containers/race${n}`)]);
    }),
  );
  busy = false;
  await looking;
  const events = await allSince(begin);
  const place = new Map(events.map(({ Cursor }, index) => [Cursor, index + 1]));
  const inTheEnd = new Map<string, string[]>();
  for (const kind of Object.keys(at) as (keyof typeof at)[]) inTheEnd.set(kind, (await look(kind)).ids.sort());
  const wrong: string[] = [];
  for (const { kind, look } of looks) {
    const rest = events.slice(place.get(look.cursor) ?? 0);
    const there = new Set(look.ids);
    for (const { Type, Action, Actor } of rest) {
      if (`${Type}s` !== kind) continue;
      if (Action === 'create' || Action === 'tag') there.add(Actor.ID);
      if (Action === 'destroy' || Action === 'delete') there.delete(Actor.ID);
    }
    const isRight = JSON.stringify([...there].sort()) === JSON.stringify(inTheEnd.get(kind));
    if (!isRight) wrong.push(`${kind} at ${look.cursor}`);
  }
  expect(looks.length).toBeGreaterThan(20);
  expect(wrong).toEqual([]);
});

test.each([
  ['application/json', /^application\/json$/],
  ['application/x-ndjson', /^application\/x-ndjson$/],
  ['application/jsonl', /^application\/jsonl$/],
  ['application/json-seq', /^application\/json-seq$/],
])('a client that asks for %s gets it', async (accept, type) => {
  const { response, events, end } = await following('', accept);
  expect(response.headers['content-type']).toMatch(type);
  await engine.api('POST', '/volumes/create', { Name: 'typed' });
  await engine.api('DELETE', '/volumes/typed');
  await expect.poll(() => events.map(text)).toEqual(['volume create typed', 'volume destroy typed']);
  end();
});

test('the journal has a bound, which SIGHUP may change', async () => {
  const begin = await now();
  writeFileSync(join(engine.directory, 'daemon.json'), '{"events-max-size": "64k"}');
  process.kill(engine.pid, 'SIGHUP');
  await expect.poll(() => engine.log()).toContain('"eventsMaxBytes":65536');
  const body = { Image: 'busybox', Cmd: ['true'], Labels: { large: 'x'.repeat(40_000) } };
  for (let n = 0; n < 4; n++) {
    await engine.api('POST', '/containers/create?name=large', body);
    await engine.api('DELETE', '/containers/large');
  }
  expect((await engine.api('GET', `/events?cursor=${begin}`)).status).toBe(410);
  expect((await engine.api('GET', `/events?until=${Date.now() / 1000}`)).body.length).toBeLessThan(200_000);
  expect(await refused('events', '--filter=colour=red')).toContain('invalid filter');
});
