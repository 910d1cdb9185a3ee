import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeAll } from '../support/client.js';
import { checkout, commandsOf, shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { freePort } from '../support/ports.js';
import { Program } from '../support/program.js';
import { ShownDaemon } from '../support/shown-daemon.js';
import { programsBeside } from '../support/shown-programs.js';

/** README.md, and the guides that begin where it ends. */
let engine: Engine;
const { ok, run, socketOf } = programsBeside(() => engine);
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

test('README: the tour', async () => {
  const port = await freePort();
  const own = { 'unix:///run/cleat-tour.sock': `unix://${engine.socket}`, '8080:80': `${port}:80` };
  const printed = await run(substitute(shown('README.md', 'export DOCKER_HOST'), own), {
    DOCKER_HOST: 'unix:///nowhere',
  });
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello\n');
  expect(printed).toMatch(/ container start [0-9a-f]{64} \(image=busybox, name=web\)/);
  expect(printed).toMatch(/^local +data\r?$/m);
  expect(await ok('run', '--rm', '-v', 'data:/data', 'busybox', 'ls', '/data')).toBe('kept');
  await removeAll(engine);
  await ok('volume', 'rm', 'data');
});

test('README: a first plugin, and the batteries', async () => {
  const root = join(engine.directory, 'no-remove');
  const start = {
    '--root /srv/no-remove': `--root ${root} --socket ${socketOf('no-remove')}`,
    // A person takes a moment to type the next line.
    '&\n': `&\nuntil [ -S ${socketOf('no-remove')} ]; do sleep 0.05; done\n`,
  };
  const look = ['docker volume inspect -f "driver {{.Driver}}" data2', './bin/cleat extensions ls'];
  const printed = await run([substitute(shown('README.md', 'node examples/no-remove'), start), ...look].join('\n'));
  expect(printed).toContain('driver no-remove');
  expect(printed).toMatch(/^no-remove +- +VolumeDriver +\S+ +active/m);
  const args = [join(checkout, 'examples/no-remove/dist/main.js'), '--socket', socketOf('no-remove'), '--root', root];
  const plugin = new Program(process.execPath, args);
  await using _ = plugin;
  await plugin.made(socketOf('no-remove'));
  const [asProcess = '', without = '', another = '', ...more] = commandsOf(
    shown('README.md', './bin/cleatd --extension'),
  );
  expect(more).toEqual([]);
  expect(await driverOfNewVolume(asProcess)).toBe('local process');
  expect(await driverOfNewVolume(without)).toBe('no-remove socket');
  expect(await driverOfNewVolume(another)).toBe('tmpfs in-process');
  await ok('volume', 'rm', 'data2');
});

/** Driver and carrier of new volumes, for the daemon that a command line starts. */
async function driverOfNewVolume(command: string): Promise<string> {
  await using daemon = await ShownDaemon.start(command, engine);
  // Not `docker volume create`, which always names a driver.
  const create = `curl -sSf --json '{}' --unix-socket ${daemon.host.replace('unix://', '')} http://engine/volumes/create`;
  const printed = await run(`${create}\ncleat extensions ls`, { DOCKER_HOST: daemon.host });
  const driver = /"Driver":"([^"]+)"/.exec(printed)?.[1] ?? printed;
  const carrier = new RegExp(`^${driver} +\\S+ +VolumeDriver +(\\S+) +active`, 'm').exec(printed)?.[1] ?? printed;
  return `${driver} ${carrier}`;
}

test('Configuring extensions: where one runs', async () => {
  const [inProcess = '', process = '', off = '', ...more] = commandsOf(
    shown('docs/guide/extensions.md', 'cleatd --extension'),
  );
  expect(more).toEqual([]);
  expect(await driverOfNewVolume(inProcess)).toBe('local in-process');
  expect(await driverOfNewVolume(process)).toBe('local process');
  await using daemon = await ShownDaemon.start(off, engine);
  expect((await engine.dockerAt(daemon.host, 'volume', 'create')).stderr).toContain('local');
});

test('Beside dockerd: two engines, the second with everything of its own', async () => {
  const [start = '', ...use] = commandsOf(
    shown('docs/guide/beside-dockerd.md', './bin/cleatd -H unix:///run/cleat.sock'),
  );
  const [startSecond = '', ...more] = commandsOf(
    shown('docs/guide/beside-dockerd.md', './bin/cleatd -H unix:///run/second.sock'),
  );
  expect(more).toEqual([]);
  await using first = await ShownDaemon.start(start, engine);
  // `export DOCKER_HOST=…` is what leads to the first one.
  const own = { 'unix:///run/cleat.sock': first.host };
  const id = (await run([substitute(use.join('\n'), own), 'docker info -f "{{.ID}}"'].join('\n'))).trim();
  const elsewhere = substitute(startSecond, { second0: `${engine.bridge}s` });
  await using second = await ShownDaemon.start(`${elsewhere} --bip ${engine.prefix}.2.1/24`, engine);
  const { stdout } = await engine.dockerAt(second.host, 'info', '-f', '{{.ID}}');
  expect(id).toMatch(/^[\w:-]+$/);
  expect(stdout.trim()).toMatch(/^[\w:-]+$/);
  expect(stdout.trim()).not.toBe(id);
});
