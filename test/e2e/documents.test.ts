import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { verify } from '@cleat/conformance';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxTar } from '../../cli/tour/busybox.js';
import { FakeLoki } from '../../examples/loki-logs/fake-loki.fixture.js';
import { BackEnd, endServersBelow, rcloneInstalled } from '../../examples/rclone-volume/back-end.fixture.js';
import { makeCertificates } from './support/certificates.js';
import { clientOf, removeAll } from './support/client.js';
import { allBlocks, type Block, checkout, commandsOf, substitute } from './support/documents.js';
import { type Engine, startEngine } from './support/engine.js';
import { freePort } from './support/ports.js';
import { Program } from './support/program.js';
import { runShell } from './support/shell.js';
import { ShownDaemon } from './support/shown-daemon.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/**
 * What the documents show is run as it stands there. Replaced is only what must be the test's own: each test says what.
 * A new block needs a test, or a line in `notRun`.
 */
const blocks = allBlocks();
const tested = new Set<string>();

/** The block of a document that begins so. */
function shown(document: string, first: string): Block {
  const found = blocks.filter(({ name }) => name.startsWith(`${document}: ${first}`));
  const [block] = found;
  if (block === undefined || found.length > 1) throw new Error(`${found.length} blocks '${first}' in ${document}`);
  tested.add(block.name);
  return block;
}

/** Blocks that no test runs, and why. */
const notRun: Record<string, string> = {
  'README.md: ./try      # sets everything up, starts an engine, runs a first container, and keeps serving until Ctrl-C':
    '`./check` is what runs this test; what `./try` starts is run by tour.test.ts',
  'ARCHITECTURE.md: docker, Compose, dockerode, curl                        plugins: any language, any time':
    'a drawing; test/unit/arrows.test.ts holds its arrows',
  "docs/guide/first-plugin.md: npm run pack          # the kit's packages; not needed once they are in the registry":
    'first-plugin.test.ts runs the guide as a whole',
  'docs/guide/first-plugin.md: npm start &': 'first-plugin.test.ts',
  "docs/guide/first-plugin.md: sed -i 's|const volumes = new VolumeDirectories(options.root);|const volumes = new VolumeDirectories(`${options.root}/${process.pid}`);|' plugin.ts":
    'first-plugin.test.ts',
  'docs/guide/installing.md: ./packaging/install          # below /usr/local; --prefix DIR for another place, --uninstall removes it':
    'packaging.test.ts, in a copy of the system',
  'docs/guide/installing.md: apt-get install debhelper dpkg-dev    # what Debian builds packages with':
    'packaging.test.ts',
  'docs/guide/installing.md: docker -H unix:///run/cleat.sock info':
    'needs systemd; the unit is that of packaging.test.ts',
  'docs/guide/moving-from-dockerd.md: export OLD=unix:///run/docker.sock NEW=unix:///run/cleat.sock': 'moving.test.ts',
  'docs/guide/moving-from-dockerd.md: cleatd --validate --config-file /etc/docker/daemon.json': 'moving.test.ts',
  'docs/guide/moving-from-dockerd.md: docker -H $OLD save busybox | docker -H $NEW load': 'moving.test.ts',
  'docs/guide/moving-from-dockerd.md: docker -H $NEW volume create data': 'moving.test.ts',
  'docs/guide/moving-from-dockerd.md: systemctl disable --now docker.socket docker.service':
    'needs systemd, and would end the dockerd of this host',
  'bench/README.md: npm run bench                           # everything, a few minutes':
    'takes minutes, and wants the machine for itself; bench/ has tests of its own',
};

