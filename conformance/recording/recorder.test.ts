import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { silentLogger } from '@cleat/protocol/log';
import { encodeLogEntry } from '@cleat/protocol/log-entry';
import { defineExtension, implement, logKind, notFound, secretKind, serve, volumeKind } from '@cleat/sdk';
import { expect, test } from 'vitest';
import { bytesOf } from './body.js';
import { replay } from './replay.js';
import { call, Scene } from './scene.fixture.js';

const json = 'application/vnd.docker.plugins.v1.2+json';

/** Mounts wait until a test lets them go on. */
function slowVolumes() {
  const waiting = new Map<string, () => void>();
  const aborted: string[] = [];
  const module = defineExtension({
    start: () => ({
      implementations: [
        implement(volumeKind, {
          Create: ({ Name }) => {
            if (Name === 'gone') throw notFound('it is gone');
          },
          Remove: () => {},
          Mount: ({ ID }, { signal }) =>
            new Promise((resolve) => {
              waiting.set(ID, () => resolve({ Mountpoint: `/m/${ID}` }));
              signal.addEventListener('abort', () => {
                aborted.push(ID);
                resolve({});
              });
            }),
          Unmount: () => {},
          Path: () => ({}),
          Get: () => ({ Volume: null }),
          List: () => ({ Volumes: [{ Name: 'v', Status: { Bytes: 9_007_199_254_740_993n } }] }),
        }),
      ],
    }),
  });
  return { module, waiting, aborted };
}

/** The lines of events, without their times. */
const events = (text: string): string[] =>
  text
    .split('\n')
    .slice(3)
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/^([><.!] \d+) \+?\d+\.\d{3}s/, '$1'));

