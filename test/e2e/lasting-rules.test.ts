import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { Program } from './support/program.js';
import { got, hostAddress, World, worldAddress } from './support/world.js';

/** Others damage rules and bridges of a host, and the engine puts them right. The host is a namespace. */
let host: Program;
let world: World;
let engine: Engine;
const { ok } = clientOf(() => engine);
/** Runs a command in the host's namespaces. */
const onHost = async (script: string) =>
  (await promisify(execFile)('nsenter', [...namespaces(), 'sh', '-c', script])).stdout;
const namespaces = () => [`--net=/proc/${host.pid}/ns/net`, `--mount=/proc/${host.pid}/ns/mnt`];
/** By the name of a container: the port of the host that leads to it. */
const published = { web: 8001, api: 8002 };
let userBridge: string;
let directory: string;

/** Unpacked aside by ./check, it is laid over the system's own directories. */
const aside = '/var/cache/cleat-firewalld/root';
const withFirewalld = existsSync(`${aside}/usr/sbin/firewalld`)
  ? ['usr', 'etc'].map((name) => `mount -t overlay overlay -o lowerdir=${aside}/${name}:/${name} /${name}`)
  : [];
const hasFirewalld = withFirewalld.length > 0 || existsSync('/usr/sbin/firewalld');
/** A bus on which everybody may do everything: only this test is on it. */
const bus = `<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>`;

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-lasting-');
  const there = join(directory, 'host');
  const steps = [
    'mount -t tmpfs tmpfs /run',
    'mkdir /run/dbus',
    ...withFirewalld,
    'ip link set lo up',
    `touch ${there}`,
  ];
  const script = `${steps.join(' && ')} && exec sleep infinity`;
  host = new Program('unshare', ['--net', '--mount', '--propagation=slave', 'sh', '-c', script]);
  writeFileSync(join(directory, 'bus.conf'), bus);
  await host.made(there);
  world = await World.start(directory, host.pid);
  engine = await startEngine({ enter: ['nsenter', ...namespaces()] });
  await ok('network', 'create', 'shop');
  userBridge = `br-${(await ok('network', 'inspect', '-f', '{{.Id}}', 'shop')).slice(0, 12)}`;
  const serve = ['sh', '-c', 'mkdir /w; echo served > /w/f; exec httpd -f -p 80 -h /w'];
  await ok('run', '-d', '--name', 'web', '-p', `${published.web}:80`, 'busybox', ...serve);
  await ok('run', '-d', '--name', 'api', '--network', 'shop', '-p', `${published.api}:80`, 'busybox', ...serve);
  await ok('run', '-d', '--name', 'worker', '--network', 'shop', 'busybox', 'sleep', '1000');
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
  await host?.end('SIGKILL');
});

const all = { web: 'served\n', api: 'served\n', out: 'world', neighbour: 'served' };

async function work(): Promise<typeof all> {
  const said = async (url: string) => (await engine.docker('exec', 'worker', 'sh', '-c', got(url))).stdout.trim();
  const address = await ok('inspect', '-f', '{{.NetworkSettings.Networks.shop.IPAddress}}', 'api');
  const [web, api, out, neighbour] = await Promise.all([
    world.fetch(`http://${hostAddress}:${published.web}/f`),
    world.fetch(`http://${hostAddress}:${published.api}/f`),
    said(`http://${worldAddress}/f`),
    said(`http://${address}/f`),
  ]);
  return { web, api, out, neighbour };
}

/** Names of the interfaces on the engine's bridges. */
async function ports(): Promise<string[]> {
  const listed = [engine.bridge, userBridge].map((bridge) => onHost(`ip -j link show master ${bridge}`));
  return (await Promise.all(listed))
    .flatMap((text) => JSON.parse(text || '[]') as { ifname: string }[])
    .map(({ ifname }) => ifname);
}

async function onPorts(change: string): Promise<void> {
  await onHost((await ports()).map((name) => `ip link set ${name} ${change}`).join('; '));
}

const tables = 'table inet filter { chain forward { type filter hook forward priority 0; policy accept; }; }';
test.each<[string, string | (() => Promise<unknown>)]>([
  ['all rules are flushed', 'nft flush ruleset'],
  ['a file of rules is loaded anew', `printf '%s' 'flush ruleset; ${tables}' | nft -f -`],
  ['our table is deleted', `nft delete table inet $(nft list tables | grep -o 'cleat_.*')`],
  ['iptables drops what is forwarded', 'iptables -P FORWARD DROP'],
  ['the rules of iptables are flushed', 'iptables -F'],
  ['other rules of iptables are restored', "printf '*filter\\n:FORWARD DROP\\nCOMMIT\\n' | iptables-restore"],
  ['bridges are deleted', () => onHost(`ip link delete ${engine.bridge}; ip link delete ${userBridge}`)],
  ['bridges are set down', () => onHost(`ip link set ${engine.bridge} down; ip link set ${userBridge} down`)],
  ["containers' interfaces are taken off their bridges", () => onPorts('nomaster')],
  ["containers' interfaces are set down", () => onPorts('down')],
  [
    "containers' interfaces are put on another bridge",
    async () => {
      await onHost('ip link add grab0 type bridge');
      await onPorts('master grab0');
      await expect.poll(ports).toHaveLength(3);
      await onHost('ip link delete grab0');
    },
  ],
  [
    'the engine was dead when the rules were flushed and a bridge was deleted',
    async () => {
      await engine.kill('SIGKILL');
      await onHost(`nft flush ruleset; ip link delete ${userBridge}`);
      await engine.restart();
    },
  ],
])('everything works again after %s', async (_, damage) => {
  expect(await work()).toEqual(all);
  await (typeof damage === 'string' ? onHost(damage) : damage());
  await expect.poll(work).toEqual(all);
});

test.runIf(hasFirewalld)('firewalld: with it, after its reload, and without it', async () => {
  const dbus = inHost('dbus-daemon', `--config-file=${directory}/bus.conf`, '--nofork', '--nopidfile');
  const firewalld = inHost('firewalld', '--nofork');
  try {
    const zone = 'firewall-cmd --zone=trusted --list-interfaces';
    const bridges = async () => (await onHost(zone).catch(String)).trim().split(' ').sort();
    await expect.poll(bridges).toEqual([engine.bridge, userBridge].sort());
    await expect.poll(work).toEqual(all);
    await onHost('firewall-cmd --reload');
    await expect.poll(bridges).toEqual([engine.bridge, userBridge].sort());
    await expect.poll(work).toEqual(all);
    await ok('network', 'create', 'brief');
    await ok('network', 'rm', 'brief');
    expect(await bridges()).toEqual([engine.bridge, userBridge].sort());
  } finally {
    await firewalld.end('SIGTERM');
    await dbus.end('SIGTERM');
  }
  await expect.poll(work).toEqual(all);
});

test('after its containers, networks and the engine nothing is left', async () => {
  await ok('rm', '-f', 'web', 'api', 'worker');
  await ok('network', 'rm', 'shop');
  await ok('network', 'create', 'idle');
  expect(await engine.kill('SIGTERM')).toBe(0);
  expect(await onHost('nft list tables; iptables-save; ip6tables-save')).not.toContain('cleat');
  const links = (await onHost('ip -o link')).match(/^\d+: [^:@]+/gm)?.map((line) => line.replace(/^\d+: /, ''));
  expect(links).toEqual(['lo', 'cable0']);
  await engine.restart();
  await ok('network', 'rm', 'idle');
});

function inHost(command: string, ...args: string[]): Program {
  return new Program('nsenter', [...namespaces(), command, ...args]);
}
