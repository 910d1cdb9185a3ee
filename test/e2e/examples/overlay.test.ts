import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { removeNamespace } from '@cleat/linux/net/namespace';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandsOf, shown, substitute } from '../support/documents.js';
import type { ExampleProgram } from '../support/example-program.js';
import { type Host, Hosts } from '../support/hosts.js';
import type { Program } from '../support/program.js';
import { runShell } from '../support/shell.js';

let hosts: Hosts;
let etcd: Program;
let a: Host;
let b: Host;
let c: Host;
const plugins = new Map<Host, ExampleProgram>();
const all = () => [a, b, c];

const url = () => `http://${hosts.address}:2379`;

/** The arguments of the one program that the README starts in a block, with what must be the test's own. */
function argumentsIn(text: string, table: Readonly<Record<string, string>>): string[] {
  const [command = ''] = commandsOf(substitute(text, table));
  return command.split(' ').filter((word) => word.startsWith('-') || word.includes('/') || /^[\d.]+$/.test(word));
}

/** It forgets nothing when it is started again. */
function startEtcd(): Program {
  const own = { '/srv/etcd': join(hosts.directory, 'etcd'), 'http://192.0.2.1:2379': url() };
  const args = argumentsIn(shown('examples/overlay/README.md', 'etcd --data-dir'), own);
  // Elections that a test need not wait for.
  const quick = ['--heartbeat-interval=20', '--election-timeout=200'];
  return hosts.serve('etcd', [...args, ...quick, '--listen-peer-urls=http://127.0.0.1:2380', '--log-level=error']);
}

/** Where the plugin's journals are, and the namespace with its bridges. */
const rootOf = ({ engine }: Host): string => join(engine.directory, 'overlay');
const namespaceOf = (host: Host): string => join(rootOf(host), 'netns');
/** A command among the links of the networks. */
const among = (host: Host, ...command: string[]): Promise<string> =>
  host.run('nsenter', `--net=${namespaceOf(host)}`, ...command);

/** Namespaces share the directory in which wireguard-go has a socket for each link, also with another run of this test. */
const run = randomBytes(1).toString('hex');
const prefixOf = ({ name }: Host): string => `o${run}${name}`;

async function startPlugin(host: Host): Promise<void> {
  const own = { '192.0.2.11': host.address, 'http://192.0.2.1:2379': url() };
  const [, ...args] = argumentsIn(shown('examples/overlay/README.md', 'node examples/overlay'), own);
  const more = ['--ttl', '2', '--grace', '60', '--root', rootOf(host), '--prefix', prefixOf(host)];
  plugins.set(host, await host.startExample('overlay', [...args, ...more]));
}

beforeAll(async () => {
  hosts = await Hosts.start();
  etcd = startEtcd();
  [a, b, c] = await Promise.all([hosts.add('a'), hosts.add('b'), hosts.add('c')]);
  await Promise.all(all().map(startPlugin));
});
afterAll(async () => {
  for (const program of plugins.values()) await program.kill();
  for (const host of plugins.keys()) removeNamespace(namespaceOf(host));
  await hosts[Symbol.asyncDispose]();
});

const plugin = (host: Host): ExampleProgram => {
  const found = plugins.get(host);
  if (!found) throw new Error(`no plugin on ${host.name}`);
  return found;
};
const create = (network: string, ...more: string[]) => [
  ...['network', 'create', '--driver', 'overlay', '--ipam-driver', 'overlay'],
  ...more,
  network,
];
const sleeper = (name: string, network: string, ...more: string[]) => [
  ...['run', '-d', '--name', name, '--network', network, ...more],
  ...['busybox', 'sleep', '1000'],
];
const ping = (from: string, to: string) => ['exec', from, 'ping', '-c', '1', '-W', '2', to];
const addressOf = async (host: Host, name: string, network = 'shop') =>
  await host.ok('inspect', '-f', `{{.NetworkSettings.Networks.${network}.IPAddress}}`, name);
/** Starts it as soon as its host may. */
const starts = async (host: Host, name: string, ...more: string[]) => {
  const [, , ...command] = sleeper(name, 'shop', ...more);
  await host.ok('create', ...command);
  await succeeds(host, ['start', name]);
};
/** A `ping` that nobody answers says nothing on stderr. The first packets of a tunnel may be lost, for 5 s each time. */
const succeeds = async (host: Host, command: readonly string[]) => {
  const said = async () => {
    const { code, stderr } = await host.engine.docker(...command);
    return { code, stderr };
  };
  try {
    await expect.poll(said, { timeout: 120_000 }).toEqual({ code: 0, stderr: '' });
  } catch (cause) {
    const logs = [...plugins.values()].map((program) => program.said);
    throw new Error(`${command.join(' ')}: no success; the plugins said:\n${logs.join('\n')}`, { cause });
  }
};

