import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Engine, startEngine } from './support/engine.js';
import { testNeeding, uses } from './support/needs.js';
import { freePort } from './support/ports.js';

/** The slide that promised it: one run, seen through the events that it makes. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());
const test = testNeeding(uses.container);

interface Event {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  status?: string;
  id?: string;
  from?: string;
  time: number;
  timeNano: number;
}

async function eventsOf(work: () => Promise<unknown>): Promise<Event[]> {
  const since = Date.now() / 1000;
  await work();
  // The container is gone for the client before the last of its network is: give the journal its next second.
  await sleep(300);
  const { stdout } = await engine.docker(
    'events',
    '--since',
    since.toFixed(3),
    '--until',
    (Date.now() / 1000).toFixed(3),
    '--format',
    '{{json .}}',
  );
  return stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);
}

test('docker run --rm shows create, attach, network connect, start, die, network disconnect, destroy', async () => {
  const events = await eventsOf(async () => {
    const { code, stderr } = await engine.docker('run', '--rm', '--name', 'test', '--label', 'a=b', 'busybox', 'true');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
  expect(events.map((event) => `${event.Type} ${event.Action}`)).toEqual([
    'container create',
    'container attach',
    'network connect',
    'container start',
    'container die',
    'network disconnect',
    'container destroy',
  ]);
  const id = events[0]?.Actor.ID ?? '';
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  for (const event of events.filter(({ Type }) => Type === 'container')) {
    expect(event.Actor.ID).toBe(id);
    expect(event.Actor.Attributes).toMatchObject({ image: 'busybox', name: 'test', a: 'b' });
    expect(event).toMatchObject({ status: event.Action, id, from: 'busybox' });
  }
  expect(events.find(({ Action }) => Action === 'die')?.Actor.Attributes).toMatchObject({ exitCode: '0' });
  for (const event of events.filter(({ Type }) => Type === 'network')) {
    expect(event.Actor.Attributes).toEqual({ container: id, name: 'bridge', type: 'bridge' });
  }
});

test('a live listener sees the same order', async () => {
  const listener = spawn('docker', ['-H', `unix://${engine.socket}`, 'events', '--format', '{{.Type}} {{.Action}}'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let seen = '';
  listener.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    seen += chunk;
  });
  try {
    await sleep(500);
    await engine.docker('run', '--rm', 'busybox', 'sh', '-c', 'exit 3');
    await expect.poll(() => seen).toContain('container destroy');
  } finally {
    listener.kill();
  }
  expect(seen.trim().split('\n')).toEqual([
    'container create',
    'container attach',
    'network connect',
    'container start',
    'container die',
    'network disconnect',
    'container destroy',
  ]);
});

test('events with filters', async () => {
  const since = (Date.now() / 1000 - 1).toFixed(3);
  await engine.docker('run', '--name', 'filtered', '--label', 'tier=web', 'busybox', 'sh', '-c', 'exit 4');
  await engine.docker('rm', 'filtered');
  const until = (Date.now() / 1000 + 0.2).toFixed(3);
  const query = async (...filters: string[]): Promise<string[]> => {
    const flags = filters.flatMap((filter) => ['--filter', filter]);
    const { stdout } = await engine.docker(
      'events',
      '--since',
      since,
      '--until',
      until,
      '--format',
      '{{.Action}}',
      ...flags,
    );
    return stdout.trim().split('\n').filter(Boolean);
  };
  expect(await query('event=die', 'container=filtered')).toEqual(['die']);
  expect(await query('label=tier=web', 'event=start', 'event=destroy')).toEqual(['start', 'destroy']);
  expect(await query('label=tier=db')).toEqual([]);
  expect(await query('type=network', 'event=disconnect').then((actions) => actions.length)).toBeGreaterThan(0);
  const refused = await engine.docker('events', '--until', until, '--filter', 'colour=blue');
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("invalid filter 'colour'");
});

test('socat between the client and the engine, as on the slide', async () => {
  const port = await freePort();
  const socat = spawn(
    'socat',
    ['-v', '-t', '10', `TCP4-LISTEN:${port},bind=127.0.0.1,fork`, `UNIX-CLIENT:${engine.socket}`],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let wire = '';
  socat.stderr.setEncoding('latin1').on('data', (chunk: string) => {
    wire += chunk;
  });
  try {
    await sleep(300);
    const host = `tcp://127.0.0.1:${port}`;
    const { stdout, code } = await engine.dockerAt(host, 'run', '--rm', 'busybox', 'echo', 'through socat');
    expect({ stdout, code }).toEqual({ stdout: 'through socat\n', code: 0 });
    const old = await fetch(`http://127.0.0.1:${port}/v1.23/version`);
    expect(old.status).toBe(200);
    expect(await old.json()).toMatchObject({ Os: 'linux', ApiVersion: expect.stringMatching(/^1\.\d+$/) });
    expect(wire).toContain('GET /v1.23/version');
  } finally {
    socat.kill();
    await once(socat, 'exit');
  }
});
