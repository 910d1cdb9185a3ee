import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interfaceNames } from '@cleat/linux/net/facts';
import { run } from '@cleat/linux/process/run';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { freePort } from './support/ports.js';
import { Program } from './support/program.js';
import { ScriptedNetworkPlugin } from './support/scripted-network.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** Two real plugins, examples/veth-network and examples/file-ipam, with real packets; and what becomes of them. */
const mainOf = (name: string) => fileURLToPath(new URL(`../../examples/${name}/dist/main.js`, import.meta.url));
let engine: Engine;
let file: string;
let plugins: Program[];
/** The name of interfaces of this run alone. */
const prefix = `n${(process.pid % 1000).toString().padStart(3, '0')}`;

const start = (name: string, ...args: string[]) =>
  new Program(process.execPath, [mainOf(name), '--socket', join(engine.pluginDirectory, `${name}.sock`), ...args]);
async function startPlugins(): Promise<void> {
  plugins = [
    start('veth-network', '--root', join(engine.directory, 'veth-network'), '--prefix', prefix),
    start('file-ipam', '--file', file, '--source', `${engine.prefix}.64.0/18`),
  ];
  for (const name of ['veth-network', 'file-ipam']) {
    await plugins[0]?.made(join(engine.pluginDirectory, `${name}.sock`));
  }
}
/** As a crash: the sockets stay. */
const killPlugins = () => Promise.all(plugins.map((plugin) => plugin.end('SIGKILL')));

beforeAll(async () => {
  engine = await startEngine();
  file = join(engine.directory, 'addresses.json');
  await startPlugins();
});
afterAll(async () => {
  for (const plugin of plugins) await plugin[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  expect([...interfaceNames()].filter((name) => name.startsWith(prefix))).toEqual([]);
});
afterEach(async () => {
  await removeAll(engine);
  await ok('network', 'prune', '-f');
  await expect.poll(() => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {})).toEqual({});
});
const { ok } = clientOf(() => engine);

const wires = async (name: string, ...more: string[]) =>
  ok('network', 'create', '--driver=veth-network', '--ipam-driver=file-ipam', ...more, name);
const sleeper = (name: string, ...more: string[]) =>
  ok('run', '-d', '--name', name, ...more, 'busybox', 'sleep', '1000');
const addressOn = async (network: string, name: string) =>
  ok('inspect', '--format', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);
const pings = async (from: string, to: string) =>
  expect(await ok('exec', from, 'ping', '-c', '1', '-W', '5', to)).toContain('1 packets received');
/** The containers that hold an address, by the plugin's file. */
const holders = (): string[] => {
  const pools: Record<string, { addresses: Record<string, string> }> = JSON.parse(readFileSync(file, 'utf8'));
  return Object.values(pools)
    .flatMap(({ addresses }) => Object.values(addresses))
    .filter((holder) => !holder.startsWith('com.docker'))
    .sort();
};
async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  return await response.text();
}
const httpd = ['busybox', 'sh', '-c', 'mkdir /w; echo served > /w/f; exec httpd -f -p 80 -h /w'];

describe('containers on a plugin’s network', () => {
  test('reach each other by name and by address, on two networks, and are reached by a published port', async () => {
    await wires('one');
    await wires('two', '--subnet', `${engine.prefix}.5.0/24`);
    const port = await freePort();
    await ok('run', '-d', '--name=web', '--network=one', '-p', `127.0.0.1:${port}:80`, ...httpd);
    await sleeper('near', '--network=one');
    await pings('near', 'web');
    await pings('web', await addressOn('one', 'near'));
    await expect.poll(() => fetchText(`http://127.0.0.1:${port}/f`).catch(String)).toBe('served\n');

    await sleeper('far', '--network=two', '--ip', `${engine.prefix}.5.77`);
    expect((await engine.docker('exec', 'far', 'ping', '-c', '1', '-W', '1', await addressOn('one', 'web'))).code).toBe(
      1,
    );
    await ok('network', 'connect', 'two', 'near');
    await pings('far', 'near');
    await pings('near', `${engine.prefix}.5.77`);
    expect(holders()).toEqual(['far', 'near', 'near', 'web']);
    await ok('network', 'disconnect', 'one', 'near');
    await pings('near', 'far');
    await ok('rm', '-f', 'far');
    await expect.poll(holders).toEqual(['near', 'web']);
    // Its way out is no network of its own.
    expect(await ok('inspect', '--format', '{{len .NetworkSettings.Networks}}', 'web')).toBe('1');
  });

  test('an internal network has no way out, and needs none', async () => {
    await wires('inside', '--internal');
    await sleeper('left', '--network=inside');
    await sleeper('right', '--network=inside');
    await pings('left', await addressOn('inside', 'right'));
    expect(await ok('exec', 'left', 'ls', '/sys/class/net')).toBe('eth0\nlo');
    expect(await ok('exec', 'left', 'ip', 'route')).not.toContain('default');
  });
});

