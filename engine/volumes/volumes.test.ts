import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type Answers,
  cleanups,
  directory,
  named,
  plugin,
  published,
  roomForTests,
  use,
  users,
  volumes,
} from './volumes.fixture.js';

roomForTests();

describe('volumes of the default driver', () => {
  test('create is idempotent, anonymous ones get a name and a label, inspect shows what was asked for', async () => {
    const made = await volumes.create({ Name: 'data', Labels: { a: 'b' } });
    expect(made).toMatchObject({
      Name: 'data',
      Driver: 'local',
      Scope: 'local',
      Labels: { a: 'b' },
      Options: null,
      Mountpoint: join(directory, 'volumes/data/_data'),
      CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    expect(await volumes.create({ Name: 'data' })).toEqual(made);
    // As in Docker, a volume that is there is answered as it is, with any options.
    const other = { Driver: 'local', Labels: { c: 'd' }, DriverOpts: { type: 'tmpfs', device: 'tmpfs', color: 'red' } };
    expect(await volumes.create({ Name: 'data', ...other })).toEqual(made);
    expect(await volumes.inspect('data')).toEqual(made);
    const anonymous = await volumes.create({});
    expect(anonymous.Name).toMatch(/^[0-9a-f]{64}$/);
    expect(anonymous.Labels).toEqual({ 'com.docker.volume.anonymous': '' });
    expect(published.map(({ action, id, attributes }) => [action, id, attributes])).toEqual([
      ['create', 'data', { driver: 'local' }],
      ['create', anonymous.Name, { driver: 'local' }],
    ]);
  });

  test('a plugin is asked what Docker asks it; one that tells what it made is believed', async () => {
    const stock = await plugin('stock', { Get: new Error('no such volume') });
    expect(await volumes.create({ Name: 'plain', Driver: 'stock' })).toMatchObject({ Mountpoint: '' });
    await volumes.create({ Name: 'sized', Driver: 'stock', DriverOpts: { size: '1' } });
    expect(stock.filter((call) => !call.startsWith('Capabilities'))).toEqual([
      'Get {"Name":"plain"}',
      'Create {"Name":"plain","Opts":null}',
      'Get {"Name":"sized"}',
      'Create {"Name":"sized","Opts":{"size":"1"}}',
    ]);
    await plugin('telling', { Get: { Volume: null }, Create: { Volume: { Name: 'other', Mountpoint: '/made' } } });
    expect(await volumes.create({ Name: 'told', Driver: 'telling' })).toMatchObject({
      Name: 'told',
      Mountpoint: '/made',
    });
  });

  test('errors read as Docker’s', async () => {
    await expect(volumes.inspect('nope')).rejects.toMatchObject({
      class: 'NotFound',
      message: 'get nope: no such volume',
    });
    await expect(volumes.create({ Name: 'x', Driver: 'nosuch' })).rejects.toMatchObject({
      class: 'NotFound',
      message:
        'create x: error looking up volume plugin nosuch: plugin "nosuch" not found (known for VolumeDriver: local, tmpfs)',
    });
    await expect(volumes.create({ Name: 'a/b' })).rejects.toMatchObject({
      class: 'InvalidParameter',
      message: expect.stringMatching(/^create a\/b: "a\/b" includes invalid characters for a local volume name/),
    });
    await expect(volumes.remove('nope', { force: false })).rejects.toThrow('get nope: no such volume');
    await volumes.remove('nope', { force: true });
    await expect(volumes.list({ colour: ['red'] })).rejects.toMatchObject({
      class: 'InvalidParameter',
      message: "invalid filter 'colour'",
    });
  });

  test('in use: remove and prune refuse, the filter tells', async () => {
    await volumes.create({ Name: 'used' });
    await volumes.create({ Name: 'free', Labels: { keep: '' } });
    const { Name: anonymous } = await volumes.create({});
    await volumes.create({ Name: 'ram', DriverOpts: { type: 'tmpfs', device: 'tmpfs' } });
    users.used = ['id1', 'id2'];
    await expect(volumes.remove('used', { force: true })).rejects.toMatchObject({
      class: 'Conflict',
      message: 'remove used: volume is in use - [id1, id2]',
    });
    expect(named(await volumes.list({ dangling: ['false'] }))).toEqual(['used']);
    expect(named(await volumes.list({ name: ['^fr'] }))).toEqual(['free']);
    expect(named(await volumes.list({ label: ['keep'] }))).toEqual(['free']);
    expect(await volumes.prune({})).toEqual({ VolumesDeleted: [anonymous], SpaceReclaimed: 7 });
    expect(await volumes.prune({ all: ['1'], 'label!': ['keep'] })).toMatchObject({ VolumesDeleted: [] });
    expect(await volumes.prune({ all: ['true'] })).toMatchObject({ VolumesDeleted: ['free'] });
    expect(named(await volumes.list({}))).toEqual(['ram', 'used']);
    expect(published.at(-1)).toMatchObject({ action: 'prune', attributes: { reclaimed: '7' } });
  });
});

describe('volumes of a plugin', () => {
  test('one Mount and one Unmount per start, with one ID of its own, and events', async () => {
    const calls = await plugin('p', { Get: new Error('no such volume'), Mount: { Mountpoint: '/mnt/v/' } });
    await volumes.create({ Name: 'v', Driver: 'p' });
    calls.length = 0;
    expect(await volumes.mount('v', use('run1/data'))).toMatchObject({
      path: '/mnt/v',
      driver: 'p',
      source: { path: '/held' },
    });
    await volumes.unmount(use('run1/data'));
    const ids = calls.map((call) => /^(\w+) \{"Name":"v","ID":"([0-9a-f]{64})"\}$/.exec(call));
    expect(ids.map((match) => match?.[1])).toEqual(['Mount', 'Unmount']);
    expect(ids[0]?.[2]).toBe(ids[1]?.[2]);
    expect(published.slice(1)).toEqual([
      {
        type: 'volume',
        action: 'mount',
        id: 'v',
        attributes: { driver: 'p', container: 'c1', destination: '/data', 'read/write': 'true', propagation: '' },
      },
      { type: 'volume', action: 'unmount', id: 'v', attributes: { driver: 'p', container: 'c1' } },
    ]);
  });

  test.each<[path: string, why: string]>([
    ['', 'is no plain absolute path'],
    ['relative', 'is no plain absolute path'],
    ['/', 'is no plain absolute path'],
    ['//', 'is no plain absolute path'],
    ['/mnt/../etc', 'is no plain absolute path'],
    ['/a\0b', 'is no plain absolute path'],
    ['/missing', 'does not exist'],
    ['/sly/', "leads into the engine's own files"],
    ['/sly/store', "leads into the engine's own files"],
    ['/sly/volumes/other/_data', "leads into the engine's own files"],
    ['/tmp', "leads into the engine's own files"],
    ['/socket', 'is no directory'],
    ['/link/', "leads to the host's whole root"],
    ...[
      '/etc',
      '/link/etc',
      '/etc/ssh',
      '/dev',
      '/dev/shm',
      '/proc/1',
      '/sys',
      '/usr/lib',
      '/run',
      '/home',
      '/link/var',
    ].map((place): [string, string] => [place, `leads to ${place.replace('/link', '')}: that is the host's own`]),
  ])('the mountpoint %j is refused, as one that %s, and taken back', async (path, why) => {
    const calls = await plugin('p', { Get: new Error('not found'), Mount: { Mountpoint: path } });
    await volumes.create({ Name: 'v', Driver: 'p' });
    await expect(volumes.mount('v', use('i'))).rejects.toThrow(
      `error while mounting volume 'v': plugin "p" answered VolumeDriver.Mount of volume v with the mount point ${JSON.stringify(path)}, which ${why}`,
    );
    await expect.poll(() => calls.filter((call) => call.startsWith('Unmount')).length).toBe(1);
    expect(published.map(({ action }) => action)).toEqual(['create']);
  });

  test('only who asks for whom it mounts is told', async () => {
    const answers = { Get: new Error('not found'), Mount: { Mountpoint: '/m' } };
    const stock = await plugin('stock', { ...answers, Capabilities: { Capabilities: { Scope: 'local' } } });
    const curious = await plugin('curious', { ...answers, Capabilities: { Capabilities: { Context: true } } });
    for (const driver of ['stock', 'curious']) {
      await volumes.create({ Name: driver, Driver: driver });
      await volumes.mount(driver, use('run/data'));
    }
    const mount = (calls: string[]) => JSON.parse(calls.find((call) => call.startsWith('Mount '))?.slice(6) ?? '{}');
    expect(Object.keys(mount(stock))).toEqual(['Name', 'ID']);
    expect(mount(curious).Context).toEqual({
      Container: { ID: 'c1', Name: 'web', Labels: { a: 'b' }, User: 'www', UID: 33, GID: 33 },
      Options: { as: '1000' },
      Destination: '/data',
      ReadOnly: false,
    });
  });

  test('a driver whose Create takes what is there as it is need not be asked before', async () => {
    const Create = { Volume: { Name: 'v', Mountpoint: '/there', CreatedAt: '2020-01-01T00:00:00Z' } };
    const Capabilities = { Capabilities: { IdempotentCreate: true } };
    const calls = await plugin('p', { Get: new Error('not found'), Create, Capabilities });
    await volumes.create({ Name: 'v1', Driver: 'p' });
    calls.length = 0;
    expect(await volumes.create({ Name: 'v2', Driver: 'p' })).toMatchObject({
      Name: 'v2',
      Mountpoint: '/there',
      CreatedAt: '2020-01-01T00:00:00Z',
    });
    expect(calls.map((call) => call.split(' ')[0])).toEqual(['Create']);
  });

  test('a neighbour of the engine’s directory is nobody’s, and its own place is for who was given it', async () => {
    const answers: Answers = { Get: new Error('not found'), Mount: { Mountpoint: '/sly-neighbour' } };
    await plugin('p', answers);
    await volumes.create({ Name: 'v', Driver: 'p' });
    expect(await volumes.mount('v', use('i'))).toMatchObject({ path: '/sly-neighbour', driver: 'p' });
    await volumes.create({ Name: 'mine' });
    const path = join(directory, 'volumes/mine/_data');
    expect(await volumes.mount('mine', use('j'))).toMatchObject({ path, driver: 'local', source: { path } });
  });

  test('a name that another driver has is a conflict; what the driver has lost may be made anew', async () => {
    const answers: Answers = { Get: new Error('not found') };
    await plugin('p', answers);
    await volumes.create({ Name: 'vv', Driver: 'p' });
    answers.Get = { Volume: { Name: 'vv' } };
    await expect(volumes.create({ Name: 'vv', Driver: 'local' })).rejects.toMatchObject({
      class: 'Conflict',
      message: "create vv: driver 'p' already has volume 'vv': volume name must be unique",
    });
    answers.Get = { Volume: null };
    expect((await volumes.create({ Name: 'vv', Driver: 'local' })).Driver).toBe('local');
  });

  test('“not there” in any words: what Get refuses and List does not name is gone, and made anew', async () => {
    const answers: Answers = { Get: new Error('not found'), List: { Volumes: null } };
    const calls = await plugin('p', answers);
    await volumes.create({ Name: 'v', Driver: 'p', Labels: { first: '' } });
    answers.Get = new Error('EIO: no idea what you mean');
    answers.List = { Volumes: [{ Name: 'v' }] };
    await expect(volumes.inspect('v')).rejects.toThrow('no idea what you mean');
    await expect(volumes.create({ Name: 'v', Driver: 'p' })).rejects.toMatchObject({ class: 'Conflict' });
    answers.List = new Error('not now');
    await expect(volumes.inspect('v')).rejects.toThrow('no idea what you mean');
    answers.List = { Volumes: [{ Name: 'other' }] };
    expect(await volumes.create({ Name: 'v', Driver: 'p', Labels: { second: '' } })).toMatchObject({
      Labels: { second: '' },
    });
    expect(calls.filter((call) => call.startsWith('Create'))).toHaveLength(2);
    await expect(volumes.inspect('v')).rejects.toThrow('get v: no such volume');
    await volumes.create({ Name: 'v', Driver: 'p' });
    await volumes.remove('v', { force: true });
    answers.List = { Volumes: [{ Name: 'w' }] };
    answers.Get = new Error('not found');
    await volumes.create({ Name: 'w', Driver: 'p' });
    answers.Get = new Error('no idea');
    await expect(volumes.remove('w', { force: true })).rejects.toThrow('no idea');
    answers.List = { Volumes: null };
    expect(named(await volumes.list({}))).toEqual([]);
  });

  test('an error of Mount names the volume, wherever its driver has it', async () => {
    const answers: Answers = { Get: { Volume: { Name: 'v', Mountpoint: '/x/1' } }, Mount: new Error('offline') };
    await plugin('p', answers);
    await volumes.create({ Name: 'v', Driver: 'p' });
    await expect(volumes.mount('v', use('i'))).rejects.toThrow(
      "error while mounting volume 'v': VolumeDriver.Mount: offline",
    );
    answers.Get = { Volume: { Name: 'w', Mountpoint: '/x/w' } };
    await volumes.create({ Name: 'w', Driver: 'p' });
    await expect(volumes.mount('w', use('i'))).rejects.toThrow(
      "error while mounting volume '/x/w': VolumeDriver.Mount:",
    );
  });

  test('a name means one volume: what another driver has of that name is not listed', async () => {
    const answers: Answers = { Get: new Error('not found'), List: { Volumes: [{ Name: 'data' }, { Name: 'theirs' }] } };
    await plugin('p', answers);
    await volumes.create({ Name: 'data', Driver: 'local' });
    const list = await volumes.list({});
    expect(list.Volumes.map(({ Name, Driver }) => `${Driver} ${Name}`)).toEqual(['local data', 'p theirs']);
    expect(named(await volumes.list({ driver: ['p'] }))).toEqual(['theirs']);
  });

  test('a volume that only the plugin knows is listed, inspected and found by name without a driver', async () => {
    const volume = { Name: 'theirs', Mountpoint: '/t', CreatedAt: '2020-01-02T03:04:05.678Z', Status: { ok: true } };
    await plugin('p', {
      Get: { Volume: volume },
      List: { Volumes: [volume] },
      Capabilities: { Capabilities: { Scope: 'GLOBAL' } },
    });
    expect(await volumes.list({ driver: ['p'] })).toEqual({
      Volumes: [
        {
          Name: 'theirs',
          Driver: 'p',
          Mountpoint: '/t',
          Scope: 'global',
          CreatedAt: '2020-01-02T03:04:05Z',
          Labels: null,
          Options: null,
        },
      ],
      Warnings: null,
    });
    expect((await volumes.inspect('theirs')).Status).toEqual({ ok: true });
    expect((await volumes.create({ Name: 'theirs' })).Driver).toBe('p');
  });

  test('a hung one: the others are listed, its own from memory, with a warning', async () => {
    const answers: Answers = { Get: new Error('not found') };
    await plugin('p', answers);
    await volumes.create({ Name: 'v', Driver: 'p' });
    await volumes.create({ Name: 'mine' });
    for (const method of ['List', 'Get', 'Capabilities', 'Remove']) answers[method] = 'hang';
    const list = await volumes.list({});
    expect(named(list)).toEqual(['mine', 'v']);
    expect(list.Warnings).toEqual([expect.stringMatching(/^list p: plugin "p" did not answer VolumeDriver.List/)]);
    expect(await volumes.inspect('v')).toMatchObject({ Name: 'v', Driver: 'p' });
  });

  test('an orphan is forgotten by force only', async () => {
    const answers: Answers = { Get: new Error('not found') };
    await plugin('p', answers);
    await volumes.create({ Name: 'v', Driver: 'p' });
    answers.Get = { Volume: { Name: 'v' } };
    answers.Remove = new Error('busy');
    await expect(volumes.remove('v', { force: false })).rejects.toThrow('remove v: VolumeDriver.Remove: busy');
    expect((await volumes.inspect('v')).Driver).toBe('p');
    rmSync(join(directory, 'plugins', 'p.sock'));
    for (const cleanup of cleanups.splice(0)) await cleanup();
    await volumes.remove('v', { force: true });
    expect(named(await volumes.list({}))).toEqual([]);
  }, 40_000);
});
