import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { defineExtension, type Kind } from '@cleat/sdk';
import { expect, test } from 'vitest';
import noRemove from '../../examples/no-remove/no-remove.js';
import { headText } from './format.js';
import { parseRecording } from './parse.js';
import { replay } from './replay.js';
import { call, Scene } from './scene.fixture.js';

/** The calls of a client of no-remove, through a recorder. */
async function recordedUse(scene: Scene): Promise<string> {
  const plugin = await scene.plugin(noRemove, 'original', { root: scene.path('original') });
  const recorder = await scene.recorder(plugin);
  const ask = (method: string, body: object) => call(recorder.socket, `/VolumeDriver.${method}`, JSON.stringify(body));
  await call(recorder.socket, '/Plugin.Activate', '');
  await ask('Create', { Name: 'data', Opts: null });
  await ask('Create', { Name: '../x', Opts: null });
  await ask('Get', { Name: 'none' });
  await Promise.all([ask('Mount', { Name: 'data', ID: 'a' }), ask('Path', { Name: 'data' })]);
  await ask('List', {});
  await ask('Unmount', { Name: 'data', ID: 'a' });
  await ask('Remove', { Name: 'data' });
  await ask('Mount', { Name: 'data', ID: 'b' });
  await recorder.done();
  return recorder.text;
}

/** No-remove with one of its methods done differently. */
const broken = (method: string, instead: (request: never) => unknown) =>
  defineExtension({
    async start(context) {
      const { implementations } = await noRemove.start(context);
      return {
        implementations: implementations.map(({ kind, handlers }: { kind: Kind; handlers: object }) => ({
          kind,
          handlers: { ...handlers, [method]: instead },
        })),
      };
    },
  });

test('a fresh no-remove answers as the recorded one; one with other directories does, too', async () => {
  await using scene = new Scene();
  const recording = parseRecording(await recordedUse(scene));
  const again = await scene.plugin(noRemove, 'again', { root: scene.path('elsewhere') });
  expect(await replay(recording, again)).toEqual({ calls: 10, differences: [] });
  // Everything was done: what the recording has done is there.
  expect((await call(again, '/VolumeDriver.List')).text).toBe('{"Volumes":[]}');
  rmSync(scene.path('elsewhere'), { recursive: true });
});

test.each([
  [
    'Remove',
    () => Promise.reject(new Error('busy')),
    'recorded: answered status 200: {}; now: failed with status 500: busy',
  ],
  ['Path', () => ({ Mountpoint: '/other' }), /^Mountpoint: recorded ".*original\/data", now "\/other"$/],
  ['List', () => ({ Volumes: [] }), /^Volumes\[0\]: recorded \{"Name":"data","Mountpoint":".*"\}, now nothing$/],
  [
    'Get',
    () => ({ Volume: null }),
    'recorded: failed with status 500: no such volume: none; now: answered status 200: {"Volume":null}',
  ],
])('a no-remove that is broken in %s is told from it', async (method, instead, what) => {
  await using scene = new Scene();
  const recording = parseRecording(await recordedUse(scene));
  const root = scene.path('broken');
  const plugin = await scene.plugin(broken(method, instead), 'broken', { root });
  const { differences } = await replay(recording, plugin);
  const [one] = differences;
  expect(one?.method).toBe(`VolumeDriver.${method}`);
  expect(one?.what).toEqual([typeof what === 'string' ? what : expect.stringMatching(what)]);
  if (method !== 'Remove') expect(differences).toHaveLength(1);
});

const script = (lines: string) => parseRecording(`${headText('p', 'then')}${lines}`);

