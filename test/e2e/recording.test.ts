import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import type { CommandResult } from './support/docker.js';
import { checkout } from './support/documents.js';
import { type Engine, startEngine } from './support/engine.js';
import { Program } from './support/program.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

const exampleMain = (name: string): string => join(checkout, `examples/${name}/dist/main.js`);

let engine: Engine;
let stock: StockDockerd | undefined;
let scratch: string;
/** The driver, as users call it, and where engines look for it. */
let driver: string;
let socket: string;

beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-recorded-');
  driver = basename(scratch);
  const plugins = join(scratch, 'plugins');
  await mkdir(plugins);
  socket = join(plugins, `${driver}.sock`);
  engine = await startEngine();
  await writeFile(join(engine.pluginDirectory, `${driver}.spec`), `unix://${socket}\n`);
  if (!stockDockerdInstalled) return;
  stock = await StockDockerd.start([], plugins);
  const input = await busyboxTar();
  expect(await engine.dockerAt(stock.host, 'import', '-', 'busybox', { input })).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await stock?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

/** `cleat ARGS`, beside the test. */
const cleat = (...args: string[]): Program => new Program(join(checkout, 'bin/cleat'), args);

/** `cleat ARGS` until it ends by itself. */
async function ended(...args: string[]): Promise<{ code: number | null; said: string }> {
  await using program = cleat(...args);
  await expect.poll(() => program.ended).toBe(true);
  return { code: await program.end('SIGTERM'), said: program.said };
}

/** Uses volumes of the driver as a person does. */
async function useVolumes(host: string): Promise<CommandResult[]> {
  const run = ['run', '--rm', '--network=none', '-v', 'data:/d', `--volume-driver=${driver}`, 'busybox', 'sh', '-c'];
  const commands = [
    ['volume', 'create', '-d', driver, '-o', 'colour=blue', 'other'],
    [...run, 'echo kept > /d/f'],
    [...run, 'cat /d/f; exit 3'],
    ['volume', 'inspect', '--format', '{{.Driver}} {{.Mountpoint}}', 'data'],
    ['volume', 'ls', '-q'],
    ['volume', 'inspect', 'none'],
    ['volume', 'rm', 'data', 'other'],
  ];
  const results: CommandResult[] = [];
  for (const command of commands) results.push(await engine.dockerAt(host, ...command));
  return results;
}

