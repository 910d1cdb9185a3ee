import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { Engine as Api, type Change, events, watch } from '@cleat/sdk/watch';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { Cable } from './support/cable.js';
import { makeCertificates } from './support/certificates.js';
import { docker } from './support/docker.js';
import { startEngine } from './support/engine.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** An engine that can crash, watched through a cable that can be cut. */
interface Watched extends AsyncDisposable {
  readonly socket: string;
  kill(): Promise<unknown>;
  restart(): Promise<void>;
}

const engines = {
  async Cleat(): Promise<Watched> {
    const engine = await startEngine();
    return Object.assign(Object.create(engine) as typeof engine, {
      kill: () => engine.kill('SIGKILL'),
      restart: () => engine.restart(),
      [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
    });
  },
  async 'a stock dockerd'(): Promise<Watched> {
    return await StockDockerd.start();
  },
};

let directory: string;
let engine: Watched;
let cable: Cable;
let stop: AbortController;
beforeEach(async () => {
  directory = await mkdtemp('/tmp/cleat-watch-');
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await cable?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await docker(`unix://${engine.socket}`, join(directory, 'docker'), args);
  expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
  return stdout.trim();
}

const run = (name: string, ...command: string[]) =>
  ok('run', '-d', '--name', name, '--network=none', 'busybox', ...command);

/** As `docker ps -a` says it: name and state. */
const listed = async () =>
  (await ok('ps', '-a', '--format', '{{.Names}} {{.State}}')).split('\n').filter(Boolean).sort();

/** Follows the picture through the cable. */
function watching({ state, volumes }: { state?: string; volumes?: true } = {}) {
  const changes: Change[] = [];
  const own = new AbortController();
  const watched = watch(new Api(`unix://${directory}/cable.sock`), {
    containers: true,
    volumes,
    inspect: true,
    state,
    signal: AbortSignal.any([stop.signal, own.signal]),
  });
  const follow = async () => {
    for await (const change of watched) changes.push(change);
  };
  const ended = follow();
  const picture = () =>
    [...watched.picture.container.values()].map(({ object }) => `${object.Names[0]?.slice(1)} ${object.State}`).sort();
  const told = (name: string) =>
    changes.flatMap((change) => (change.type !== 'synced' && nameOf(change) === name ? [change.type] : []));
  const end = async () => {
    own.abort();
    await ended;
  };
  return { changes, watched, picture, told, end, ended };
}

const nameOf = (change: Exclude<Change, { type: 'synced' }>) =>
  change.kind === 'container' ? change.object.Names[0]?.slice(1) : change.id;

/** Its events, as `action name`, and where there may be holes. */
function reading() {
  const told: string[] = [];
  const follow = async () => {
    for await (const item of events(new Api(`unix://${directory}/cable.sock`), { signal: stop.signal })) {
      if (item.type === 'subscribed') told.push(item.gap === undefined ? 'subscribed' : 'gap');
      else told.push(`${item.event.Action} ${item.event.Actor.Attributes.name ?? item.event.Actor.ID}`);
    }
  };
  const ended = follow();
  return { told, ended };
}

/** More events than a dockerd remembers, faster than `docker` tells them. */
async function manyEvents(container: string): Promise<void> {
  for (let n = 0; n < 300; n++) {
    const path = `/containers/${container}/rename?name=many${n}`;
    const sent = request({
      socketPath: engine.socket,
      method: 'POST',
      path,
      signal: AbortSignal.timeout(60_000),
    }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    for await (const _ of response); // To its end.
    expect(response.statusCode).toBe(204);
  }
}

const installed = Object.keys(engines).filter((name) => name === 'Cleat' || stockDockerdInstalled);

describe.each(installed as (keyof typeof engines)[])('on %s', (name) => {
  beforeEach(async () => {
    engine = await engines[name]();
    cable = await new Cable(join(directory, 'cable.sock'), engine.socket).mend();
    const tar = await busyboxTar();
    const imported = await docker(`unix://${engine.socket}`, directory, ['import', '-', 'busybox', { input: tar }]);
    expect(imported).toMatchObject({ code: 0 });
  });
  afterEach(async () => {
    // A dockerd that must stop them takes longer than it is given.
    const ids = (await ok('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await ok('rm', '-f', ...ids);
  });
  const remembers = name === 'Cleat';

  test('the picture stays that of docker ps when something breaks', async () => {
    await ok('create', '--name=before', '--network=none', 'busybox', 'true');
    const { picture, told, changes, ended } = watching();
    const reader = reading();
    const agrees = async () => {
      // Both move until the engine is at rest.
      await expect.poll(async () => JSON.stringify(await listed()) === JSON.stringify(picture())).toBe(true);
      return picture();
    };
    expect(await agrees()).toEqual(['before created']);

    await run('sleeper', 'sleep', '1000');
    await run('short', 'true');
    await expect.poll(agrees).toEqual(['before created', 'short exited', 'sleeper running']);
    await ok('stop', '-t0', 'sleeper');
    await ok('rm', 'before');
    await ok('rename', 'short', 'renamed');
    await expect.poll(agrees).toEqual(['renamed exited', 'sleeper exited']);
    await expect.poll(() => told('before').at(-1)).toBe('removed');
    expect(told('before')[0]).toBe('added');
    const stopped = changes.findLast((change) => change.type === 'changed' && nameOf(change) === 'sleeper');
    expect(stopped).toMatchObject({ inspect: { State: { Status: 'exited', ExitCode: 137 } } });

    await cable.cut();
    await ok('start', 'sleeper');
    await ok('rm', 'renamed');
    await run('unseen', 'sleep', '1000');
    await cable.mend();
    await expect.poll(agrees).toEqual(['sleeper running', 'unseen running']);
    await expect.poll(() => told('renamed')).toContain('removed');
    await expect.poll(() => reader.told.at(-1)).toBe('start unseen');
    expect(reader.told.filter((text) => text === 'create unseen')).toHaveLength(1);
    expect(reader.told).not.toContain('gap');

    await cable.cut();
    const many = await ok('create', '--network=none', 'busybox', 'true');
    await ok('rm', '-f', 'unseen');
    await manyEvents(many);
    await cable.mend();
    await expect.poll(agrees).toEqual(['many299 created', 'sleeper running']);
    await expect.poll(() => told('unseen')).toEqual(expect.arrayContaining(['added', 'removed']));
    await expect.poll(() => told('many299')).toContain('added');
    await expect.poll(() => reader.told.at(-1)).toBe('rename many299');
    expect(reader.told.includes('gap')).toBe(!remembers);
    expect(reader.told.includes('destroy unseen')).toBe(remembers);

    await ok('rm', many);
    await engine.kill();
    await engine.restart();
    const state = remembers ? 'running' : 'exited';
    await expect.poll(agrees).toEqual([`sleeper ${state}`]);
    const last = () => reader.told.findLast((text) => /^(subscribed|gap)$/.test(text));
    await expect.poll(last).toBe(remembers ? 'subscribed' : 'gap');
    await run('after', 'true');
    await expect.poll(agrees).toEqual(['after exited', `sleeper ${state}`]);
    await ok('rm', '-f', 'after', 'sleeper');
    await expect.poll(agrees).toEqual([]);
    stop.abort();
    await Promise.all([ended, reader.ended]);
  });

  test('a watcher that was away is told what came, changed and went', async () => {
    const state = join(directory, 'state');
    for (const each of ['gone', 'other', 'same']) await ok('create', `--name=${each}`, 'busybox', 'true');
    const first = watching({ state, volumes: true });
    await expect.poll(() => first.changes.at(-1)?.type).toBe('synced');
    await first.end();
    await ok('rename', 'other', 'another');
    await ok('rm', 'gone');
    await engine.kill();
    await engine.restart();
    await ok('volume', 'create', 'new');
    const second = watching({ state, volumes: true });
    await expect.poll(() => second.changes.at(-1)?.type).toBe('synced');
    const told = second.changes.flatMap((change) =>
      change.type === 'synced' ? [] : [`${change.type} ${nameOf(change)}`],
    );
    expect(told).toEqual(['removed gone', 'changed another', 'added new']);
    await expect.poll(async () => second.picture()).toEqual(await listed());
  });
});

test('over TLS, with Docker’s own settings; a certificate that does not fit is an error at once', async () => {
  const certificates = await makeCertificates(directory, ['alice']);
  const started = await startEngine({ flags: [...certificates.daemonFlags] });
  engine = {
    socket: started.socket,
    kill: () => started.kill('SIGKILL'),
    restart: () => started.restart(),
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
  const pem = (what: 'key' | 'cert' | 'cacert') => readFileSync(certificates.file('alice', what), 'utf8');
  const tls = { ca: pem('cacert'), cert: pem('cert'), key: pem('key') };
  const names: string[] = [];
  for await (const change of watch(new Api(certificates.host, { tls }), { images: true, signal: stop.signal })) {
    if (change.type === 'synced') break;
    if (change.kind === 'image') names.push(...change.object.RepoTags);
  }
  expect(names).toEqual(['busybox:latest']);
  const follow = async (settings: object) => {
    for await (const item of events(new Api(certificates.host, { tls: settings }), { signal: stop.signal }))
      return item;
    return undefined;
  };
  await expect(follow({ ca: tls.ca })).rejects.toThrow('no TLS with the engine');
  await expect(follow({ cert: tls.cert, key: tls.key })).rejects.toThrow('check the certificates');
});