/** A plugin that answers with what it is given, by path, and keeps the order of what it hears. */
async function scripted(scene: Scene, answers: Record<string, (body: string) => string | Promise<string>>) {
  const heard: string[] = [];
  const socket = scene.path('scripted.sock');
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    heard.push(`${request.url} ${body}`);
    response.once('close', () => {
      if (!response.writableFinished) heard.push(`${request.url} hung up`);
    });
    const answer = await answers[request.url ?? '']?.(body);
    if (answer === undefined) request.socket.destroy();
    else response.end(answer);
  }).listen(socket);
  await expect.poll(() => server.listening).toBe(true);
  scene.with({
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  return { socket, heard };
}

test('a question during a call is asked during it, and a question after an answer waits for it', async () => {
  await using scene = new Scene();
  let release = () => {};
  const { socket, heard } = await scripted(scene, {
    '/slow': () =>
      new Promise((resolve) => {
        release = () => resolve('{}');
      }),
    '/quick': () => {
      release();
      return '{}';
    },
    '/last': () => '{}',
  });
  const recording = script(`
> 1 0s POST /slow
> 2 0s POST /quick
< 2 +0s 200
  {}
< 1 +0s 200
  {}
> 3 0s POST /last
< 3 +0s 200
  {}
`);
  expect(await replay(recording, socket)).toEqual({ calls: 3, differences: [] });
  expect(heard).toEqual(['/slow ', '/quick ', '/last ']);
});

test('a value that a plugin makes anew takes the place of the recorded one in later calls', async () => {
  await using scene = new Scene();
  const { socket, heard } = await scripted(scene, {
    '/IpamDriver.RequestPool': () => '{"PoolID":"new","Pool":"10.1.0.0/16"}',
    '/IpamDriver.RequestAddress': () => '{"Address":"10.1.0.9/16"}',
    '/IpamDriver.ReleaseAddress': () => '{}',
  });
  const recording = script(`
> 1 0s POST /IpamDriver.RequestPool
< 1 +0s 200
  {"PoolID":"old","Pool":"10.1.0.0/16"}
> 2 0s POST /IpamDriver.RequestAddress
  {"PoolID":"old"}
< 2 +0s 200
  {"Address":"10.1.0.2/16"}
> 3 0s POST /IpamDriver.ReleaseAddress
  {"PoolID":"old","Address":"10.1.0.2"}
< 3 +0s 200
`);
  const strict = await replay(recording, socket);
  expect(strict.differences.map(({ what }) => what)).toEqual([['Address: recorded "10.1.0.2/16", now "10.1.0.9/16"']]);
  heard.length = 0;
  expect((await replay(recording, socket, { ignore: ['address'] })).differences).toEqual([]);
  expect(heard.at(-1)).toBe('/IpamDriver.ReleaseAddress {"PoolID":"new","Address":"10.1.0.9"}');
});

test('a caller that hung up hangs up again; a plugin that hung up, or did not answer, is told', async () => {
  await using scene = new Scene();
  const { socket, heard } = await scripted(scene, { '/silent': () => new Promise(() => {}), '/well': () => '{}' });
  const recording = script(`
> 1 0s POST /silent
! 1 +60s caller
> 2 0s POST /dies
! 2 +0s plugin
> 3 0s POST /well
! 3 +0s plugin
> 4 0s POST /dies
< 4 +0s 200
> 5 0s POST /silent
< 5 +0s 200
`);
  const { differences } = await replay(recording, socket, { deadlineMs: 2_000 });
  expect(differences.map(({ call: number, what }) => [number, ...what])).toEqual([
    [3, 'recorded: the plugin hung up; now: answered status 200: {}'],
    [4, 'recorded: answered status 200; now: the plugin hung up (socket hang up)'],
    [5, 'recorded: answered status 200; now: no answer within 2 s'],
  ]);
  expect(heard).toContain('/silent hung up');
});

test('values that are marked may be any, and the same wherever their name is said', async () => {
  await using scene = new Scene();
  const { socket, heard } = await scripted(scene, {
    '/a': () => '{"Token":"t-1","Err":"","Note":"took 12 ms in all","At":"2026-01-02T03:04:05Z","More":null}',
    '/b': () => '{"token":"t-2"}',
  });
  const answers = (second: string) =>
    script(`
> 1 0s POST /a
< 1 +0s 200
  {"Token":"<any:t>","Note":"took <any> ms in all","At":"2025-11-11T11:11:11.5+01:00","Extra":"<any>"}
> 2 0s POST /b
  {"Again":"<any:t>"}
< 2 +0s 200
  {"Token":"${second}"}
`);
  expect((await replay(answers('<any>'), socket)).differences).toEqual([]);
  expect(heard.at(-1)).toBe('/b {"Again":"t-1"}');
  expect((await replay(answers('<any:t>'), socket)).differences.map(({ what }) => what)).toEqual([
    ['Token: recorded "<any:t>", now "t-2"'],
  ]);
});

test('a plugin that is not there is a difference, not an error; a recording of nothing is equal', async () => {
  await using scene = new Scene();
  const { differences } = await replay(script('> 1 0s POST /x\n< 1 +0s 200\n'), scene.path('none.sock'));
  expect(differences[0]?.what[0]).toContain('the plugin hung up (connect ENOENT');
  expect(await replay(script(''), scene.path('none.sock'))).toEqual({ calls: 0, differences: [] });
});