test('every byte is passed on as it is, and can be read', async () => {
  await using scene = new Scene();
  const recorder = await scene.recorder(await scene.plugin(slowVolumes().module, 'p'));
  const ask = (path: string, body?: string, headers: Record<string, string> = { accept: json }) =>
    call(recorder.socket, path, body, headers);
  expect(await ask('/Plugin.Activate', '')).toMatchObject({ text: '{"Implements":["VolumeDriver"]}', type: json });
  expect(await ask('/VolumeDriver.Create', '{"Name":"v","Opts":null}\n')).toMatchObject({ status: 200, text: '{}' });
  expect(await ask('/VolumeDriver.Create', '{"Name":"gone"}')).toMatchObject({ status: 500 });
  expect(await ask('/VolumeDriver.Create', '{ not json', { accept: 'x', 'content-type': json })).toMatchObject({
    status: 400,
  });
  expect((await ask('/VolumeDriver.List')).text).toContain('9007199254740993');
  expect(await ask('/Other.Thing')).toMatchObject({ status: 404, text: 'not found' });
  expect(recorder.text).toMatch(/^cleat-recording 1\nplugin p at .*p\.sock\nmade 20.*Z\n# /);
  expect(events(recorder.text)).toEqual([
    '> 1 POST /Plugin.Activate',
    '< 1 200',
    '  {"Implements":["VolumeDriver"]}',
    '> 2 POST /VolumeDriver.Create',
    '  {"Name":"v","Opts":null}',
    '< 2 200',
    '  {}',
    '> 3 POST /VolumeDriver.Create',
    '  {"Name":"gone"}',
    '< 3 500',
    '  {"Err":"it is gone","Class":"NotFound"}',
    '> 4 POST /VolumeDriver.Create accept=x type=plugins.v1.2 text',
    '  { not json',
    '< 4 400',
    expect.stringContaining('cannot read the request'),
    '> 5 POST /VolumeDriver.List',
    '  {}',
    '< 5 200',
    '  {"Volumes":[{"Name":"v","Status":{"Bytes":9007199254740993}}]}',
    '> 6 POST /Other.Thing',
    '  {}',
    '< 6 404 type="text/plain; charset=utf-8" text',
    '  not found',
  ]);
  expect(recorder.recording.events).toHaveLength(12);
});

test('calls under way in parallel do not wait for each other, and the order of what happened is kept', async () => {
  await using scene = new Scene();
  const { module, waiting } = slowVolumes();
  const recorder = await scene.recorder(await scene.plugin(module, 'p'));
  const mount = (ID: string) => call(recorder.socket, '/VolumeDriver.Mount', `{"Name":"v","ID":"${ID}"}`);
  const first = mount('a');
  await expect.poll(() => waiting.has('a')).toBe(true);
  const second = mount('b');
  await expect.poll(() => waiting.has('b')).toBe(true);
  waiting.get('b')?.();
  expect((await second).text).toBe('{"Mountpoint":"/m/b"}');
  waiting.get('a')?.();
  expect((await first).text).toBe('{"Mountpoint":"/m/a"}');
  expect(events(recorder.text).filter((line) => !line.startsWith(' '))).toEqual([
    '> 1 POST /VolumeDriver.Mount accept=none',
    '> 2 POST /VolumeDriver.Mount accept=none',
    '< 2 200',
    '< 1 200',
  ]);
});

test('a caller that hangs up hangs up on the plugin, and that is told', async () => {
  await using scene = new Scene();
  const { module, waiting, aborted } = slowVolumes();
  const recorder = await scene.recorder(await scene.plugin(module, 'p'));
  const mounting = call(recorder.socket, '/VolumeDriver.Mount', '{"Name":"v","ID":"a"}');
  await expect.poll(() => waiting.has('a')).toBe(true);
  mounting.hangUp();
  await expect.poll(() => aborted).toEqual(['a']);
  await expect.poll(() => events(recorder.text).at(-1)).toBe('! 1 caller');
});

test('a plugin that is absent, dies in the middle, or does not speak HTTP', async () => {
  await using scene = new Scene();
  const socket = scene.path('bad.sock');
  const recorder = await scene.recorder(socket);
  const ask = (path: string) =>
    call(recorder.socket, path).catch((error: Error) => ({ text: `broken: ${error.message}` }));
  expect((await ask('/Plugin.Activate')).text).toContain('broken');
  const dying = createHttpServer((request, response) => {
    if (request.url === '/die') request.socket.destroy();
    else {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
      response.write('{"Mount', () => request.socket.destroy());
    }
  }).listen(socket);
  await expect.poll(() => dying.listening).toBe(true);
  expect((await ask('/die')).text).toContain('broken');
  expect((await ask('/half')).text).toContain('broken');
  await new Promise((resolve) => dying.close(resolve));
  const garbage = createServer((connection) => connection.once('data', () => connection.end('SSH-2.0-x\r\n')));
  garbage.listen(socket);
  await expect.poll(() => garbage.listening).toBe(true);
  // Its very bytes reach the caller.
  expect((await ask('/garbage')).text).toContain('Expected HTTP/');
  await new Promise((resolve) => garbage.close(resolve));
  const lines = events(recorder.text).filter((line) => !line.startsWith('  {'));
  expect(lines).toEqual([
    '> 1 POST /Plugin.Activate accept=none',
    expect.stringMatching(/^! 1 plugin why="connect ENOENT/),
    '> 2 POST /die accept=none',
    '! 2 plugin why="socket hang up"',
    '> 3 POST /half accept=none',
    '< 3 200 type=application/json stream',
    '. 3 text',
    '! 3 plugin why=aborted',
    '> 4 POST /garbage accept=none',
    expect.stringMatching(/^! 4 plugin why="Parse Error.*" base64$/),
    `  ${Buffer.from('SSH-2.0-x\r\n').toString('base64')}`,
  ]);
});

test('a stream comes as it is written, and as log entries', async () => {
  await using scene = new Scene();
  const entry = (line: string) =>
    encodeLogEntry({ source: 'stdout', timeNano: 1_763_780_000_123_456_789n, line: Buffer.from(line), partial: false });
  let goOn = () => {};
  const module = defineExtension({
    start: () => ({
      implementations: [
        implement(logKind, {
          StartLogging() {},
          StopLogging() {},
          async *ReadLogs() {
            yield entry('one').subarray(0, 7);
            yield Buffer.concat([entry('one').subarray(7), entry('two')]);
            await new Promise<void>((resolve) => {
              goOn = resolve;
            });
            yield entry('three');
          },
        }),
      ],
    }),
  });
  const recorder = await scene.recorder(await scene.plugin(module, 'p'));
  const answer = call(recorder.socket, '/LogDriver.ReadLogs', '{"Info":{},"Config":{}}');
  await expect.poll(() => recorder.text).toContain('"line":"two"');
  goOn();
  expect(await answer).toMatchObject({ status: 200, type: 'application/octet-stream' });
  expect(recorder.text).toContain('{"source":"stdout","time_nano":1763780000123456789,"line":"one"}');
  await expect.poll(() => events(recorder.text).at(-1)).toBe('. 1 end');
  const bytes = recorder.recording.events.flatMap((event) => (event.what === 'more' ? [bytesOf(event.body)] : []));
  expect(Buffer.concat(bytes)).toEqual(Buffer.concat(['one', 'two', 'three'].map(entry)));
});

test('many at once, and answers of megabytes', async () => {
  await using scene = new Scene();
  const text = JSON.stringify({ Volumes: [{ Name: 'v', Status: { long: 'x'.repeat(3 << 20) } }] });
  const socket = scene.path('large.sock');
  const server = createHttpServer((request, response) => request.on('end', () => response.end(text)).resume());
  server.listen(socket);
  await expect.poll(() => server.listening).toBe(true);
  const recorder = await scene.recorder(socket);
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(recorder.socket, '/VolumeDriver.List')));
  expect(answers.every((answer) => answer.text === text)).toBe(true);
  await recorder.done();
  expect((await replay(recorder.recording, socket)).differences).toEqual([]);
  await new Promise((resolve) => server.close(resolve));
});