describe('plugins that are killed', () => {
  test('cost running containers nothing; what they missed they hear when they are back', async () => {
    await wires('one');
    const port = await freePort();
    await ok('run', '-d', '--name=web', '--network=one', '-p', `127.0.0.1:${port}:80`, ...httpd);
    await sleeper('near', '--network=one');
    await sleeper('goes', '--network=one');
    await killPlugins();
    await pings('near', 'web');
    expect(await fetchText(`http://127.0.0.1:${port}/f`)).toBe('served\n');
    await ok('rm', '-f', 'goes');
    expect(holders()).toContain('goes');
    const { code, stderr } = await engine.docker('run', '--rm', '--network=one', 'busybox', 'true');
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringMatching(/"(veth-network|file-ipam)"/) });
    await startPlugins();
    await expect.poll(holders).toEqual(['near', 'web']);
    await ok('run', '--rm', '--network=one', 'busybox', 'ping', '-c', '1', '-W', '5', 'web');
    await pings('near', 'web');
  });

  test('a network can be removed without its plugins, and they hear of it', async () => {
    await wires('orphan');
    await killPlugins();
    await ok('network', 'rm', 'orphan');
    expect(await ok('network', 'ls', '-q', '--filter', 'name=orphan')).toBe('');
    expect(JSON.parse(readFileSync(file, 'utf8'))).not.toEqual({});
    await startPlugins();
    await expect.poll(() => JSON.parse(readFileSync(file, 'utf8'))).toEqual({});
    await expect.poll(() => [...interfaceNames()].filter((name) => name.startsWith(prefix))).toEqual([]);
  });
});

describe('an engine that is killed', () => {
  test('finds everything as it was, also when the plugins come after it', async () => {
    await wires('one');
    const port = await freePort();
    await ok('run', '-d', '--name=web', '--network=one', '-p', `127.0.0.1:${port}:80`, ...httpd);
    await sleeper('near', '--network=one');
    await sleeper('ends', '--network=one');
    const pid = Number(await ok('inspect', '--format', '{{.State.Pid}}', 'ends'));
    await engine.kill('SIGKILL');
    await killPlugins();
    process.kill(pid, 'SIGKILL');
    await engine.restart();
    await expect.poll(() => ok('inspect', '--format', '{{.State.Status}}', 'ends')).toBe('exited');
    await pings('near', 'web');
    expect(await fetchText(`http://127.0.0.1:${port}/f`)).toBe('served\n');
    await startPlugins();
    // The addresses of containers that ended meanwhile are given back, and no others.
    await expect.poll(holders).toEqual(['near', 'web']);
    await ok('start', 'ends');
    await pings('ends', 'web');
    expect(holders()).toEqual(['ends', 'near', 'web']);
  });
});

test('an IPAM plugin that keeps nothing is told what is in use, when the engine or the plugin starts', async () => {
  const socket = join(engine.pluginDirectory, 'forgets.sock');
  const scripted = () => {
    const plugin = new ScriptedNetworkPlugin(socket, `${prefix}f`, engine.prefix);
    plugin.answers.set('IpamDriver.GetCapabilities', { RequiresRequestReplay: true });
    return plugin;
  };
  const told = (plugin: ScriptedNetworkPlugin) =>
    plugin.calls
      .filter(({ method }) => /Request(Pool|Address)/.test(method))
      .map(({ method, body }) => {
        const { Pool, Address } = body as { Pool?: string; Address?: string };
        return `${method} ${Pool ?? Address}`;
      });
  const subnet = `${engine.prefix}.9`;
  const replay = [
    `IpamDriver.RequestPool ${subnet}.0/24`,
    `IpamDriver.RequestAddress ${subnet}.1`,
    `IpamDriver.RequestAddress ${subnet}.2`,
  ];
  {
    await using plugin = scripted();
    await ok('network', 'create', '-d=veth-network', '--ipam-driver=forgets', `--subnet=${subnet}.0/24`, 'kept');
    await sleeper('holds', '--network=kept');
    plugin.taken();
    await engine.kill('SIGKILL');
    await engine.restart();
    await expect.poll(() => told(plugin)).toEqual(replay);
  }
  // Nobody is there; then one that knows nothing.
  await using plugin = scripted();
  await sleeper('other', '--network=kept');
  expect(told(plugin).slice(0, 3)).toEqual(replay);
  expect(await addressOn('kept', 'other')).toBe(`${subnet}.3`);
  await ok('rm', '-f', 'holds', 'other');
  await ok('network', 'rm', 'kept');
});

