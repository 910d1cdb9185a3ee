import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { clientOf } from './support/client.js';
import { clearEngines, type Engine, startEngine } from './support/engine.js';
import { testNeeding, uses } from './support/needs.js';

/** Links where containers are kept apart otherwise: they open what the other one exposes, and nothing else. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ flags: ['--icc=false'] });
});
afterAll(() => engine?.[Symbol.asyncDispose]());
afterEach(clearEngines);

const test = testNeeding(uses.container);
const { ok, refused } = clientOf(() => engine);
/** Answers `hi` on 80 and 81 by TCP, `hi` on 53 and 54 by UDP; only one of each is exposed. */
async function server(name: string): Promise<void> {
  await ok('run', '-d', '--name', name, '--expose', '80', '--expose', '53/udp', 'busybox', 'sleep', '1000');
  await serve(name);
}
async function serve(name: string): Promise<void> {
  const script = `for (const port of [80, 81]) require('net').createServer((socket) => socket.end('hi')).listen(port, '0.0.0.0');
    for (const port of [53, 54]) {
      const socket = require('dgram').createSocket('udp4');
      socket.on('message', (_, from) => socket.send('hi', from.port, from.address)).bind(port);
    }
    console.log('ready');`;
  const child = await inside(name, script);
  await once(child.stdout, 'data');
}
/** Node, which the image has not, in the network of a container. It ends with the test at the latest. */
async function inside(name: string, script: string) {
  const pid = await ok('inspect', '-f', '{{.State.Pid}}', name);
  const child = spawn('nsenter', ['-t', pid, '-n', process.execPath, '-e', script]);
  started.push(child);
  return child;
}
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

const client = (name: string, ...args: string[]) =>
  ok('run', '-d', '--name', name, ...args, 'busybox', 'sleep', '1000');
const address = (name: string) => ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);

/** The ports of `to` that answer to `from`. A closed port does not answer, so this takes a second then. */
async function reached(from: string, to: string): Promise<string[]> {
  const script = `const done = (port) => () => console.log(port);
    for (const port of [80, 81]) require('net').connect(port, '${to}').on('error', () => {}).on('data', done(port + '/tcp'));
    for (const port of [53, 54]) {
      const socket = require('dgram').createSocket('udp4').on('message', done(port + '/udp'));
      socket.send('hi', port, '${to}');
    }
    setTimeout(() => process.exit(), 1500);`;
  const [child, ping] = await Promise.all([
    inside(from, script),
    engine.docker('exec', from, 'ping', '-c1', '-W1', to),
  ]);
  const said = await text(child.stdout);
  return [...said.split('\n').filter(Boolean), ...(ping.code === 0 ? ['ping'] : [])].sort();
}
const open = ['53/udp', '80/tcp'];

test('a link reaches the ports that its container exposes, and no others; nobody else reaches them', async () => {
  await server('la');
  await client('lb', '--link', 'la:x');
  await client('lc');
  const ip = await address('la');
  expect(await ok('exec', 'lb', 'sh', '-c', 'nc -w 2 x 80 < /dev/null')).toBe('hi');
  expect(await Promise.all([reached('lb', ip), reached('lc', ip), reached('la', await address('lb'))])).toEqual([
    open,
    [],
    [],
  ]);

  // Either of them starts anew, or the engine does, also when it is killed.
  await ok('restart', '-t', '0', 'la');
  await serve('la');
  expect(await reached('lb', await address('la'))).toEqual(open);
  await ok('restart', '-t', '0', 'lb');
  expect(await reached('lb', await address('la'))).toEqual(open);
  await engine.kill('SIGKILL');
  await engine.restart();
  expect(await reached('lb', await address('la'))).toEqual(open);

  await ok('rm', '--link', 'lb/x');
  expect(await reached('lb', await address('la'))).toEqual([]);
  expect(hostAnswers()).toBe(false);
});

test('a link over a default network that either joins later, and its end with a container', async () => {
  await server('la');
  await client('lb', '--link', 'la:x');
  await ok('network', 'disconnect', 'bridge', 'la');
  await ok('network', 'connect', 'bridge', 'la');
  const ip = await address('la');
  expect(await ok('exec', 'lb', 'cat', '/etc/hosts')).toContain(`${ip}\tx`);
  expect(await reached('lb', ip)).toEqual(open);
  const former = await address('lb');
  await ok('rm', '-f', 'lb');
  // Another one gets the address, and nothing with it.
  await client('lc');
  expect(await address('lc')).toBe(former);
  expect(await reached('lc', ip)).toEqual([]);
  expect(hostAnswers()).toBe(false);
});

test('a link to ports that no firewall would open is refused', async () => {
  await engine.kill('SIGTERM');
  await engine.restart(['--icc=false', '--iptables=false']);
  await server('la');
  expect(await refused('run', '--link', 'la:x', 'busybox', 'true')).toContain('links do not work on a network');
});

/** The host answers for the containers' addresses exactly while there is a link. */
const hostAnswers = () => readFileSync(`/proc/sys/net/ipv4/conf/${engine.bridge}/proxy_arp_pvlan`, 'utf8') === '1\n';