const readme = {
  tour: shown('README.md', 'export DOCKER_HOST'),
  plugin: shown('README.md', 'node examples/no-remove'),
  batteries: shown('README.md', './bin/cleatd --extension'),
};
const guide = {
  first: shown('docs/guide/beside-dockerd.md', './bin/cleatd -H unix:///run/cleat.sock'),
  second: shown('docs/guide/beside-dockerd.md', './bin/cleatd -H unix:///run/second.sock'),
  carriers: shown('docs/guide/extensions.md', 'cleatd --extension'),
  tls: shown('docs/guide/authorization.md', 'cleatd -H tcp'),
  watching: shown('docs/guide/watching-extensions.md', 'cleat extensions ls'),
  metrics: shown('docs/guide/watching-extensions.md', 'cleatd --metrics-addr'),
  secrets: shown('docs/guide/secrets.md', 'docker run -d'),
  collecting: shown('docs/guide/watching-extensions.md', 'cleatd --metrics-collector'),
  logs: shown('docs/guide/logs.md', 'cleat log-drivers'),
  alert: shown('docs/guide/watching-extensions.md', 'sum by (extension)'),
};
const recording = {
  record: shown('docs/guide/record-and-replay.md', 'cleat record'),
  use: shown('docs/guide/record-and-replay.md', 'docker volume create'),
  file: shown('docs/guide/record-and-replay.md', 'cleat-recording 1'),
  replay: shown('docs/guide/record-and-replay.md', 'cleat replay bug.recording no-remove'),
  test: shown('docs/guide/record-and-replay.md', 'import { deepEqual }'),
  serve: shown('docs/guide/record-and-replay.md', 'cleat replay bug.recording --serve'),
};
const verifying = {
  production: shown('docs/guide/verifying-a-plugin.md', 'cleat verify /run'),
  started: shown('docs/guide/verifying-a-plugin.md', 'cleat verify /tmp'),
  reports: shown('docs/guide/verifying-a-plugin.md', 'cleat verify no-remove --read-only --format tap'),
  vitest: shown('docs/guide/verifying-a-plugin.md', 'import { afterAll, test }'),
  node: shown('docs/guide/verifying-a-plugin.md', 'import { after, test }'),
};
const boot = {
  storage: shown('docs/guide/boot-order.md', 'docker run -d --name storage'),
  waiting: shown('docs/guide/boot-order.md', 'docker ps -a'),
  manifest: shown('docs/guide/boot-order.md', 'extensions:'),
};
const code = {
  plain: shown('docs/guide/kinds/volume.md', 'import { mkdir'),
  main: shown('docs/guide/kinds/volume.md', '#!/usr/bin/env node'),
  policy: shown('docs/guide/kinds/authz.md', 'import { authzKind'),
  ledger: shown('docs/guide/kinds/metrics.md', 'import { get }'),
  shelf: shown('docs/guide/kinds/log.md', 'import { appendFile'),
  keep: shown('docs/guide/kinds/secret.md', 'import { readFile }'),
  hosts: shown('docs/guide/watching-the-engine.md', 'import { rename'),
  deaths: shown('docs/guide/watching-the-engine.md', 'import { Engine, events }'),
  mine: shown('sdk/README.md', 'import { mkdirSync'),
  remote: shown('sdk/README.md', 'import { execFile'),
  pools: shown('sdk/README.md', 'import { DurableMap'),
  testing: shown('sdk/README.md', 'import assert'),
};
const sdk = {
  mine: shown('sdk/README.md', 'node mine.js'),
  remote: shown('sdk/README.md', 'docker volume create -d remote'),
};
const noRemove = {
  start: shown('examples/no-remove/README.md', 'node examples'),
  use: shown('examples/no-remove/README.md', 'docker run'),
};
const plugged = {
  start: shown('examples/veth-network/README.md', 'node examples/file-ipam'),
  use: shown('examples/veth-network/README.md', 'docker network create'),
  alone: shown('examples/file-ipam/README.md', 'docker network create'),
};
const sharedMount = {
  start: shown('examples/shared-mount/README.md', 'node examples'),
  use: shown('examples/shared-mount/README.md', 'docker volume create'),
};
const quotaTmpfs = {
  start: shown('examples/quota-tmpfs/README.md', 'node examples'),
  use: shown('examples/quota-tmpfs/README.md', 'docker volume create'),
};
const rcloneVolume = {
  start: shown('examples/rclone-volume/README.md', 'node examples'),
  use: shown('examples/rclone-volume/README.md', 'docker volume create'),
};
const lokiLogs = {
  start: shown('examples/loki-logs/README.md', 'node examples'),
  use: shown('examples/loki-logs/README.md', 'docker run'),
};
const labelAuthz = {
  policy: shown('examples/label-authz/README.md', 'cat > /srv/policy.json'),
  engine: shown('examples/label-authz/README.md', 'cleatd'),
  start: shown('examples/label-authz/README.md', 'node examples'),
  use: shown('examples/label-authz/README.md', 'export DOCKER_HOST'),
};
const metricsCollector = {
  start: shown('examples/metrics-collector/README.md', 'node examples'),
  engine: shown('examples/metrics-collector/README.md', 'cleatd'),
};
const otherLanguages = [
  {
    file: 'shelf.py',
    text: shown('docs/guide/other-languages.md', '#!/usr/bin/env python3').text,
    use: shown('docs/guide/other-languages.md', 'python3 shelf.py').text,
  },
  {
    file: 'shelf.sh',
    text: shown('docs/guide/other-languages.md', '#!/bin/sh').text,
    use: shown('docs/guide/other-languages.md', 'sh shelf.sh').text,
  },
];
const localVolumes = shown('batteries/volume-local/README.md', 'docker volume create data');
const tmpfsVolumes = shown('batteries/volume-tmpfs/README.md', 'docker volume create -d tmpfs');
const json = blocks.filter(({ language }) => language === 'json');
for (const { name } of json) tested.add(name);
// Acted by kind-pages.test.ts, on this engine and on a stock dockerd.
for (const { name, language } of blocks) if (language === 'sequence') tested.add(name);

let engine: Engine;
/** Where the TypeScript that documents show was compiled to. */
let compiled: string;
const { ok, refused } = clientOf(() => engine);
const run = (text: string, env: NodeJS.ProcessEnv = {}): Promise<string> =>
  runShell(text, engine.directory, { DOCKER_HOST: `unix://${engine.socket}`, ...env });