test('plugins that hang cost their own callers an error, and nobody else anything', async () => {
  const scripted = (name: string) =>
    new ScriptedNetworkPlugin(join(engine.pluginDirectory, `${name}.sock`), `${prefix}${name[0]}`, engine.prefix);
  await using mute = scripted('mute');
  await using deaf = scripted('deaf');
  const silent = [mute, deaf];
  for (const name of ['mute', 'deaf']) {
    await ok('network', 'create', '-d', name, '--ipam-driver', name, `on-${name}`);
    await sleeper(`of-${name}`, `--network=on-${name}`);
  }
  mute.silent.add('NetworkDriver.CreateEndpoint').add('NetworkDriver.Leave');
  deaf.silent.add('IpamDriver.RequestAddress').add('NetworkDriver.Leave').add('IpamDriver.ReleaseAddress');
  const stuck = ['mute', 'deaf'].map((name) =>
    engine.docker('run', '--rm', '--name', `stuck-${name}`, `--network=on-${name}`, 'busybox', 'true', {
      timeoutMs: 240_000,
    }),
  );
  await expect.poll(() => mute.calls.map(({ method }) => method)).toContain('NetworkDriver.CreateEndpoint');
  // Each of these would wait if any part of the engine waited.
  await wires('one');
  await ok('run', '--rm', '--network=one', 'busybox', 'true');
  await ok('run', '--rm', 'busybox', 'true');
  await ok('network', 'ls');
  await ok('network', 'inspect', 'on-mute', 'on-deaf');
  expect(await ok('ps', '--format', '{{.Names}}')).toContain('of-mute');
  await ok('inspect', 'of-deaf');
  await ok('info');
  // A removal does not wait for the driver either, and ends a start that hangs.
  await ok('rm', '-f', 'of-mute', 'of-deaf', 'stuck-mute', 'stuck-deaf');
  for (const { code } of await Promise.all(stuck)) expect(code).toBe(125);
  for (const plugin of silent) plugin.goOn();
  await expect
    .poll(() =>
      silent.flatMap(({ held }) => [...held].filter((what) => /^(endpoint|join)|^address.*[2-9]$/.test(what))),
    )
    .toEqual([]);
  await ok('network', 'rm', 'on-mute', 'on-deaf');
});

test.skipIf(!stockDockerdInstalled)('both plugins serve a stock dockerd, unchanged', async () => {
  const scratch = await mkdtemp('/tmp/cleat-veth-');
  const name = basename(scratch);
  try {
    await using stock = await StockDockerd.start();
    const socketOf = (what: string) => join(stock.plugins, `${name}-${what}.sock`);
    // Network plugins live in their daemon's network namespace.
    const inside = (what: string, ...args: string[]) =>
      new Program('nsenter', [
        `--net=/proc/${stock.pid}/ns/net`,
        process.execPath,
        mainOf(what),
        '--socket',
        socketOf(what),
        ...args,
      ]);
    await using network = inside('veth-network', '--root', join(scratch, 'network'), '--prefix', prefix);
    await using ipam = inside('file-ipam', '--file', join(scratch, 'addresses.json'));
    await network.made(socketOf('veth-network'));
    await ipam.made(socketOf('file-ipam'));
    await run('nsenter', [`--net=/proc/${stock.pid}/ns/net`, 'ip', 'link', 'set', 'lo', 'up']);
    const docker = async (...args: string[]) => {
      const { code, stdout, stderr } = await engine.dockerAt(stock.host, ...args);
      expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
      return stdout.trim();
    };
    await engine.dockerAt(stock.host, 'import', '-', 'busybox', { input: await busyboxTar() });
    const drivers = [`--driver=${name}-veth-network`, `--ipam-driver=${name}-file-ipam`];
    await docker('network', 'create', ...drivers, '--subnet=10.88.1.0/24', 'wires');
    await docker('run', '-d', '--name=pong', '--network=wires', 'busybox', 'sleep', '1000');
    expect(await docker('run', '--rm', '--network=wires', 'busybox', 'ping', '-c1', '-W5', 'pong')).toContain(
      '1 packets received',
    );
    await docker('rm', '-f', 'pong');
    await docker('network', 'rm', 'wires');
    expect(JSON.parse(readFileSync(join(scratch, 'addresses.json'), 'utf8'))).toEqual({});
  } finally {
    await rm(scratch, { recursive: true });
  }
});