test('a plugin on TCP is recorded by its spec file', async () => {
  await using scene = new Scene();
  const specFile = scene.path('p.spec');
  const served = await serve(slowVolumes().module, { name: 'p', tcp: { specFile }, log: silentLogger });
  scene.with(served);
  const recorder = await scene.recorder(specFile);
  expect((await call(recorder.socket, '/Plugin.Activate')).text).toBe('{"Implements":["VolumeDriver"]}');
  expect(recorder.text).toContain(`plugin p at ${specFile} (tcp://127.0.0.1:`);
});

test('secrets are not written, unless that is requested', async () => {
  await using scene = new Scene();
  const module = defineExtension({
    start: () => ({ implementations: [implement(secretKind, { GetSecret: () => ({ Value: 'c2VzYW1l' }) })] }),
  });
  const plugin = await scene.plugin(module, 'p');
  const body = JSON.stringify({
    SecretName: 'shown',
    SecretLabels: { 'vault-token': 'hidden', colour: 'hidden', place: 'shown' },
    Env: ['DB_PASSWORD=hidden', 'HOME=shown'],
    RequestBody: Buffer.from('{"Password":"hidden"}').toString('base64'),
  });
  const careful = await scene.recorder(plugin, { keys: ['Colour'] });
  const careless = await scene.recorder(plugin, { usual: false });
  for (const { socket } of [careful, careless]) {
    expect((await call(socket, '/SecretProvider.GetSecret', body)).text).toContain('c2VzYW1l');
  }
  expect(careful.text).not.toMatch(/hidden|c2VzYW1l/);
  expect(careful.text).not.toContain(Buffer.from('"hidden"').toString('base64').slice(2, 8));
  expect(careful.text).toContain('"SecretName":"shown"');
  expect(careful.text).toContain('"place":"shown"');
  expect(careful.text).toContain('{"Value":"<redacted>"}');
  expect(careless.text).toContain(body);
  expect(careless.text).toContain('c2VzYW1l');
});