const socketOf = (name: string): string => join(engine.pluginDirectory, `${name}.sock`);

beforeAll(async () => {
  engine = await startEngine();
  compiled = await compile();
});
afterAll(() => engine[Symbol.asyncDispose]());

/** One compilation for all, as strict as the checkout's own, in a package of its own that depends on the SDK. */
async function compile(): Promise<string> {
  const directory = join(engine.directory, 'package');
  mkdirSync(directory);
  symlinkSync(join(checkout, 'node_modules'), join(directory, 'node_modules'));
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  write('package.json', '{ "type": "module" }');
  write('plain.ts', code.plain.text);
  write('main.ts', code.main.text);
  write('policy.ts', code.policy.text);
  // "served as the volume plugin"
  write('policy-main.ts', substitute(code.main.text, { plain: 'policy' }));
  write('ledger.ts', code.ledger.text);
  write('ledger-main.ts', substitute(code.main.text, { plain: 'ledger' }));
  write('shelf.ts', code.shelf.text);
  write('shelf-main.ts', substitute(code.main.text, { plain: 'shelf' }));
  write('keep.ts', code.keep.text);
  write('keep-main.ts', substitute(code.main.text, { plain: 'keep' }));
  write('mine.ts', code.mine.text);
  const own = { '/run/docker/plugins/no-remove.sock': socketOf('no-remove') };
  write('bug.test.ts', substitute(recording.test.text, own));
  const main = { 'node main.js': `node ${join(checkout, 'examples/no-remove/dist/main.js')}` };
  write('in-vitest.test.ts', substitute(verifying.vitest.text, main));
  write('in-node.test.ts', substitute(verifying.node.text, main));
  write('remote.ts', code.remote.text);
  write('pools.ts', code.pools.text);
  write('plain.test.ts', code.testing.text.replaceAll('/srv/plain', join(engine.directory, 'tested')));
  write('hosts.ts', code.hosts.text);
  write('deaths.ts', code.deaths.text);
  const compilerOptions = { composite: false, declaration: false, noUnusedParameters: false, noUnusedLocals: false };
  write('tsconfig.json', JSON.stringify({ extends: join(checkout, 'tsconfig.base.json'), compilerOptions }));
  await promisify(execFile)(join(checkout, 'node_modules/.bin/tsc'), ['-p', directory]).catch(
    ({ stdout }: { stdout: string }) => {
      throw new Error(`what the documents show does not compile:\n${stdout}`);
    },
  );
  return directory;
}

/** A plugin that was compiled, beside the engine. */
async function startPlugin(file: string, name: string, ...args: string[]): Promise<Program> {
  const program = new Program(process.execPath, [join(compiled, file), '--socket', socketOf(name), ...args]);
  await program.made(socketOf(name));
  return program;
}

/** The one program that a document starts, once it listens. */
async function startShown(text: string, name: string): Promise<Program> {
  const [command = '', ...more] = commandsOf(text);
  expect(more).toEqual([]);
  const [program = '', main = '', ...args] = command.split(' ');
  const socket = args.includes('--socket') ? [] : ['--socket', socketOf(name)];
  const started = new Program(program, [join(checkout, main), ...args, ...socket]);
  await started.made(socketOf(name));
  return started;
}

test('every block of every document is run here, or it is said why not', () => {
  const unknown = blocks.filter(({ name }) => !tested.has(name) && !(name in notRun)).map(({ name }) => name);
  expect(unknown).toEqual([]);
  const gone = Object.keys(notRun).filter((name) => !blocks.some((block) => block.name === name));
  expect(gone).toEqual([]);
});

test('README: the tour', async () => {
  const port = await freePort();
  const own = { 'unix:///run/cleat-tour.sock': `unix://${engine.socket}`, '8080:80': `${port}:80` };
  const printed = await run(substitute(readme.tour.text, own), { DOCKER_HOST: 'unix:///nowhere' });
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
  const printed = await run([substitute(readme.plugin.text, start), ...look].join('\n'));
  expect(printed).toContain('driver no-remove');
  expect(printed).toMatch(/^no-remove +- +VolumeDriver +\S+ +active/m);
  const args = [join(checkout, 'examples/no-remove/dist/main.js'), '--socket', socketOf('no-remove'), '--root', root];
  const plugin = new Program(process.execPath, args);
  await using _ = plugin;
  await plugin.made(socketOf('no-remove'));
  const [asProcess = '', without = '', another = '', ...more] = commandsOf(readme.batteries.text);
  expect(more).toEqual([]);
  expect(await driverOfNewVolume(asProcess)).toBe('local process');
  expect(await driverOfNewVolume(without)).toBe('no-remove socket');
  expect(await driverOfNewVolume(another)).toBe('tmpfs in-process');
  await ok('volume', 'rm', 'data2');
});