test('a routed network: single addresses, a gateway outside of them, and no subnet at all', async () => {
  await using plugin = new ScriptedNetworkPlugin(
    join(engine.pluginDirectory, 'routed.sock'),
    `${prefix}r`,
    engine.prefix,
    engine.pid,
  );
  const address = `${engine.prefix}.70.7/32`;
  const gateway = { 'com.docker.network.gateway': '169.254.1.1/32' };
  plugin.answers.set('IpamDriver.RequestPool', { PoolID: 'all', Pool: '0.0.0.0/0', Data: gateway });
  plugin.answers.set('IpamDriver.RequestAddress', { Address: address });
  plugin.answers.set('NetworkDriver.Join', async (body) => ({
    ...(await plugin.usual('NetworkDriver.Join', body)),
    Gateway: '169.254.1.1',
    StaticRoutes: [{ Destination: '169.254.1.1/32', RouteType: 1 }],
  }));
  const made = () => plugin.calls.find(({ method }) => method === 'NetworkDriver.CreateNetwork')?.body;
  const asked = (method: string) => plugin.calls.filter((call) => call.method === method);

  await ok('network', 'create', '--driver=routed', '--ipam-driver=routed', 'routes');
  expect(asked('IpamDriver.RequestPool')).toHaveLength(1);
  expect(made()).toMatchObject({
    IPv4Data: [{ AddressSpace: 'local-space', Pool: '0.0.0.0/0', Gateway: '169.254.1.1/32' }],
  });
  await sleeper('one', '--network=routes');
  expect(await ok('exec', 'one', 'ip', '-o', 'address', 'show', 'eth0')).toContain(` ${address} `);
  expect((await ok('exec', 'one', 'ip', 'route')).split('\n').map((line) => line.trim())).toEqual([
    expect.stringMatching(/^default via 169\.254\.1\.1 dev eth0/),
    expect.stringMatching(/^169\.254\.1\.1 dev eth0/),
  ]);
  await ok('rm', '-f', 'one');
  await ok('network', 'rm', 'routes');
  expect(asked('IpamDriver.ReleasePool').map(({ body }) => body)).toEqual([{ PoolID: 'all' }]);

  plugin.taken();
  await ok('network', 'create', '--driver=routed', '--ipam-driver=null', 'unmanaged');
  expect(made()).toMatchObject({ IPv4Data: [{ AddressSpace: 'null', Pool: '0.0.0.0/0' }], IPv6Data: [] });
  expect(await ok('network', 'inspect', '--format', '{{json .IPAM.Config}}', 'unmanaged')).toBe(
    '[{"Subnet":"0.0.0.0/0"}]',
  );
  // The network driver gives addresses, or nobody does.
  const own = `${engine.prefix}.71.9/24`;
  plugin.answers.set('NetworkDriver.CreateEndpoint', { Interface: { Address: own } });
  plugin.answers.set('NetworkDriver.Join', (body) => plugin.usual('NetworkDriver.Join', body));
  await sleeper('two', '--network=unmanaged');
  expect(await ok('exec', 'two', 'ip', '-o', 'address', 'show', 'eth0')).toContain(` ${own} `);
  plugin.answers.set('NetworkDriver.CreateEndpoint', {});
  await sleeper('three', '--network=unmanaged');
  expect(await ok('exec', 'three', 'ip', '-o', 'address', 'show', 'eth0')).not.toContain('inet');
  const wish = await engine.docker('run', '--network=unmanaged', '--ip=10.1.2.3', 'busybox', 'true');
  expect(wish).toMatchObject({ code: 125, stderr: expect.stringContaining('null ipam driver does not handle') });
  await removeAll(engine);
  await ok('network', 'rm', 'unmanaged');
  for (const [driver, subnet, said] of [
    ['bridge', '', 'ipv4 pool is empty'],
    ['routed', '10.1.0.0/16', 'null ipam driver does not handle specific address pool requests'],
  ] as const) {
    const wish = ['network', 'create', `--driver=${driver}`, '--ipam-driver=null', `--subnet=${subnet}`, 'none-such'];
    const { code, stderr } = await engine.docker(...wish.filter((word) => word !== '--subnet='));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(said) });
  }
});
