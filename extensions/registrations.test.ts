import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkKind } from '@cleat/protocol/kinds/network';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { emptyRegistry, FakeSource } from './fakes.fixture.js';
import type { Extensions, Registration } from './service.js';

let extensions: Extensions;
beforeEach(() => {
  extensions = emptyRegistry();
});
afterEach(() => extensions.close());

const of = (source: FakeSource, more: Partial<Registration> = {}): Registration => ({
  name: 'me/vol:latest',
  aliases: ['me/vol'],
  kinds: ['VolumeDriver'],
  origin: 'a test',
  source,
  ...more,
});
const named = (name: string, more: Partial<Registration> = {}) => of(new FakeSource(), { name, aliases: [], ...more });
const says = (mountpoint: string) => new FakeSource(() => JSON.stringify({ Mountpoint: mountpoint }));
const path = async (name: string, within = extensions) =>
  (await (await within.get(volumeKind, name)).Path({ Name: 'v' })).Mountpoint;
const status = (name: string) => extensions.list().find((one) => one.name === name);

describe('an extension that is registered', () => {
  test('is found by its names, listed, and ready without a call', async () => {
    const states: string[] = [];
    extensions.onChange(({ name, state }) => states.push(`${name} ${state}`));
    const source = says('/m');
    const registered = extensions.register(of(source, { deadlines: { '*': 5 } }));
    expect(source.started).toBe(1);
    await registered.activated();
    expect(states).toEqual(['discovered', 'activating', 'active'].map((state) => `me/vol:latest ${state}`));
    for (const name of ['me/vol:latest', 'me/vol']) expect(await path(name)).toBe('/m');
    for (const name of ['me/vol:latest', 'me/vol', 'other']) {
      expect(extensions.nameOf('VolumeDriver', name)).toBe(name === 'other' ? name : 'me/vol:latest');
    }
    expect(extensions.names(volumeKind)).toEqual(['me/vol:latest']);
    expect(extensions.candidates(volumeKind)).toEqual(['me/vol:latest']);
    expect(extensions.names(networkKind)).toEqual([]);
    expect(extensions.list()).toMatchObject([
      { carrier: 'managed', aliases: ['me/vol'], state: 'active', health: 'healthy', deadlines: { '*': 5 } },
    ]);
    extensions.logger('me/vol:latest').warn('it says so');
    expect(extensions.lines('me/vol:latest').at(-1)).toMatchObject({ level: 'warn', text: 'it says so' });
  });

  test('lets those go on that waited for it, by whatever name', async () => {
    const options = { signal: new AbortController().signal, by: 'container web' };
    const arrivals = ['me/vol', 'me/vol:latest'].map((name) => extensions.arrival('VolumeDriver', name, options));
    const lift = extensions.setUnavailable({ ...named('me/vol:latest'), aliases: ['me/vol'], reason: 'disabled' });
    await expect.poll(() => status('me/vol:latest')?.awaitedBy).toEqual(['container web']);
    lift();
    extensions.register(of(new FakeSource()));
    await Promise.all(arrivals);
  });

  test('must keep what it promised, or not know the question', async () => {
    const liar = extensions.register(of(new FakeSource(undefined, ['LogDriver'])));
    await expect(liar.activated()).rejects.toMatchObject({
      class: 'Unavailable',
      message:
        'plugin "me/vol:latest" does not implement VolumeDriver, as its manifest promises (it implements LogDriver)',
    });
    expect(status('me/vol:latest')).toMatchObject({ state: 'unreachable' });
    const silent = new FakeSource(() => '{"Mountpoint":"/m"}', []);
    silent.status = 404;
    extensions.register({ ...of(silent), name: 'silent:latest', aliases: [] });
    expect(await path('silent:latest')).toBe('/m');
    await expect(extensions.get(networkKind, 'silent:latest')).rejects.toMatchObject({ class: 'InvalidParameter' });
  });

  test('is tried again by itself when it does not answer at first', async () => {
    const source = new FakeSource();
    source.absent = true;
    const registered = extensions.register(of(source));
    await expect(registered.activated()).rejects.toThrow('its socket is gone');
    expect(registered.status).toMatchObject({
      state: 'unreachable',
      reason: expect.stringContaining('its socket is gone'),
    });
    source.absent = false;
    await expect.poll(() => registered.status.state).toBe('active');
  });
});

