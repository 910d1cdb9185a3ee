import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout, commandsOf, shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { freePort } from '../support/ports.js';
import { Program } from '../support/program.js';
import { ShownDaemon } from '../support/shown-daemon.js';
import { compileShown, programsBeside } from '../support/shown-programs.js';

/** Guides to what an engine does with its extensions: watching, boot order, recordings. */
let engine: Engine;
const { ok, run, socketOf } = programsBeside(() => engine);
/** Where the TypeScript that is shown was compiled to. */
let compiled: string;
beforeAll(async () => {
  engine = await startEngine();
  compiled = await compileShown(join(engine.directory, 'package'), {
    'bug.test.ts': substitute(shown('docs/guide/record-and-replay.md', 'import { deepEqual }'), {
      '/run/docker/plugins/no-remove.sock': socketOf('no-remove'),
    }),
    'hosts.ts': shown('docs/guide/watching-the-engine.md', 'import { rename'),
    'deaths.ts': shown('docs/guide/watching-the-engine.md', 'import { Engine, events }'),
  });
});
afterAll(() => engine[Symbol.asyncDispose]());

test('Watching extensions: the tool, the metrics, and what the alert asks for', async () => {
  expect(await run(shown('docs/guide/watching-extensions.md', 'cleat extensions ls'))).toMatch(/^NAME +ENTRY +KINDS/);
  const address = `127.0.0.1:${await freePort()}`;
  const [start = '', ...ask] = commandsOf(
    substitute(shown('docs/guide/watching-extensions.md', 'cleatd --metrics-addr'), { '127.0.0.1:9323': address }),
  );
  await using daemon = await ShownDaemon.start(start, engine);
  await engine.dockerAt(daemon.host, 'volume', 'create');
  const metrics = await run(ask.join('\n'));
  const explained = readFileSync(join(checkout, 'docs/guide/watching-extensions.md'), 'utf8').match(
    /(?<=^\| `)cleat_extension\w+/gm,
  );
  expect(explained?.toSorted()).toEqual(metrics.match(/(?<=^# TYPE )cleat_extension\w+/gm)?.toSorted());
  const [, metric = '', results = ''] =
    /\((cleat_\w+)\{result=~"([\w|]+)"\}/.exec(shown('docs/guide/watching-extensions.md', 'sum by (extension)')) ?? [];
  for (const result of ['ok', ...results.split('|')]) {
    expect(metrics).toMatch(new RegExp(`^${metric}\\{extension="[^"]+",.*result="${result}"`, 'm'));
  }
});

test('Networks: the map, as text and as a picture', async () => {
  const said = await run(
    substitute(shown('docs/guide/networks.md', 'docker network create front'), {
      '-p 8080:80': `-p ${await freePort()}:80`,
      '> networks.svg': `> ${engine.directory}/networks.svg`,
    }),
  );
  const printed = said.replaceAll('\r', '');
  expect(printed).toMatch(/^back {2}bridge, internal {2}[\d.]+\/\d+ \(gateway [\d.]+\)\n├─ db {2}/m);
  expect(printed).toMatch(/^└─ web .* 0\.0\.0\.0:\d+->80\/tcp \[::\]:\d+->80\/tcp {2}also on front$/m);
  const picture = readFileSync(`${engine.directory}/networks.svg`, 'utf8');
  expect(picture.match(/<g class="container">/g)).toHaveLength(2);
});

test('Extensions as containers: a plugin is one, and who needs it waits while it is away', async () => {
  const own = {
    '-v /run/docker/plugins:': `-v ${engine.pluginDirectory}:`,
    '/srv/no-remove': join(engine.directory, 'storage'),
    '"$PWD"': checkout.replace(/\/$/, ''),
  };
  const [storage = '', web = '', inspect = '', ...more] = commandsOf(
    substitute(shown('docs/guide/boot-order.md', 'docker run -d --name storage'), own),
  );
  expect(more).toEqual([]);
  const start = `${storage}\nuntil [ -S ${socketOf('no-remove')} ]; do sleep 0.05; done`;
  expect(await run([start, web, inspect].join('\n'))).toMatch(/^Container: +storage \(/m);
  await ok('rm', '-f', 'storage');
  process.kill(Number(await ok('inspect', '-f', '{{.State.Pid}}', 'web')), 'SIGKILL');
  const waiting = 'waiting for the volume driver "no-remove": ';
  await expect.poll(() => ok('inspect', '-f', '{{.State.Error}}', 'web')).toContain(waiting);
  const printed = await run(shown('docs/guide/boot-order.md', 'docker ps -a'));
  expect(printed).toMatch(/Restarting \(137\) /);
  expect(printed).toContain(waiting);
  expect(printed).toMatch(/ container waiting .*extension=no-remove/);
  expect(printed).toMatch(/^no-remove .*container web waiting/m);
  await run(start);
  await expect.poll(() => ok('inspect', '-f', '{{.State.Status}}', 'web')).toBe('running');
  await ok('rm', '-f', 'web');
  await ok('volume', 'rm', 'pages');
  await ok('rm', '-f', 'storage');
});

test('Extensions as containers: the order of the manifest', async () => {
  const manifest = join(engine.directory, 'floors.yaml');
  writeFileSync(manifest, shown('docs/guide/boot-order.md', 'extensions:'));
  await using daemon = await ShownDaemon.start(`cleatd --extension-manifest ${manifest}`, engine);
  const printed = await run('cleat extensions inspect floors', { DOCKER_HOST: daemon.host });
  expect(printed).toMatch(/^Needs: +floor-plan$/m);
  expect(printed).toMatch(/^After: +volume-local, volume-tmpfs$/m);
});

test('Recording: what was recorded is asked of the plugin again, in a test, too, and answered in its stead', async () => {
  const { directory } = engine;
  const file = join(directory, 'bug.recording');
  const own = { 'no-remove': socketOf('no-remove'), 'bug.recording': file };
  const replay = shown('docs/guide/record-and-replay.md', 'cleat replay bug.recording no-remove');
  const recording = shown('docs/guide/record-and-replay.md', 'cleat-recording 1');
  const tool = (text: string) => {
    const [program = '', ...args] = substitute(text, own).split(' ');
    return new Program(join(checkout, 'bin', program), args);
  };
  const start = async () => {
    const args = ['--socket', socketOf('no-remove'), '--root', join(directory, 'recorded')];
    const program = new Program(process.execPath, [join(checkout, 'examples/no-remove/dist/main.js'), ...args]);
    await program.made(socketOf('no-remove'));
    return program;
  };
  await using plugin = await start();
  await using recorder = tool(shown('docs/guide/record-and-replay.md', 'cleat record'));
  await expect.poll(() => recorder.said).toContain('in its place');
  await run(shown('docs/guide/record-and-replay.md', 'docker volume create'));
  expect(await recorder.end('SIGINT')).toBe(0);
  expect(await run(substitute(replay, own))).toContain('calls went as recorded');
  const { stdout } = await promisify(execFile)('node', ['--test', join(compiled, 'bug.test.js')], { cwd: directory });
  expect(stdout).toMatch(/^# pass 1$/m);
  writeFileSync(file, recording);
  expect(await run(substitute(replay, own))).toContain('4 calls went as recorded');
  await plugin.end('SIGTERM');
  writeFileSync(file, substitute(recording, { '<any:place>': '/srv' }));
  await using serving = tool(shown('docs/guide/record-and-replay.md', 'cleat replay bug.recording --serve'));
  await expect.poll(() => serving.said).toContain('standing in for');
  expect(await ok('volume', 'create', '-d', 'no-remove', 'data')).toBe('data');
  expect(await serving.end('SIGINT')).toBe(1);
  expect(serving.said).toContain('VolumeDriver.Mount {"Name":"none","ID":"77ab…"} (call 4) was not asked');
  await using _again = await start();
  await ok('volume', 'rm', '-f', 'data');
});

test('Watching the engine: the addresses of what runs, and who died of what', async () => {
  const file = join(engine.directory, 'hosts');
  const env = { DOCKER_HOST: `unix://${engine.socket}` };
  await using _hosts = new Program(process.execPath, [join(compiled, 'hosts.js'), file], env);
  await using deaths = new Program(process.execPath, [join(compiled, 'deaths.js')], env);
  await expect.poll(() => deaths.said).toContain('watching');
  await ok('run', '-d', '--name=seen', 'busybox', 'sleep', '1000');
  const address = await ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'seen');
  const hosts = () => readFile(file, 'utf8').catch(() => undefined);
  await expect.poll(hosts).toBe(`${address} seen\n`);
  await ok('kill', 'seen');
  await expect.poll(hosts).toBe('');
  await expect.poll(() => deaths.said).toContain('seen ended with 137');
  await ok('rm', 'seen');
});

test('Events: a list has a cursor, and what happens from there on comes in the form that is shown', async () => {
  const [list = ''] = shown('docs/guide/events.md', '$ curl -i').split('\n');
  const ask = (command: string, more: Record<string, string> = {}) =>
    run(substitute(command.slice(2), { '/run/cleat.sock': engine.socket, ...more }));
  const [, cursor = ''] = /^Cleat-Events-Cursor: (\S+)$/m.exec((await ask(list)).replaceAll('\r', '')) ?? [];
  await ok('volume', 'create', 'told');
  const until = (Date.now() / 1000).toFixed(3);
  const told = await ask(shown('docs/guide/events.md', '$ curl --unix-socket'), {
    'q3Zt0aXk.4711': `${cursor}&until=${until}`,
  });
  const [form, event] = [shown('docs/guide/events.md', '{"Type":"container"'), told].map((text) => JSON.parse(text));
  expect(event).toMatchObject({ Type: 'volume', Action: 'create', Actor: { ID: 'told' } });
  expect(Object.keys(form).filter((key) => !(key in event))).toEqual([]);
  await ok('volume', 'rm', 'told');
});

test('Powerstrip: its file is read as it is, and beside hooks', async () => {
  const file = (name: string, text: string) => {
    writeFileSync(join(engine.directory, name), text);
    return run(`cleatd --validate --config-file /dev/null --hooks ${join(engine.directory, name)}`);
  };
  expect(await file('adapters.yml', shown('docs/guide/powerstrip.md', 'version: 1'))).toContain('OK');
  expect(await file('hooks.yaml', shown('docs/guide/powerstrip.md', 'powerstrip:'))).toContain('OK');
});
