import { expect, test } from 'vitest';
import { headText } from './format.js';
import { parseRecording } from './parse.js';
import { call, Scene } from './scene.fixture.js';
import { type StandInOptions, standIn } from './stand-in.js';

const id = (digit: string) => digit.repeat(64);

const recording = parseRecording(`${headText('p', 'then')}
> 1 0s POST /Plugin.Activate
< 1 +0s 200
  {"Implements":["VolumeDriver"]}

> 2 0s POST /VolumeDriver.Create
  {"Name":"v","Opts":null}
< 2 +0s 200 type=plugins.v1.1
  {}

> 3 0s POST /VolumeDriver.Mount
  {"Name":"v","ID":"${id('a')}"}

> 4 0s POST /VolumeDriver.Mount
  {"Name":"v","ID":"${id('b')}"}
< 4 +0s 200
  {"Mountpoint":"/m/${id('b')}","Big":9007199254740993}
< 3 +0s 500
  {"Err":"cannot mount ${id('a')}"}

> 5 0s POST /VolumeDriver.Unmount
  {"Name":"v","ID":"${id('b')}"}
< 5 +0s 200

> 6 0s POST /VolumeDriver.Path
  {"Name":"v"}
! 6 +1s plugin

> 7 0s POST /LogDriver.ReadLogs
  {"Info":{"ContainerID":"<any:c>"}}
< 7 +0s 200 type=application/octet-stream stream
. 7 +0s entries
  {"source":"stdout","time_nano":1,"line":"hello"}
. 7 +0s text
  <any:c>
. 7 +0s end

> 8 0s POST /VolumeDriver.Get
  {"Name":"v"}
! 8 +1s plugin base64
  ${Buffer.from('garbage\r\n').toString('base64')}

> 9 0s POST /VolumeDriver.List
! 9 +1s caller
`);

async function started(scene: Scene, options: Partial<StandInOptions> = {}) {
  const socket = scene.path('p.sock');
  const one = await standIn({ recording, socket, ...options });
  scene.with(one);
  const ask = (path: string, body: object | string = {}) =>
    call(socket, path, typeof body === 'string' ? body : JSON.stringify(body));
  return { one, ask, socket };
}

test('an engine with IDs of its own is answered as recorded: failures, streams, hanging up, garbage and silence', async () => {
  await using scene = new Scene();
  const { one, ask } = await started(scene);
  for (const _ of ['at first', 'and again']) {
    expect((await ask('/Plugin.Activate', '')).text).toBe('{"Implements":["VolumeDriver"]}');
  }
  // Keys in any case, null as nothing.
  expect(await ask('/VolumeDriver.Create', { name: 'v' })).toMatchObject({
    text: '{}',
    type: 'application/vnd.docker.plugins.v1.1+json',
  });
  const [first, second] = await Promise.all([
    ask('/VolumeDriver.Mount', { Name: 'v', ID: id('1') }),
    ask('/VolumeDriver.Mount', { Name: 'v', ID: id('2') }),
  ]);
  expect([first.status, second.status].sort()).toEqual([200, 500]);
  const [failed, mounted] = first.status === 500 ? [first, second] : [second, first];
  const [bad, good] = first.status === 500 ? [id('1'), id('2')] : [id('2'), id('1')];
  expect(failed.text).toBe(`{"Err":"cannot mount ${bad}"}`);
  expect(mounted.text).toBe(`{"Mountpoint":"/m/${good}","Big":9007199254740993}`);
  expect(await ask('/VolumeDriver.Unmount', { Name: 'v', ID: bad })).toMatchObject({ status: 500 });
  expect(one.strange).toEqual([expect.stringContaining('the next one like it has ID')]);
  expect(await ask('/VolumeDriver.Unmount', { Name: 'v', ID: good })).toMatchObject({ status: 200, text: '' });
  await expect(ask('/VolumeDriver.Path', { Name: 'v' })).rejects.toThrow('socket hang up');
  expect((await ask('/LogDriver.ReadLogs', { Info: { ContainerID: 'this' } })).text).toMatch(/hellothis$/);
  await expect(ask('/VolumeDriver.Get', { Name: 'v' })).rejects.toThrow('Parse Error');
  expect(one.neverAsked).toEqual(['VolumeDriver.List  (call 9) was not asked']);
  const silent = ask('/VolumeDriver.List', '');
  await expect.poll(() => one.neverAsked).toEqual([]);
  silent.hangUp();
  await expect(silent).rejects.toThrow();
});