describe('names', () => {
  test('that a battery or another one has are refused', async () => {
    const directory = mkdtempSync('/tmp/cleat-reg-');
    const manifest = `${directory}/manifest.yaml`;
    writeFileSync(manifest, 'extensions: { volume-local: { driver: local, module: /none.js, kinds: [VolumeDriver] } }');
    const more = emptyRegistry({ manifestPaths: [manifest] });
    const refused = {
      class: 'Conflict',
      message: expect.stringContaining('"local" is the name of extension volume-local'),
    };
    expect(() => more.register(named('local'))).toThrow(expect.objectContaining(refused));
    expect(() => more.register(named('local:latest', { aliases: ['local'] }))).toThrow(
      expect.objectContaining(refused),
    );
    more.register(of(new FakeSource()));
    for (const one of [named('me/vol'), of(new FakeSource()), named('x', { aliases: ['me/vol:latest'] })]) {
      expect(() => more.register(one)).toThrow('plugin me/vol:latest is there already');
      expect(one.source).toMatchObject({ started: 0, closed: 0 });
    }
    expect(more.names(volumeKind)).toEqual(['local', 'me/vol:latest']);
    await more.close();
    rmSync(directory, { recursive: true });
  });

  test('that are disabled are said to be, as Docker says it, also where a socket of that name lies', async () => {
    const directory = mkdtempSync('/tmp/cleat-reg-');
    writeFileSync(`${directory}/vol.spec`, 'unix:///nowhere.sock');
    const more = emptyRegistry({ pluginDirectories: [directory] });
    const lift = more.setUnavailable({ ...named('vol:latest'), aliases: ['vol'], reason: 'disabled by the user' });
    for (const name of ['vol', 'vol:latest']) {
      await expect(more.get(volumeKind, name)).rejects.toMatchObject({
        class: 'Conflict',
        message: `plugin ${name} found but disabled`,
        details: { absent: { kind: 'VolumeDriver', name } },
      });
    }
    expect(more.names(volumeKind)).toEqual([]);
    expect(more.nameOf('VolumeDriver', 'vol')).toBe('vol:latest');
    expect(more.list()).toMatchObject([{ name: 'vol:latest', state: 'disabled', reason: 'disabled by the user' }]);
    more.register(named('vol:latest', { aliases: ['vol'] }));
    await more.get(volumeKind, 'vol');
    lift();
    await more.close();
    rmSync(directory, { recursive: true });
  });
});

describe('removal', () => {
  test('ends calls under way with the reason, then the source; clients find the next one of that name', async () => {
    let arrived: () => void = () => {};
    const called = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const old = new FakeSource(() => new Promise(() => arrived()));
    const registered = extensions.register(of(old));
    const client = await extensions.get(volumeKind, 'me/vol');
    const mount = client.Mount({ Name: 'v', ID: 'i' });
    await called;
    const removed = registered.remove('it was disabled');
    await expect(mount).rejects.toMatchObject({
      class: 'Unavailable',
      message: expect.stringMatching(/^plugin "me\/vol:latest" did not answer VolumeDriver.Mount: .*it was disabled$/),
    });
    await removed;
    expect(old).toMatchObject({ closed: 1, open: 0 });
    expect(extensions.list()).toEqual([]);
    await expect(extensions.get(volumeKind, 'me/vol')).rejects.toMatchObject({ class: 'NotFound' });
    await expect(client.Path({ Name: 'v' })).rejects.toThrow('plugin "me/vol:latest" is not there: it was disabled');
    const lift = extensions.setUnavailable({ ...named('me/vol:latest'), reason: 'disabled' });
    expect(status('me/vol:latest')).toMatchObject({ state: 'disabled', carrier: 'managed' });
    const calls = () =>
      status('me/vol:latest')?.methods.find(({ method }) => method === 'VolumeDriver.Path')?.results.ok;
    extensions.register(of(says('/new')));
    lift();
    expect((await client.Path({ Name: 'v' })).Mountpoint).toBe('/new');
    expect(calls()).toBe(1);
    await registered.remove('by a handle that is over');
    expect(await path('me/vol')).toBe('/new');
    await expect(registered.replace(of(new FakeSource()))).rejects.toMatchObject({ class: 'Conflict' });
  });

  test('while it starts leaves nothing, and the next one starts only after its end', async () => {
    let release: () => void = () => {};
    const old = new FakeSource();
    old.close = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const removed = extensions.register(of(old)).remove('away');
    const next = says('/next');
    const registered = extensions.register(of(next));
    const answer = path('me/vol');
    expect(next.started).toBe(0);
    await Promise.resolve();
    await expect.poll(() => release).not.toHaveLength(0);
    release();
    await removed;
    expect(await answer).toBe('/next');
    expect(registered.status.state).toBe('active');
  });

  test('tells when the source could not be closed', async () => {
    const source = new FakeSource();
    source.close = async () => {
      throw new Error('it hangs');
    };
    await expect(extensions.register(of(source)).remove('away')).rejects.toThrow('it hangs');
    expect(extensions.list()).toEqual([]);
  });
});