test('containers of three hosts reach each other', async () => {
  for (const { name, engine } of all()) {
    const text = substitute(shown('examples/overlay/README.md', 'docker network create'), { web: `web-${name}` });
    const printed = await runShell(text, engine.directory, { DOCKER_HOST: `unix://${engine.socket}` });
    expect(printed).toContain('10.64.0.0/24');
  }
  const addresses = await Promise.all(all().map((host) => addressOf(host, `web-${host.name}`)));
  expect(new Set(addresses).size).toBe(3);
  for (const host of all()) {
    for (const { name } of all()) await succeeds(host, ping(`web-${host.name}`, `web-${name}`));
  }
  const [first = ''] = addresses;
  expect(await b.ok('exec', 'web-b', 'nslookup', first)).toContain('name = web-a.shop');
});

test('a subnet is known on all hosts: another network cannot overlap it, and the same one joins it', async () => {
  const subnet = await a.ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', 'shop');
  expect(await b.ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', 'shop')).toBe(subnet);
  const said = await b.refused(...create('other', '--subnet', subnet.replace(/\.0\/24$/, '.128/25')));
  expect(said).toContain('Pool overlaps with other one on this address space');
  expect(said).toContain('of the network shop on 3 hosts');
  expect(await b.refused('network', 'create', '--driver', 'overlay', 'own')).toContain('--ipam-driver overlay');
  expect(await b.refused(...create('odd', '-o', 'colour=red'))).toContain('-o colour is not known');
});

test('a container that moves keeps its address, and who knew it finds it at once', async () => {
  await a.ok(...sleeper('mover', 'shop'));
  const address = await addressOf(a, 'mover');
  await succeeds(c, ping('web-c', 'mover'));
  await a.ok('rm', '-f', 'mover');
  await b.ok(...sleeper('mover', 'shop', '--network-alias', 'roamer'));
  expect(await addressOf(b, 'mover')).toBe(address);
  for (const host of all()) await succeeds(host, ping(`web-${host.name}`, 'roamer'));
  await b.ok('rename', 'mover', 'moved');
  await succeeds(a, ping('web-a', 'moved'));
  expect(await a.refused(...ping('web-a', 'mover'))).toContain('bad address');
  await b.ok('rm', '-f', 'moved');
  // Another one does not get it while it is remembered.
  await c.ok(...sleeper('newcomer', 'shop'));
  expect(await addressOf(c, 'newcomer')).not.toBe(address);
  await c.ok('rm', '-f', 'newcomer');
});

test('a partition leaves traffic alone, decides nothing twice, and heals', async () => {
  await c.ok(...sleeper('contested', 'shop'));
  await c.ok(...sleeper('beside', 'shop'));
  const [contested, beside] = await Promise.all([addressOf(c, 'contested'), addressOf(c, 'beside')]);
  await c.plug(false);
  await a.ok(...ping('web-a', 'web-b'));
  await c.ok(...ping('beside', 'contested'));
  // The names of the other side are known, if nobody is to be reached there.
  const { stdout } = await c.engine.docker(...ping('beside', 'web-a'));
  expect(stdout).toContain(`web-a (${await addressOf(a, 'web-a')})`);
  expect(await c.refused(...sleeper('late', 'shop'))).toContain('etcd does not answer');
  await c.ok('rm', '-f', 'late');
  // The other side waits for the host's lease to end before it gives its addresses to others.
  await starts(a, 'heir', '--ip', contested);
  await a.ok(...ping('heir', await addressOf(b, 'web-b')));
  await c.ok(...ping('beside', contested));

  await c.plug(true);
  await succeeds(a, ping('web-a', beside));
  await expect.poll(() => plugin(c).said).toContain('another host has got an address meanwhile');
  await b.ok(...ping('web-b', contested));
  // The heir answers also from c.
  await c.ok(...ping('beside', contested));
  await a.ok('rm', '-f', 'heir');
  await c.ok('rm', '-f', 'contested', 'beside');
  await starts(c, 'late');
  await c.ok('rm', '-f', 'late');
});

test('a plugin, an engine and etcd are killed: traffic goes on, and the next ones go on with it', async () => {
  const address = await addressOf(a, 'web-a');
  await plugin(a).kill();
  await b.ok(...ping('web-b', 'web-a'));
  await a.ok(...ping('web-a', 'web-b'));
  await b.ok(...sleeper('while', 'shop'));
  await plugin(a).start();
  await succeeds(a, ping('web-a', 'while'));
  await b.ok('rm', '-f', 'while');

  await a.engine.kill('SIGKILL');
  await b.ok(...ping('web-b', 'web-a'));
  await a.engine.restart();
  await a.ok(...ping('web-a', 'web-b'));

  await etcd.end('SIGKILL');
  await b.ok(...ping('web-b', address));
  expect(await b.refused(...sleeper('without', 'shop'))).toContain('etcd does not answer');
  await b.ok('rm', '-f', 'without');
  etcd = startEtcd();
  await starts(b, 'with');
  await succeeds(a, ping('web-a', 'with'));
  await b.ok('rm', '-f', 'with');
});

test('links that somebody removed are made again, and containers need not know', async () => {
  await b.ok(...sleeper('neighbour', 'shop'));
  const links = async () => (await among(b, 'ip', '-o', 'link')).match(new RegExp(`${prefixOf(b)}x-[^:@]+`, 'g')) ?? [];
  const [vxlan = ''] = await links();
  await among(b, 'ip', 'link', 'delete', 'dev', vxlan);
  await b.ok(...ping('neighbour', 'web-b'));
  await expect.poll(links).toEqual([vxlan]);
  await succeeds(a, ping('web-a', 'web-b'));
  await b.ok('rm', '-f', 'neighbour');
});

test('the addresses of a host that dies return', async () => {
  const address = await addressOf(c, 'web-c');
  await c.plug(false);
  await plugin(c).kill();
  await starts(b, 'successor', '--ip', address);
  await a.ok(...ping('web-a', address));
  await expect.poll(() => among(a, 'bridge', 'fdb', 'show')).not.toContain(c.address);
  // Its name goes with it.
  await expect.poll(async () => (await a.engine.docker(...ping('web-a', 'web-c'))).stderr).toContain('bad address');
  await b.ok('rm', '-f', 'successor');
  // The host comes back, and has what nobody took meanwhile.
  await c.plug(true);
  await plugin(c).start();
  await succeeds(b, ping('web-b', 'web-c'));
});

test('an encrypted network, of both families, goes through WireGuard alone', async () => {
  await a.ok(...create('vault', '-o', 'encrypted', '--ipv6'));
  expect(await b.refused(...create('vault'))).toContain('the network vault is encrypted on other hosts');
  await b.ok(...create('vault', '-o', 'encrypted', '--ipv6'));
  await Promise.all([a, b].map((host) => host.ok(...sleeper(`safe-${host.name}`, 'vault'))));
  await b.ok(...sleeper('beside', 'vault'));
  const address = await addressOf(b, 'safe-b', 'vault');
  await succeeds(a, ['exec', 'safe-a', 'ping', '-c', '1', '-W', '2', '-s', '4000', address]);
  await succeeds(a, ['exec', 'safe-a', 'ping', '-6', '-c', '1', '-W', '2', 'safe-b']);
  await succeeds(b, ['exec', 'safe-b', 'ping', '-6', '-c', '1', '-W', '2', 'beside']);
  expect(await a.run('wg', 'show', `${prefixOf(a)}wg`, 'transfer')).toMatch(/\t[1-9]\d{3,}\t[1-9]\d{3,}$/m);
  expect(await among(a, 'bridge', 'fdb', 'show')).toMatch(/02:42:.* dst fd[\da-f:]+ .*self permanent/);
});

test('nothing is left after the networks', async () => {
  for (const host of all()) {
    const containers = await host.ok('ps', '-aq');
    await host.ok('rm', '-f', ...containers.split('\n'));
    const networks = await host.ok('network', 'ls', '-q', '--filter', 'driver=overlay');
    await host.ok('network', 'rm', ...networks.split('\n'));
  }
  for (const host of all()) {
    expect(await host.run('ip', '-o', 'link')).not.toContain(`: ${prefixOf(host)}`);
    expect(listMounts(rootOf(host))).toEqual([]);
    expect(readdirSync(rootOf(host))).not.toContain('netns');
    expect(await host.run('nft', 'list', 'ruleset')).not.toContain(`${prefixOf(host)}wg`);
    await plugin(host)[Symbol.asyncDispose]();
  }
  const key = Buffer.from('/cleat/').toString('base64');
  const body = JSON.stringify({ key, range_end: Buffer.from('/cleat0').toString('base64'), keys_only: true });
  const said = JSON.parse(await a.run('curl', '-s', '-d', body, `${url()}/v3/kv/range`)) as { kvs: { key: string }[] };
  expect(said.kvs.map(({ key }) => Buffer.from(key, 'base64').toString())).toEqual(['/cleat/overlay/networks']);
});