test('the order is kept, unless any is allowed; what the recording does not have is refused and told', async () => {
  await using scene = new Scene();
  const { one, ask } = await started(scene);
  const early = await ask('/VolumeDriver.Unmount', { Name: 'v', ID: id('2') });
  expect(early.status).toBe(500);
  expect(early.text).toContain('comes before VolumeDriver.Create (call 2), which the recording has first');
  expect((await ask('/VolumeDriver.Create', { Name: 'w' })).text).toContain('has Name \\"v\\", not \\"w\\"');
  expect((await ask('/VolumeDriver.Remove', { Name: 'v' })).text).toContain('is not in the recording');
  // A plugin need not have it.
  expect(await ask('/VolumeDriver.Capabilities')).toMatchObject({ status: 404 });
  expect(one.strange).toHaveLength(3);
  expect(one.neverAsked).toHaveLength(8);
  await one.close();
  const free = await started(scene, { anyOrder: true });
  expect(await free.ask('/VolumeDriver.Unmount', { Name: 'v', ID: id('2') })).toMatchObject({ status: 200 });
  expect(await free.ask('/VolumeDriver.Unmount', { Name: 'v', ID: id('2') })).toMatchObject({ status: 500 });
  expect(await free.ask('/VolumeDriver.Create', { Name: 'v' })).toMatchObject({ status: 200 });
});

test('keys that are to be ignored may say anything', async () => {
  await using scene = new Scene();
  const { ask } = await started(scene, { ignore: ['Opts'] });
  expect(await ask('/VolumeDriver.Create', { Name: 'v', Opts: { size: '1' } })).toMatchObject({ status: 200 });
});

test('questions may be left out, and are not answered later with what is no longer true', async () => {
  await using scene = new Scene();
  const told = parseRecording(`${headText('p', 'then')}
> 1 0s POST /VolumeDriver.Get
  {"Name":"v"}
< 1 +0s 500
  {"Err":"no such volume"}
> 2 0s POST /VolumeDriver.Create
  {"Name":"v"}
< 2 +0s 200
> 3 0s POST /VolumeDriver.Get
  {"Name":"v"}
< 3 +0s 200
  {"Volume":{"Name":"v"}}
`);
  const { one, ask } = await started(scene, { recording: told });
  expect(await ask('/VolumeDriver.Create', { Name: 'v' })).toMatchObject({ status: 200 });
  expect((await ask('/VolumeDriver.Get', { Name: 'v' })).text).toContain('Volume');
  expect(one.strange).toEqual([]);
  expect(one.neverAsked).toEqual(['VolumeDriver.Get {"Name":"v"} (call 1) was not asked']);
});

test('with its timing, an answer that took longer comes later', async () => {
  await using scene = new Scene();
  const timed = parseRecording(`${headText('p', 'then')}
> 1 0s POST /VolumeDriver.Path
> 2 0s POST /VolumeDriver.List
< 2 +0.001s 200
< 1 +0.5s 200
`);
  const { ask } = await started(scene, { recording: timed, timing: true });
  const order: string[] = [];
  const slow = ask('/VolumeDriver.Path', '').then(() => order.push('slow'));
  const quick = ask('/VolumeDriver.List', '').then(() => order.push('quick'));
  await Promise.all([slow, quick]);
  expect(order).toEqual(['quick', 'slow']);
});