describe('replacement', () => {
  test('lets calls under way end, and those that come meanwhile wait for the new one', async () => {
    let finish: (text: string) => void = () => {};
    const old = new FakeSource(
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    const registered = extensions.register(of(old));
    const client = await extensions.get(volumeKind, 'me/vol');
    const under = client.Mount({ Name: 'v', ID: 'i' });
    await expect.poll(() => old.calls).toContain('VolumeDriver.Mount');
    const next = says('/new');
    const replaced = registered.replace(of(next, { aliases: [] }));
    const meanwhile = client.Path({ Name: 'v' });
    await expect(client.Path({ Name: 'v' }, { impatient: true })).rejects.toThrow('it is being replaced');
    expect(registered.status).toMatchObject({ state: 'activating', reason: 'it is being replaced' });
    expect([old.closed, next.started]).toEqual([0, 0]);
    finish('{"Mountpoint":"/old"}');
    expect((await under).Mountpoint).toBe('/old');
    await replaced;
    expect([old.closed, old.open, next.started]).toEqual([1, 0, 1]);
    expect((await meanwhile).Mountpoint).toBe('/new');
    await expect(extensions.get(volumeKind, 'me/vol')).rejects.toThrow('not found');
    expect(registered.status.methods.find(({ method }) => method === 'VolumeDriver.Mount')?.results.ok).toBe(1);
  });

  test('breaks calls off that take too long: one that may be repeated goes to the new one', async () => {
    const old = new FakeSource(() => new Promise(() => {}));
    const registered = extensions.register(of(old));
    const client = await extensions.get(volumeKind, 'me/vol');
    const harmless = client.Path({ Name: 'v' });
    const mount = client.Mount({ Name: 'v', ID: 'i' });
    await expect.poll(() => old.calls.length).toBe(3);
    const outcome = expect(mount).rejects.toMatchObject({
      class: 'Unavailable',
      message: expect.stringContaining('it was replaced'),
      details: expect.objectContaining({ arrived: true }),
    });
    await registered.replace(of(says('/new')), { drainMs: 1 });
    await outcome;
    expect((await harmless).Mountpoint).toBe('/new');
    expect(registered.status).toMatchObject({ state: 'active', retries: 1, underWay: 0 });
  });

  test('while the old one is being activated', async () => {
    const old = new FakeSource();
    old.absent = true;
    const registered = extensions.register(of(old));
    const asked = path('me/vol');
    asked.catch(() => {});
    await registered.replace(of(says('/new')));
    expect(await path('me/vol')).toBe('/new');
    await expect(registered.replace({ ...of(new FakeSource()), name: 'other' })).rejects.toMatchObject({
      class: 'Conflict',
    });
  });

  test('is over when it is removed meanwhile: neither stays', async () => {
    const old = new FakeSource(() => new Promise(() => {}));
    const registered = extensions.register(of(old));
    const client = await extensions.get(volumeKind, 'me/vol');
    const call = client.Create({ Name: 'v' });
    call.catch(() => {});
    await expect.poll(() => old.calls).toContain('VolumeDriver.Create');
    const next = new FakeSource();
    const replaced = registered.replace(of(next), { drainMs: 60_000 });
    const refused = expect(replaced).rejects.toMatchObject({ class: 'Conflict' });
    await registered.remove('away');
    await refused;
    await expect(call).rejects.toThrow('away');
    expect([old.closed, next.started]).toEqual([1, 0]);
  });

  test('takes the breaker over, and a call that finds out how the old one is keeps nobody from the new one', async () => {
    const registered = extensions.register(of(new FakeSource(() => new Promise(() => {}))));
    const client = await extensions.get(volumeKind, 'me/vol');
    for (let hang = 0; hang < 3; hang++) await client.Path({ Name: 'v' }, { deadlineMs: 5 }).catch(() => {});
    expect(registered.status.health).toBe('suspended');
    await expect(client.Path({ Name: 'v' })).rejects.toThrow('is not asked for now');
    await registered.replace(of(says('/new')));
    await registered.activated();
    expect((await client.Path({ Name: 'v' })).Mountpoint).toBe('/new');
  });
});
