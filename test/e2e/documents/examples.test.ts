import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { engineVersion } from '../../../engine/system/engine-version.js';
import { FakeLoki } from '../../../examples/loki-logs/fake-loki.fixture.js';
import { BackEnd, endServersBelow, rcloneInstalled } from '../../../examples/rclone-volume/back-end.fixture.js';
import { balancerKinds } from '../support/balancer.js';
import { busyboxTar } from '../support/busybox.js';
import { makeCertificates } from '../support/certificates.js';
import { clientOf } from '../support/client.js';
import { Dnsmasq, hasDhcpServers } from '../support/dhcp-server.js';
import { checkout, commandsOf, shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { Lan } from '../support/lan.js';
import { LanBridge } from '../support/lan-bridge.js';
import { freePort } from '../support/ports.js';
import { Program } from '../support/program.js';
import { ShownDaemon } from '../support/shown-daemon.js';
import { programsBeside } from '../support/shown-programs.js';

/** The READMEs of the examples and of the batteries. */
let engine: Engine;
const { ok, run, socketOf, startShown } = programsBeside(() => engine);
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

test('no-remove: its README', async () => {
  const own = { '/srv/no-remove': `${join(engine.directory, 'kept')} --socket ${socketOf('no-remove')}` };
  await using _ = await startShown(
    substitute(shown('examples/no-remove/README.md', 'node examples'), own),
    'no-remove',
  );
  expect(await run(shown('examples/no-remove/README.md', 'docker run'))).toMatch(/^hello\r?$/m);
  await ok('volume', 'rm', 'data');
});

test('shared-mount: its README', async () => {
  const device = join(engine.directory, 'shared');
  mkdirSync(device);
  const own = {
    '--device /srv/shared': `--device ${device} --root ${join(engine.directory, 'mounts')} --socket ${socketOf('shared-mount')}`,
  };
  await using _ = await startShown(
    substitute(shown('examples/shared-mount/README.md', 'node examples'), own),
    'shared-mount',
  );
  const printed = await run(shown('examples/shared-mount/README.md', 'docker volume create'));
  expect(printed).toMatch(/ 1001 +1001 .* hers\r?$/m);
  expect(printed).toMatch(/ 1002 +1002 .* his\r?$/m);
  expect(await ok('volume', 'ls', '-q', '--filter', 'driver=shared-mount')).toBe('');
});

test('quota-tmpfs: its README', async () => {
  const own = {
    '--total 256m': `--total 256m --root ${join(engine.directory, 'memory')} --socket ${socketOf('quota-tmpfs')}`,
  };
  await using _ = await startShown(
    substitute(shown('examples/quota-tmpfs/README.md', 'node examples'), own),
    'quota-tmpfs',
  );
  const printed = await run(shown('examples/quota-tmpfs/README.md', 'docker volume create'));
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
  await using _ = await startShown(
    substitute(shown('examples/rclone-volume/README.md', 'node examples'), own),
    'rclone-volume',
  );
  try {
    const printed = await run(shown('examples/rclone-volume/README.md', 'docker volume create'));
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
  const start = `${shown('examples/loki-logs/README.md', 'node examples')} --socket ${socketOf('loki-logs')}`;
  await using _ = await startShown(start, 'loki-logs');
  await run(substitute(shown('examples/loki-logs/README.md', 'docker run'), { 'http://127.0.0.1:3100': loki.url }));
  const labels = { container: 'web', image: 'busybox', app: 'shop', source: 'stdout' };
  await expect
    .poll(() => loki.streams(labels))
    .toMatchObject([{ stream: labels, values: [[expect.any(String), 'hello']] }]);
});

test.skipIf(!balancerKinds.includes('nginx'))('balancer: its README', async () => {
  const directory = await mkdtemp('/tmp/cleat-shown-balancer-');
  chmodSync(directory, 0o711);
  const port = `${await freePort()}`;
  const own = {
    '--port 8080': `--port ${port} --engine unix://${engine.socket} --directory ${directory}/run --socket ${socketOf('balancer')}`,
  };
  try {
    const start = substitute(shown('examples/balancer/README.md', 'node examples'), own);
    await using _ = await startShown(start, 'balancer');
    const use = shown('examples/balancer/README.md', 'docker run');
    const theirs = { '127.0.0.1:8080': `127.0.0.1:${port}`, '/run/docker/plugins/balancer.sock': socketOf('balancer') };
    const printed = await run(substitute(use, theirs));
    expect(printed).toMatch(/^HTTP\/1.1 404/m);
    expect(printed).toMatch(/^balancer_up 1\r?$/m);
    writeFileSync(join(directory, 'hooks.yaml'), shown('examples/balancer/README.md', 'hooks:'));
    expect(await run(`cleatd --validate --config-file /dev/null --hooks ${directory}/hooks.yaml`)).toContain('OK');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('veth-network and file-ipam: their READMEs', async () => {
  const start = shown('examples/veth-network/README.md', 'node examples/file-ipam');
  const use = shown('examples/veth-network/README.md', 'docker network create');
  const alone = shown('examples/file-ipam/README.md', 'docker network create');
  const prefix = `d${(process.pid % 1000).toString().padStart(3, '0')}`;
  const own = {
    '--file /srv/addresses.json': `--file ${join(engine.directory, 'addresses.json')} --source ${engine.prefix}.64.0/18 --socket ${socketOf('file-ipam')}`,
    '--root /srv/veth-network': `--root ${join(engine.directory, 'veth')} --prefix ${prefix} --socket ${socketOf('veth-network')}`,
  };
  const [ipam, network] = commandsOf(substitute(start, own)).map((command) => {
    const [program = '', main = '', ...args] = command.replace(/ &$/, '').split(' ');
    return new Program(program, [join(checkout, main), ...args]);
  });
  await using _ipam = ipam;
  await using _network = network;
  await ipam?.made(socketOf('file-ipam'));
  await network?.made(socketOf('veth-network'));
  const port = `${await freePort()}`;
  expect(await run(substitute(use, { '8080:80': `${port}:80` }))).toContain('1 packets received');
  await run(substitute(alone, { '10.211.7.0/24': `${engine.prefix}.7.0/24` }));
  expect(await ok('network', 'ls', '-q', '--filter', 'name=wires', '--filter', 'name=mine')).toBe('');
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
  const shownPolicy = shown('examples/label-authz/README.md', 'cat > /srv/policy.json');
  const policy = { '/srv/policy.json': join(engine.directory, 'policy.json') };
  await run(substitute(shownPolicy, policy));
  const [command = '', ...more] = commandsOf(shown('examples/label-authz/README.md', 'cleatd'));
  expect(more).toEqual([]);
  const own = {
    'tcp://0.0.0.0:2376': certificates.host,
    ' ca.pem': ` ${certificates.file('server', 'cacert')}`,
    ' cert.pem': ` ${certificates.file('server', 'cert')}`,
    ' key.pem': ` ${certificates.file('server', 'key')}`,
  };
  await using daemon = await ShownDaemon.start(substitute(command, own), engine);
  const places = { ...policy, 'unix:///run/cleat.sock': daemon.host };
  await using _plugin = await startShown(
    substitute(shown('examples/label-authz/README.md', 'node examples'), places),
    'label-authz',
  );
  const tar = await busyboxTar();
  const user = { 'tcp://localhost:2376': certificates.host, '~/': `${engine.directory}/` };
  // Pulling is for administrators, and there is nothing to pull from.
  writeFileSync(policy['/srv/policy.json'], '{"teams":{},"unnamed":"admin"}');
  expect(await engine.dockerAt(daemon.host, 'import', '-', 'busybox', { input: tar })).toMatchObject({ code: 0 });
  await run(substitute(shownPolicy, policy));
  const printed = await run(substitute(shown('examples/label-authz/README.md', 'export DOCKER_HOST'), user));
  expect(printed).toMatch(/busybox +"sleep 1000".* shop\r?$/m);
  expect(printed).toContain('bob of db may not touch shop: it is of team web');
  expect(printed).toMatch(/^refused\r?$/m);
  expect((await engine.dockerAt(daemon.host, 'ps', '-aq')).stdout).toBe('');
});

test('metrics-collector: its README', async () => {
  const [command = '', ...more] = commandsOf(shown('examples/metrics-collector/README.md', 'cleatd'));
  expect(more).toEqual([]);
  await using daemon = await ShownDaemon.start(command, engine);
  const directory = join(engine.directory, 'figures');
  mkdirSync(directory);
  const places = { '/run/cleat/metrics.sock': join(daemon.directory, 'run/metrics.sock'), '/srv/figures': directory };
  await using _plugin = await startShown(
    substitute(shown('examples/metrics-collector/README.md', 'node examples'), places),
    'metrics-collector',
  );
  const figures = () => readFile(join(directory, 'engine.prom'), 'utf8').catch(() => '');
  await expect.poll(figures).toContain(`engine_daemon_engine_info{version="${engineVersion}`);
});

test('authz-policy: the example of its README', async () => {
  const own = { '/etc/docker/authz-policy.yaml': join(engine.directory, 'authz-policy.yaml') };
  const printed = await run(substitute(shown('batteries/authz-policy/README.md', 'cat > /etc/docker'), own));
  expect(printed).toContain('3 rules, 2 tests, 0 failed');
  expect(printed).toContain('denied: no rule allows plugin:disable to alice (TLS)');
});

test('volume-local: the examples of its README', async () => {
  const names = (await run(shown('batteries/volume-local/README.md', 'docker volume create data'))).trim().split(/\s+/);
  expect(names).toEqual(['data', 'scratch', 'shared']);
  expect(await ok('run', '--rm', '-v', 'scratch:/s', 'busybox', 'stat', '-c', '%a', '/s')).toBe('1777');
  await ok('volume', 'rm', ...names);
});

test('volume-tmpfs: the examples of its README', async () => {
  const printed = await run(shown('batteries/volume-tmpfs/README.md', 'docker volume create -d tmpfs'));
  expect(printed).toMatch(/^scratch\s+kept\s+\{.*"SizeBytes":67108864,"UsedBytes":4096,.*\}\s*$/);
  await ok('volume', 'rm', 'scratch');
});

test('the network batteries: the examples of their READMEs', async () => {
  expect(await run(shown('batteries/network-bridge/README.md', 'docker network create'))).toMatch(/^1400$/m);
  expect(await run(shown('batteries/network-macvlan/README.md', 'docker network create'))).toContain('10.67.0.9/24');
  expect(await run(shown('batteries/network-ipvlan/README.md', 'if docker network create'))).toMatch(
    /^routed\r?$|makes no ipvlan links/m,
  );
  const here = (await readFile('/proc/sys/kernel/hostname', 'utf8')).trim();
  expect((await run(shown('batteries/network-host/README.md', 'docker run'))).trim()).toBe(here);
  expect((await run(shown('batteries/network-none/README.md', 'docker run'))).trim()).toBe('lo');
  expect(await run(shown('batteries/ipam-null/README.md', 'docker network create'))).toContain('ipv4 pool is empty');
  const addresses = (await run(shown('batteries/ipam-default/README.md', 'docker network create'))).matchAll(
    /inet ([\d.]+)/g,
  );
  expect([...addresses].map(([, address]) => address)).toEqual(['10.66.0.129', '10.66.0.9']);
});

test.skipIf(!hasDhcpServers)('ipam-dhcp: the example of its README', async () => {
  const example = shown('batteries/ipam-dhcp/README.md', 'docker network create');
  await using lan = await Lan.start(`${engine.prefix}.201`);
  await using _server = await new Dnsmasq(lan, engine.directory).start();
  await using home = await Lan.start(`${engine.prefix}.202`);
  await using bridge = await LanBridge.start(home);
  const directory = join(engine.directory, 'home');
  mkdirSync(directory);
  await using _other = await new Dnsmasq(home, directory).start();
  const said = await run(
    substitute(example, { 'parent=eth0': `parent=${lan.parent}`, 'name=br0': `name=${bridge.name}` }),
  );
  for (const { prefix } of [lan, home]) expect(said).toContain(` inet ${prefix}.`);
});

test('builder-buildah: the example of its README', async () => {
  const example = shown('batteries/builder-buildah/README.md', 'docker build');
  await using own = await startEngine({ flags: ['--builder-driver=buildah'] });
  const { ok: built } = clientOf(() => own);
  for (const command of commandsOf(substitute(example, { './hello': 'test/e2e/support/hello-image' }))) {
    const said = await built(...command.split(' ').slice(1));
    if (command.startsWith('docker run')) expect(said).toBe('hello');
  }
});

test('builder-buildkit: the example of its README', async () => {
  const example = shown('batteries/builder-buildkit/README.md', 'docker build');
  // An engine answers as a BuildKit does, too.
  const options = { address: `unix://${engine.socket}` };
  await using own = await startEngine({
    flags: ['--builder-driver=buildkit'],
    config: { extensions: { 'builder-buildkit': { options } } },
  });
  const { ok: built } = clientOf(() => own);
  for (const command of commandsOf(substitute(example, { './hello': 'test/e2e/support/hello-image' }))) {
    const said = await built(...command.split(' ').slice(1));
    if (command.startsWith('docker run')) expect(said).toBe('hello');
  }
});

test('builder-dockerfile: the example of its README', async () => {
  const example = shown('batteries/builder-dockerfile/README.md', 'docker build');
  const { ok: built } = clientOf(() => engine);
  for (const command of commandsOf(substitute(example, { './hello': 'test/e2e/support/hello-image' }))) {
    const said = await built(...command.split(' ').slice(1));
    if (command.startsWith('docker run')) expect(said).toBe('hello');
  }
});

test('the batteries that log: the examples of their READMEs', async () => {
  expect(await run(shown('batteries/log-json-file/README.md', 'docker run'))).toMatch(
    /^hello\r?\nhello\r?\n\/.*-json\.log$/m,
  );
  expect(await run(shown('batteries/log-local/README.md', 'docker run'))).toMatch(/^hello\r?\nhello\r?$/m);
  const server = createSocket('udp4');
  const message = once(server, 'message');
  const port = await new Promise<number>((resolve) =>
    server.bind(0, '127.0.0.1', () => resolve(server.address().port)),
  );
  try {
    await run(substitute(shown('batteries/log-syslog/README.md', 'docker run'), { '5514': String(port) }));
    const [text] = (await message) as [Buffer];
    expect(text.toString()).toMatch(/^<30>.* web\[\d+\]: hello/);
  } finally {
    server.close();
  }
});