/** What makes volumes for the daemon that a command line starts: driver and carrier. */
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
  const [inProcess = '', process = '', off = '', ...more] = commandsOf(guide.carriers.text);
  expect(more).toEqual([]);
  expect(await driverOfNewVolume(inProcess)).toBe('local in-process');
  expect(await driverOfNewVolume(process)).toBe('local process');
  await using daemon = await ShownDaemon.start(off, engine);
  expect((await engine.dockerAt(daemon.host, 'volume', 'create')).stderr).toContain('local');
});

test.each(json)('daemon.json is valid: $name', async ({ text }) => {
  expect(JSON.parse(text)).toBeTypeOf('object');
  const file = join(engine.directory, 'shown.json');
  writeFileSync(file, text);
  expect(await run(`cleatd --validate --config-file ${file}`)).toContain('OK');
});

test('Beside dockerd: two engines, the second with everything of its own', async () => {
  const [start = '', ...use] = commandsOf(guide.first.text);
  const [startSecond = '', ...more] = commandsOf(guide.second.text);
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

test('Volume plugins: the plugin of the page keeps volumes', async () => {
  const root = join(engine.directory, 'plain');
  mkdirSync(root);
  await using _ = await startPlugin('main.js', 'plain', '--root', root);
  const mounted = ['run', '--rm', '-v', 'notes:/d', '--volume-driver', 'plain', 'busybox'];
  await ok(...mounted, 'sh', '-c', 'echo kept > /d/file');
  expect(await ok(...mounted, 'cat', '/d/file')).toBe('kept');
  expect(await ok('volume', 'ls', '-q', '-f', 'driver=plain')).toBe('notes');
  await ok('volume', 'rm', 'notes');
  expect(await refused('volume', 'inspect', 'notes')).toContain('notes');
});

test('Logs: the driver of the guide, and what it has not got', async () => {
  const directory = join(engine.directory, 'shelf');
  mkdirSync(directory);
  await using _ = await startPlugin('shelf-main.js', 'shelf', '--directory', directory);
  const logged = ['run', '--name=reader', '--network=none', '--log-driver=shelf'];
  await ok(...logged, '--log-opt=shelf=upper', 'busybox', 'sh', '-c', 'echo one; echo two');
  await expect
    .poll(() => readFile(join(directory, 'upper'), 'utf8').catch(() => ''), { timeout: 20_000 })
    .toBe('reader: one\nreader: two\n');
  expect(await ok('logs', 'reader')).toBe('one\ntwo');
  expect(await refused(...logged, '--log-opt=colour=red', 'busybox', 'true')).toContain('shelf has no option colour');
  expect(await run(guide.logs.text)).toMatch(/^DRIVER +CONTAINERS +BEHIND +DROPPED +LINES +WHY/);
  await ok('rm', 'reader');
});

test('Deciding who may do what: the policy of the guide, asked by the engine of the guide', async () => {
  const certificates = await makeCertificates(engine.directory, ['alice', 'bob']);
  await using _plugin = await startPlugin('policy-main.js', 'policy');
  const [start = '', ...more] = commandsOf(guide.tls.text);
  expect(more).toEqual([]);
  const own = {
    'tcp://0.0.0.0:2376': certificates.host,
    ' ca.pem': ` ${certificates.file('server', 'cacert')}`,
    ' cert.pem': ` ${certificates.file('server', 'cert')}`,
    ' key.pem': ` ${certificates.file('server', 'key')}`,
  };
  await using daemon = await ShownDaemon.start(substitute(start, own), engine);
  const as = (user: string, ...args: string[]) =>
    engine.dockerAt(daemon.host, '--tlsverify', ...certificates.clientFlags(user), ...args);
  expect(await as('alice', 'volume', 'create', 'hers')).toMatchObject({ code: 0 });
  expect((await as('bob', 'volume', 'create', 'his')).stderr).toContain('bob may only look');
  expect((await as('bob', 'volume', 'ls', '-q')).stdout).toBe('hers\n');
  expect((await as('alice', 'create', '--privileged', 'busybox')).stderr).toContain('nobody may be privileged');
  expect((await as('alice', 'info', '-f', '{{.Plugins.Authorization}}')).stdout).toBe('[policy]\n');
});

test('Watching extensions: the tool, the metrics, and what the alert asks for', async () => {
  expect(await run(guide.watching.text)).toMatch(/^NAME +ENTRY +KINDS/);
  const address = `127.0.0.1:${await freePort()}`;
  const [start = '', ...ask] = commandsOf(substitute(guide.metrics.text, { '127.0.0.1:9323': address }));
  await using daemon = await ShownDaemon.start(start, engine);
  await engine.dockerAt(daemon.host, 'volume', 'create');
  const metrics = await run(ask.join('\n'));
  const explained = readFileSync(join(checkout, 'docs/guide/watching-extensions.md'), 'utf8').match(
    /(?<=^\| `)cleat_extension\w+/gm,
  );
  expect(explained?.toSorted()).toEqual(metrics.match(/(?<=^# TYPE )cleat_extension\w+/gm)?.toSorted());
  const [, metric = '', results = ''] = /\((cleat_\w+)\{result=~"([\w|]+)"\}/.exec(guide.alert.text) ?? [];
  for (const result of ['ok', ...results.split('|')]) {
    expect(metrics).toMatch(new RegExp(`^${metric}\\{extension="[^"]+",.*result="${result}"`, 'm'));
  }
});

test('Watching extensions: a collector reads what the engine counts', async () => {
  const [start = '', ...more] = commandsOf(guide.collecting.text);
  expect(more).toEqual([]);
  await using daemon = await ShownDaemon.start(start, engine);
  const page = join(daemon.directory, 'run/metrics.sock');
  await using ledger = await startPlugin('ledger-main.js', 'ledger', '--page', page);
  await expect.poll(() => ledger.said, { timeout: 20_000 }).toContain('engine_daemon_engine_info{version="28.3');
});

test('Extensions as containers: a plugin is one, and who needs it waits while it is away', async () => {
  const own = {
    '-v /run/docker/plugins:': `-v ${engine.pluginDirectory}:`,
    '/srv/no-remove': join(engine.directory, 'storage'),
    '"$PWD"': checkout.replace(/\/$/, ''),
  };
  const [storage = '', web = '', inspect = '', ...more] = commandsOf(substitute(boot.storage.text, own));
  expect(more).toEqual([]);
  const start = `${storage}\nuntil [ -S ${socketOf('no-remove')} ]; do sleep 0.05; done`;
  expect(await run([start, web, inspect].join('\n'))).toMatch(/^Container: +storage \(/m);
  await ok('rm', '-f', 'storage');
  process.kill(Number(await ok('inspect', '-f', '{{.State.Pid}}', 'web')), 'SIGKILL');
  const waiting = 'waiting for the volume driver "no-remove": ';
  await expect.poll(() => ok('inspect', '-f', '{{.State.Error}}', 'web'), { timeout: 30_000 }).toContain(waiting);
  const printed = await run(boot.waiting.text);
  expect(printed).toMatch(/Restarting \(137\) /);
  expect(printed).toContain(waiting);
  expect(printed).toMatch(/ container waiting .*extension=no-remove/);
  expect(printed).toMatch(/^no-remove .*container web waiting/m);
  await run(start);
  await expect.poll(() => ok('inspect', '-f', '{{.State.Status}}', 'web'), { timeout: 30_000 }).toBe('running');
  await ok('rm', '-f', 'web');
  await ok('volume', 'rm', 'pages');
  await ok('rm', '-f', 'storage');
});

test('Extensions as containers: the order of the manifest', async () => {
  const manifest = join(engine.directory, 'floors.yaml');
  writeFileSync(manifest, boot.manifest.text);
  await using daemon = await ShownDaemon.start(`cleatd --extension-manifest ${manifest}`, engine);
  const printed = await run('cleat extensions inspect floors', { DOCKER_HOST: daemon.host });
  expect(printed).toMatch(/^Needs: +floor-plan$/m);
  expect(printed).toMatch(/^After: +volume-local, volume-tmpfs$/m);
});

test('Giving secrets to containers: the provider of the guide', async () => {
  const root = join(engine.directory, 'keep');
  mkdirSync(join(root, 'test'), { recursive: true });
  writeFileSync(join(root, 'test/password'), 'open sesame');
  await using _ = await startPlugin('keep-main.js', 'keep', '--root', root);
  expect(await run(guide.secrets.text)).toMatch(/^[0-9a-f]{64}\s+open sesame$/);
  await ok('rm', '-f', 'db');
});

test('Recording: what was recorded is asked of the plugin again, in a test, too, and answered in its stead', async () => {
  const { directory } = engine;
  const file = join(directory, 'bug.recording');
  const own = { 'no-remove': socketOf('no-remove'), 'bug.recording': file };
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
  await using recorder = tool(recording.record.text);
  await expect.poll(() => recorder.said).toContain('in its place');
  await run(recording.use.text);
  expect(await recorder.end('SIGINT')).toBe(0);
  expect(await run(substitute(recording.replay.text, own))).toContain('calls went as recorded');
  const { stdout } = await promisify(execFile)('node', ['--test', join(compiled, 'bug.test.js')], { cwd: directory });
  expect(stdout).toMatch(/^# pass 1$/m);
  writeFileSync(file, recording.file.text);
  expect(await run(substitute(recording.replay.text, own))).toContain('4 calls went as recorded');
  await plugin.end('SIGTERM');
  writeFileSync(file, substitute(recording.file.text, { '<any:place>': '/srv' }));
  await using serving = tool(recording.serve.text);
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

test('label-authz: its README', async () => {
  const certificates = await makeCertificates(engine.directory, ['alice', 'bob']);
  for (const user of ['alice', 'bob']) {
    const directory = join(engine.directory, user);
    mkdirSync(directory);
    copyFileSync(certificates.file(user, 'cacert'), join(directory, 'ca.pem'));
    for (const what of ['cert', 'key'] as const) {
      copyFileSync(certificates.file(user, what), join(directory, `${what}.pem`));
    }
  }
  const policy = { '/srv/policy.json': join(engine.directory, 'policy.json') };
  await run(substitute(labelAuthz.policy.text, policy));
  const [command = '', ...more] = commandsOf(labelAuthz.engine.text);
  expect(more).toEqual([]);
  const own = {
    'tcp://0.0.0.0:2376': certificates.host,
    ' ca.pem': ` ${certificates.file('server', 'cacert')}`,
    ' cert.pem': ` ${certificates.file('server', 'cert')}`,
    ' key.pem': ` ${certificates.file('server', 'key')}`,
  };
  await using daemon = await ShownDaemon.start(substitute(command, own), engine);
  const places = { ...policy, 'unix:///run/cleat.sock': daemon.host };
  await using _plugin = await startShown(substitute(labelAuthz.start.text, places), 'label-authz');
  const tar = await busyboxTar();
  const user = { 'tcp://localhost:2376': certificates.host, '~/': `${engine.directory}/` };
  // Pulling is for administrators, and there is nothing to pull from.
  writeFileSync(policy['/srv/policy.json'], '{"teams":{},"unnamed":"admin"}');
  expect(await engine.dockerAt(daemon.host, 'import', '-', 'busybox', { input: tar })).toMatchObject({ code: 0 });
  await run(substitute(labelAuthz.policy.text, policy));
  const printed = await run(substitute(labelAuthz.use.text, user));
  expect(printed).toMatch(/busybox +"sleep 1000".* shop\r?$/m);
  expect(printed).toContain('bob of db may not touch shop: it is of team web');
  expect(printed).toMatch(/^refused\r?$/m);
  expect((await engine.dockerAt(daemon.host, 'ps', '-aq')).stdout).toBe('');
});

test('metrics-collector: its README', async () => {
  const [command = '', ...more] = commandsOf(metricsCollector.engine.text);
  expect(more).toEqual([]);
  await using daemon = await ShownDaemon.start(command, engine);
  const directory = join(engine.directory, 'figures');
  mkdirSync(directory);
  const places = { '/run/cleat/metrics.sock': join(daemon.directory, 'run/metrics.sock'), '/srv/figures': directory };
  await using _plugin = await startShown(substitute(metricsCollector.start.text, places), 'metrics-collector');
  const figures = () => readFile(join(directory, 'engine.prom'), 'utf8').catch(() => '');
  await expect.poll(figures).toContain('engine_daemon_engine_info{version="28.3');
});

test('Verifying a plugin: in production, started, for CI, and in test runners', async () => {
  const { directory } = engine;
  const socket = socketOf('no-remove');
  const root = join(directory, 'verified');
  {
    const args = [join(checkout, 'examples/no-remove/dist/main.js'), '--socket', socket, '--root', root];
    await using plugin = new Program(process.execPath, args);
    await plugin.made(socket);
    const production = { '/run/docker/plugins/no-remove.sock': socket };
    expect(await run(substitute(verifying.production.text, production))).toMatch(/ 0 failed, .* [1-9]\d* skipped/);
    const [xml, json] = [join(directory, 'verdict.xml'), join(directory, 'verdict.json')];
    const own = { 'verify no-remove': `verify ${socket}`, 'verdict.xml': xml, 'verdict.json': json };
    expect(await run(substitute(verifying.reports.text, own))).toMatch(/^TAP version 14\r?$/m);
    expect(readFileSync(xml, 'utf8')).toContain('<testsuite name="VolumeDriver"');
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ conformant: true });
  }
  const own = { '/tmp/verified.sock': join(directory, 'verified.sock'), '--root /tmp/verified': `--root ${root}` };
  expect(await run(substitute(verifying.started.text, own))).toContain('It is what engines expect.');
  const node = await promisify(execFile)('node', ['--test', join(compiled, 'in-node.test.js')], { cwd: directory });
  expect(node.stdout).toMatch(/^# fail 0$/m);
  expect(node.stdout).toMatch(/^# pass [1-9]\d$/m);
  const vitest = ['vitest', 'run', '--root', compiled, 'in-vitest.test.js'];
  const { stdout } = await promisify(execFile)('npx', vitest, {
    cwd: checkout,
    env: { ...process.env, NO_COLOR: '1' },
  });
  expect(stdout).toMatch(/Tests {2}[1-9]\d passed/);
});

/** On a stock dockerd, which shows what was sent, and leaves it to a log driver to find its streams again. */
const onlyForDockerd = /^(authz\/(target-escapes|body-spellings)|log\/crash-reads-on)$/;

const shownPlugins: { name: string; args: string; options: Record<string, string> }[] = [
  { name: 'policy', args: '', options: {} },
  { name: 'ledger', args: '', options: {} },
  { name: 'shelf', args: '--directory', options: {} },
  { name: 'keep', args: '--root', options: { secret: 'password', env: 'verified' } },
];

test.each(shownPlugins)('the plugin $name of its guide is what engines expect', async ({ name, args, options }) => {
  const root = join(engine.directory, `verified-${name}`);
  mkdirSync(join(root, 'verified'), { recursive: true });
  writeFileSync(join(root, 'verified/password'), 'open sesame');
  const socket = join(engine.directory, `verified-${name}.sock`);
  const command = [
    process.execPath,
    join(compiled, `${name}-main.js`),
    '--socket',
    socket,
    ...(args ? [args, root] : []),
  ];
  const { results } = await verify(socket, { start: `exec ${command.join(' ')}`, options });
  const wanting = results.filter(({ outcome }) => outcome !== 'passed' && outcome !== 'skipped');
  expect(wanting.map(({ case: { id } }) => id).filter((id) => !onlyForDockerd.test(id))).toEqual([]);
  expect(results.flatMap(({ leftBehind }) => leftBehind)).toEqual([]);
});

test('no-remove: its README', async () => {
  const own = { '/srv/no-remove': `${join(engine.directory, 'kept')} --socket ${socketOf('no-remove')}` };
  await using _ = await startShown(substitute(noRemove.start.text, own), 'no-remove');
  expect(await run(noRemove.use.text)).toMatch(/^hello\r?$/m);
  await ok('volume', 'rm', 'data');
});

test('shared-mount: its README', async () => {
  const device = join(engine.directory, 'shared');
  mkdirSync(device);
  const own = {
    '--device /srv/shared': `--device ${device} --root ${join(engine.directory, 'mounts')} --socket ${socketOf('shared-mount')}`,
  };
  await using _ = await startShown(substitute(sharedMount.start.text, own), 'shared-mount');
  const printed = await run(sharedMount.use.text);
  expect(printed).toMatch(/ 1001 +1001 .* hers\r?$/m);
  expect(printed).toMatch(/ 1002 +1002 .* his\r?$/m);
  expect(await ok('volume', 'ls', '-q', '--filter', 'driver=shared-mount')).toBe('');
});

test('quota-tmpfs: its README', async () => {
  const own = {
    '--total 256m': `--total 256m --root ${join(engine.directory, 'memory')} --socket ${socketOf('quota-tmpfs')}`,
  };
  await using _ = await startShown(substitute(quotaTmpfs.start.text, own), 'quota-tmpfs');
  const printed = await run(quotaTmpfs.use.text);
  expect(printed).toMatch(/^shared\r?$/m);
  expect(printed).toMatch(/^\{.*"LimitBytes":67108864,.*"UsedBytes":4096\}\r?$/m);
  expect(printed).toContain('volume large of 1g does not fit, 192m of 256m are left: ');
  expect(await ok('volume', 'ls', '-q', '--filter', 'driver=quota-tmpfs')).toBe('');
});

test.skipIf(!rcloneInstalled)('rclone-volume: its README', async () => {
  const directory = join(engine.directory, 'cloud');
  mkdirSync(directory);
  await using backEnd = new BackEnd(directory);
  await backEnd.start();
  const flags = `--root ${join(directory, 'root')} --socket ${socketOf('rclone-volume')}`;
  const own = { '/root/.config/rclone/rclone.conf': `${backEnd.config} ${flags}` };
  await using _ = await startShown(substitute(rcloneVolume.start.text, own), 'rclone-volume');
  try {
    const printed = await run(rcloneVolume.use.text);
    expect(printed).toMatch(/^hello\r?$/m);
    expect(printed).toMatch(/^\{"Holders":0,"Mounted":false,"Remote":"box:data","Unsent":0\}\r?$/m);
    expect(readFileSync(join(backEnd.files, 'data/file'), 'utf8')).toBe('hello\n');
  } finally {
    endServersBelow(directory);
  }
});

test('loki-logs: its README', async () => {
  await using loki = new FakeLoki();
  await loki.start();
  const start = `${lokiLogs.start.text} --socket ${socketOf('loki-logs')}`;
  await using _ = await startShown(start, 'loki-logs');
  await run(substitute(lokiLogs.use.text, { 'http://127.0.0.1:3100': loki.url }));
  const labels = { container: 'web', image: 'busybox', app: 'shop', source: 'stdout' };
  await expect
    .poll(() => loki.streams(labels))
    .toMatchObject([{ stream: labels, values: [[expect.any(String), 'hello']] }]);
});

test('veth-network and file-ipam: their READMEs', async () => {
  const { start, use, alone } = plugged;
  const prefix = `d${(process.pid % 1000).toString().padStart(3, '0')}`;
  const own = {
    '--file /srv/addresses.json': `--file ${join(engine.directory, 'addresses.json')} --source ${engine.prefix}.64.0/18 --socket ${socketOf('file-ipam')}`,
    '--root /srv/veth-network': `--root ${join(engine.directory, 'veth')} --prefix ${prefix} --socket ${socketOf('veth-network')}`,
  };
  const [ipam, network] = commandsOf(substitute(start.text, own)).map((command) => {
    const [program = '', main = '', ...args] = command.replace(/ &$/, '').split(' ');
    return new Program(program, [join(checkout, main), ...args]);
  });
  await using _ipam = ipam;
  await using _network = network;
  await ipam?.made(socketOf('file-ipam'));
  await network?.made(socketOf('veth-network'));
  const port = `${await freePort()}`;
  expect(await run(substitute(use.text, { '8080:80': `${port}:80` }))).toContain('1 packets received');
  await run(substitute(alone.text, { '10.211.7.0/24': `${engine.prefix}.7.0/24` }));
  expect(await ok('network', 'ls', '-q', '--filter', 'name=wires', '--filter', 'name=mine')).toBe('');
});

test.each(otherLanguages)(
  'In other languages: $file serves this engine and dockerd',
  async ({ file, text, use }) => {
    const directory = join(engine.directory, 'other-languages');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, file), text);
    const socket = socketOf('shelf');
    const own = { [file]: join(directory, file), '/run/docker/plugins/shelf.sock': socket, '/srv/': `${directory}/` };
    const [start = '', ...more] = commandsOf(substitute(use, own)).map((each) =>
      each.replaceAll('/run/verified.sock', join(directory, 'verified.sock')),
    );
    const [program = '', ...args] = start.replace(/ &$/, '').split(' ');
    await using plugin = new Program(program, args);
    await plugin.made(socket);
    const lines = more.filter((command) => command.startsWith('docker '));
    const verifying = more.filter((command) => !command.startsWith('docker '));
    expect(await run(lines.join('\n'))).toMatch(/^hello\r?$/m);
    for (const command of verifying) {
      const printed = await runShell(command, engine.directory, {}, 110_000);
      expect(printed).toContain('It is what engines expect.');
    }
    if (!stockDockerdInstalled) return;
    await using stock = await StockDockerd.start([], engine.pluginDirectory);
    await engine.dockerAt(stock.host, 'import', '-', 'busybox', { input: await busyboxTar() });
    expect(await run(lines.join('\n'), { DOCKER_HOST: stock.host })).toMatch(/^hello\r?$/m);
  },
  240_000,
);

test('volume-local: the examples of its README', async () => {
  const names = (await run(localVolumes.text)).trim().split(/\s+/);
  expect(names).toEqual(['data', 'scratch', 'shared']);
  expect(await ok('run', '--rm', '-v', 'scratch:/s', 'busybox', 'stat', '-c', '%a', '/s')).toBe('1777');
  await ok('volume', 'rm', ...names);
});

test('volume-tmpfs: the examples of its README', async () => {
  const printed = await run(tmpfsVolumes.text);
  expect(printed).toMatch(/^scratch\s+kept\s+\{.*"SizeBytes":67108864,"UsedBytes":4096,.*\}\s*$/);
  await ok('volume', 'rm', 'scratch');
});

test('SDK: the plugin of its README is served, and tells how it is', async () => {
  const root = join(engine.directory, 'mine');
  const socket = socketOf('mine');
  await using _ = await startPlugin('mine.js', 'mine', '--root', root);
  const [start, ...use] = commandsOf(sdk.mine.text);
  expect(start).toBe('node mine.js --root /srv/mine &');
  const printed = await run(substitute(use.join('\n'), { '/run/docker/plugins/mine.sock': socket }));
  expect(printed).toMatch(/^data\s+\{"status":"ok","name":"mine"/);
  expect(await ok('run', '--rm', '-v', 'data:/d', 'busybox', 'sh', '-c', 'echo kept > /d/file; cat /d/file')).toBe(
    'kept',
  );
  expect(readFileSync(join(root, 'data/file'), 'utf8')).toBe('kept\n');
  expect(await run(`curl -sS --unix-socket ${socket} http://plugin/metrics`)).toMatch(/^mine_volumes 1$/m);
  await ok('volume', 'rm', 'data');
});

test('SDK: one mount for several containers', async () => {
  const places = ['--root', join(engine.directory, 'remote'), '--state', join(engine.directory, 'remote-state')];
  await using _ = await startPlugin('remote.js', 'remote', ...places);
  expect(await run(sdk.remote.text)).toMatch(/^hello\r?$/m);
  expect(await ok('volume', 'ls', '-q', '-f', 'driver=remote')).toBe('');
  expect(listMounts(join(engine.directory, 'remote'))).toEqual([]);
});

test('SDK: addresses', async () => {
  await using _ = await startPlugin('pools.js', 'pools', '--file', join(engine.directory, 'pools-journal'));
  await ok('network', 'create', '--ipam-driver', 'pools', '--subnet', `${engine.prefix}.9.0/24`, 'drawn');
  const address = ['run', '--rm', '--network', 'drawn', 'busybox', 'ip', '-4', 'address', 'show', 'eth0'];
  expect(await ok(...address)).toContain(`inet ${engine.prefix}.9.2/24`);
  await ok('network', 'rm', 'drawn');
});

test('SDK: its test', async () => {
  mkdirSync(join(engine.directory, 'tested'));
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', join(compiled, 'plain.test.js')]);
  expect(stdout).toMatch(/pass 2/);
});