describe.each(['a stock dockerd', 'this engine'])('volumes of no-remove, used by %s', (which) => {
  const isStock = which === 'a stock dockerd';

  test.skipIf(isStock && !stockDockerdInstalled)('are recorded, replayed, and served in its stead', async () => {
    const host = isStock ? (stock?.host ?? '') : `unix://${engine.socket}`;
    const [behind, file] = [join(scratch, `behind-${isStock}.sock`), join(scratch, `volumes-${isStock}.recording`)];
    const root = join(scratch, `root-${isStock}`);
    await using plugin = new Program(process.execPath, [exampleMain('no-remove'), '--socket', behind, '--root', root]);
    await plugin.made(behind);
    const recorder = cleat('record', behind, '--listen', socket, '--output', file);
    await using _recorder = recorder;
    await recorder.made(socket);
    const first = await useVolumes(host);
    expect(first.map(({ code }) => code)).toEqual([0, 0, 3, 0, 0, 1, 0]);
    expect(await recorder.end('SIGTERM')).toBe(0);
    expect(recorder.said).toContain(`recorded in ${file}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(socket)).toBe(false);
    const text = await readFile(file, 'utf8');
    expect(text).toMatch(
      /^> \d+ \S+ POST \/VolumeDriver\.Create.*\n {2}\{"Name":"other","Opts":\{"colour":"blue"\}\}$/m,
    );
    await plugin.end('SIGTERM');

    // The plugin again, as if it were new.
    await rm(root, { recursive: true });
    await using again = new Program(process.execPath, [exampleMain('no-remove'), '--socket', behind, '--root', root]);
    await again.made(behind);
    expect(await ended('replay', file, behind)).toEqual({ code: 0, said: expect.stringContaining('went as recorded') });
    await again.end('SIGTERM');
    expect(await ended('replay', file, behind)).toEqual({
      code: 2,
      said: `cleat replay: there is no ${behind}: start the plugin first\n`,
    });

    // And nobody but the recording.
    const serving = cleat('replay', file, '--serve', socket);
    await using _serving = serving;
    await serving.made(socket);
    expect(await useVolumes(host)).toEqual(first);
    // This engine has learnt meanwhile that this driver's Create needs no Get before it.
    const told = isStock ? 'all went as recorded' : 'VolumeDriver.Get {"Name":"other"} (call 2) was not asked';
    const code = await serving.end('SIGTERM');
    expect({ code, said: serving.said }).toEqual({ code: isStock ? 0 : 1, said: expect.stringContaining(told) });
  });
});

test('a network driver is recorded with its containers, and a fresh one answers alike', async () => {
  const prefix = `q${(process.pid % 1000).toString().padStart(3, '0')}`;
  const start = (name: string, links: string) => {
    const args = ['--socket', join(scratch, name), '--root', join(scratch, `${name}-root`), '--prefix', links];
    return new Program(process.execPath, [exampleMain('veth-network'), ...args]);
  };
  const file = join(scratch, 'network.recording');
  const own = join(engine.pluginDirectory, 'wires.sock');
  await using plugin = start('wires', prefix);
  await plugin.made(join(scratch, 'wires'));
  await using recorder = cleat('record', join(scratch, 'wires'), '--listen', own, '--output', file);
  await recorder.made(own);
  const subnet = `${engine.prefix}.9.0/24`;
  for (const args of [
    ['network', 'create', '-d', 'wires', '--subnet', subnet, 'lan'],
    ['run', '--rm', '--network=lan', 'busybox', 'ip', 'addr', 'show', 'eth0'],
    ['network', 'rm', 'lan'],
  ]) {
    expect(await engine.docker(...args)).toMatchObject({ code: 0, stderr: '' });
  }
  expect(await recorder.end('SIGINT')).toBe(0);
  await plugin.end('SIGTERM');
  expect(await readFile(file, 'utf8')).toContain('POST /NetworkDriver.Join');
  // Its interfaces have other names, which take the place of the recorded ones.
  await using another = start('another', `${prefix.slice(0, 3)}x`);
  await another.made(join(scratch, 'another'));
  const again = await ended('replay', file, join(scratch, 'another'), '--json', '--speed', '1000');
  expect(again.code).toBe(0);
  expect(JSON.parse(again.said)).toEqual({ calls: expect.any(Number), differences: [] });
});

test('in the place of a plugin: engines need not be told, and a kill loses no socket', async () => {
  const own = join(engine.pluginDirectory, 'placed.sock');
  const args = [exampleMain('no-remove'), '--socket', own, '--root', join(scratch, 'placed')];
  await using plugin = new Program(process.execPath, args);
  await plugin.made(own);
  const use = async () => {
    expect(await engine.docker('volume', 'create', '-d', 'placed', 'v')).toMatchObject({ code: 0 });
    expect(await engine.docker('volume', 'rm', 'v')).toMatchObject({ code: 0 });
  };
  await use();
  const inPlace = (name: string) => cleat('record', own, '--in-place', '--output', join(scratch, name));
  const recording = (name: string) => readFile(join(scratch, name), 'utf8');
  await using killed = inPlace('one');
  await expect.poll(() => killed.said).toContain('in its place');
  await use();
  await killed.end('SIGKILL');
  expect(await recording('one')).toContain('POST /VolumeDriver.Remove');
  expect((await ended('record', own, '--put-back')).said).toBe('put back\n');
  await use();
  // It lost nothing that was said.
  expect(await ended('replay', join(scratch, 'one'), own)).toMatchObject({ code: 0 });
  await using second = inPlace('two');
  await expect.poll(() => second.said).toContain('in its place');
  expect((await ended('record', own, '--in-place', '--output', join(scratch, 'three'))).said).toContain(
    'another recorder is at work',
  );
  await use();
  expect(await second.end('SIGTERM')).toBe(0);
  await use();
  expect((await recording('two')).match(/POST \/VolumeDriver.Remove/g)).toHaveLength(1);

  // After a kill, a program that asks for the plugin learns where it is. Closing the terminal is an orderly end.
  await using third = inPlace('four');
  await expect.poll(() => third.said).toContain('in its place');
  await third.end('SIGKILL');
  const advice = expect.stringContaining(`has left ${own} aside: cleat record ${own} --put-back`);
  expect(await ended('replay', join(scratch, 'one'), own)).toEqual({ code: 2, said: advice });
  expect(await ended('record', own, '--listen', join(scratch, 'x.sock'))).toEqual({ code: 1, said: advice });
  await using closed = inPlace('five');
  await expect.poll(() => closed.said).toContain('in its place');
  expect(await closed.end('SIGHUP')).toBe(1);
  expect(existsSync(`${own}.original`)).toBe(false);
  await use();
});

test('the commands explain themselves, and say what they cannot do', async () => {
  expect(await ended('record', '--help')).toEqual({ code: 0, said: expect.stringContaining('--in-place') });
  expect(await ended('replay', '--help')).toEqual({ code: 0, said: expect.stringContaining('--any-order') });
  const file = join(scratch, 'strange.recording');
  await writeFile(file, 'cleat-recording 1\n> 1 0s POST /x\n  {\n');
  const said = expect.stringContaining(`cleat replay: ${file}:2: its body is not JSON`);
  expect(await ended('replay', file, '/nowhere.sock')).toEqual({ code: 2, said });
  expect(await ended('replay', file)).toMatchObject({ code: 2 });
  const free = join(scratch, 'free.recording');
  expect(await ended('record', '/nowhere.sock', '--listen', '/proc/x.sock', '--output', free)).toMatchObject({
    code: 1,
  });
  expect(existsSync(free)).toBe(false);
  expect(await ended('record', '/nowhere.sock', '--output', file)).toEqual({
    code: 1,
    said: expect.stringContaining('it exists; name another one'),
  });
  expect(await ended('replay', '--nonsense')).toEqual({
    code: 2,
    said: "cleat replay: Unknown option '--nonsense'\n",
  });
  for (const [args, why] of [
    [['/nowhere.sock', '--listen', ''], '--listen takes the name of a plugin'],
    [['/nowhere.sock', '--listen', '/no/where/x.sock'], 'there is no /no/where'],
    [['tcp://127.0.0.1:1', '--in-place'], 'is not behind a socket of this host'],
    [['tcp://127.0.0.1:1', '--listen', join(scratch, 'tcp.sock'), '--output', free], 'nobody listens at'],
    [[file, '--listen', join(scratch, 'file.sock'), '--output', free], `${file} is no socket`],
  ] as const) {
    expect(await ended('record', ...args)).toEqual({ code: 1, said: expect.stringContaining(why) });
    expect(existsSync(free)).toBe(false);
  }
});

test('a recorder that saw nothing says so, and a socket that does not exist is not recorded', async () => {
  const [none, file, listen] = ['none.sock', 'none.recording', 'listen.sock'].map((name) => join(scratch, name));
  expect(await ended('record', none ?? '', '--listen', listen ?? '', '--output', file ?? '')).toEqual({
    code: 1,
    said: expect.stringContaining(`there is no ${none}: start the plugin first`),
  });
  expect([listen, file].filter((path) => existsSync(path ?? ''))).toEqual([]);

  const behind = join(scratch, 'unasked.sock');
  await using plugin = new Program(process.execPath, [exampleMain('no-remove'), '--socket', behind, '--root', scratch]);
  await plugin.made(behind);
  await using recorder = cleat('record', behind, '--listen', listen ?? '', '--output', file ?? '');
  await recorder.made(listen ?? '');
  expect(await recorder.end('SIGTERM')).toBe(1);
  expect(recorder.said).toContain('nothing was asked, so nothing is recorded. Engines must ask');
  expect([listen, file].filter((path) => existsSync(path ?? ''))).toEqual([]);

  const head = 'cleat-recording 1\nplugin no-remove\nmade 2026-01-01T00:00:00.000Z\n';
  await writeFile(file ?? '', `${head}\n> 1 0s POST /VolumeDriver.List\n< 1 +0s 200\n  {}\n`);
  await using serving = cleat('replay', file ?? '', '--serve', listen ?? '');
  await serving.made(listen ?? '');
  expect(await serving.end('SIGTERM')).toBe(1);
  expect(serving.said).toContain('nothing was asked');
  expect(await ended('replay', file ?? '', '--serve', '')).toMatchObject({ code: 2 });

  await writeFile(file ?? '', head);
  expect(await ended('replay', file ?? '', behind)).toMatchObject({
    code: 2,
    said: expect.stringContaining('none.recording'),
  });
});
