import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { clientOf } from './support/client.js';
import { clearEngines, type Engine, startEngine } from './support/engine.js';
import { testNeeding, uses } from './support/needs.js';

/** Links of the default network: to containers, not to words. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.[Symbol.asyncDispose]());
afterEach(clearEngines);

const test = testNeeding(uses.container);
const { ok, refused } = clientOf(() => engine);
const run = (name: string, ...args: string[]) => ok('run', '-d', '--name', name, ...args, 'busybox', 'sleep', '1000');
const linksOf = async (name: string) => JSON.parse(await ok('inspect', '-f', '{{json .HostConfig.Links}}', name));
const names = async () => (await ok('ps', '-a', '--no-trunc', '--format', '{{.Names}}')).split('\n').sort();
const hosts = (name: string) => ok('exec', name, 'cat', '/etc/hosts');
const bridgeAddress = (name: string) => ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);

test('a linked container is found, described, and shown as the stock engine shows it', async () => {
  const id = await run('la', '-e', 'FOO=bar', '--expose', '80');
  await run('lb', '--link', 'la:x', '--link', 'la', '-e', 'X_ENV_FOO=mine');
  const ip = await bridgeAddress('la');
  expect(await linksOf('lb')).toEqual(['/la:/lb/x', '/la:/lb/la']);
  expect(await names()).toEqual(['la,lb/la,lb/x', 'lb']);
  expect(await hosts('lb')).toContain(`${ip}\tx ${id.slice(0, 12)} la\n${ip}\tla ${id.slice(0, 12)}\n`);
  expect(await ok('exec', 'lb', 'ping', '-c', '1', '-W', '2', 'x')).toContain('1 packets received');
  const env = (await ok('exec', 'lb', 'env')).split('\n');
  for (const line of [
    `X_PORT=tcp://${ip}:80`,
    `X_PORT_80_TCP_ADDR=${ip}`,
    'X_NAME=/lb/x',
    'LA_NAME=/lb/la',
    'LA_ENV_FOO=bar',
    'X_ENV_FOO=mine',
  ]) {
    expect(env).toContain(line);
  }
  // Its first process has the same.
  expect(await ok('exec', 'lb', 'sh', '-c', 'tr "\\0" "\\n" < /proc/1/environ')).toContain('X_NAME=/lb/x');
  for (const ref of ['lb/x', '/lb/x']) expect(await ok('inspect', '-f', '{{.Id}}', ref)).toBe(id);
});

test('it stays the same one after a rename, also when another takes its name', async () => {
  const id = await run('la');
  await run('lb', '--link', 'la:x');
  await ok('rename', 'la', 'la2');
  await run('la');
  expect(await hosts('lb')).toContain(`${await bridgeAddress('la2')}\tx ${id.slice(0, 12)} la2\n`);
  await ok('rename', 'lb', 'lb2');
  await ok('restart', '-t', '0', 'lb2');
  const ip = await bridgeAddress('la2');
  expect(await hosts('lb2')).toContain(`${ip}\tx ${id.slice(0, 12)} la2\n`);
  expect(await linksOf('lb2')).toEqual(['/la2:/lb2/x']);
  expect(await names()).toEqual(['la', 'la2,lb2/x', 'lb2']);
  expect(await refused('inspect', 'lb/x')).toMatch(/no such object: lb\/x/i);
  // And when the target starts with another address.
  await ok('stop', '-t', '0', 'la2');
  await run('between');
  await ok('start', 'la2');
  expect(await bridgeAddress('la2')).not.toBe(ip);
  expect(await hosts('lb2')).toContain(`${await bridgeAddress('la2')}\tx `);
  // The next engine knows it, too.
  await engine.kill('SIGTERM');
  await engine.restart();
  expect(await linksOf('lb2')).toEqual(['/la2:/lb2/x']);
});

test('a target that does not run, or is gone, is an error at start; the container stays', async () => {
  await run('la');
  await run('lb', '--link', 'la:x');
  await ok('stop', '-t', '0', 'la', 'lb');
  const why = 'Cannot link to a non running container: /la AS /lb/x';
  expect(await refused('start', 'lb')).toContain(why);
  await ok('rm', 'la');
  await run('la');
  expect(await refused('start', 'lb')).toContain(why);
  expect(await refused('restart', 'lb')).toContain(`Cannot restart container lb: ${why}`);
  expect(await linksOf('lb')).toEqual(['/la:/lb/x']);
});

test('rm --link takes the link away and nothing else', async () => {
  await run('la');
  await run('lb', '--link', 'la:x', '--link', 'la:y');
  expect(await refused('rm', '--link', 'lb')).toContain('cannot remove the default link name of the container');
  expect(await refused('rm', '--link', 'lb/z')).toContain('No such container: lb/z');
  await ok('rm', '--link', '/lb/x');
  expect(await names()).toEqual(['la,lb/y', 'lb']);
  expect(await linksOf('lb')).toEqual(['/la:/lb/y']);
  expect(await hosts('lb')).not.toContain('\tx ');
  expect(await refused('rm', '--link', 'lb/x')).toContain('No such container: lb/x');
  await ok('stop', '-t', '0', 'lb', 'la');
  await ok('rm', '--link', 'lb/y');
  await ok('start', 'lb');
});

test('links are refused where they cannot be, and are aliases on a network of one’s own', async () => {
  await ok('network', 'create', 'own');
  await run('la', '--network', 'own');
  expect(await refused('run', '--name', 'lb', '--link', 'la:x', 'busybox', 'true')).toContain(
    'Cannot link to /la, as it does not belong to the default network',
  );
  expect(await refused('create', '--name', 'lc', '--link', 'nobody:x', 'busybox')).toContain(
    'could not get container for nobody: No such container: nobody',
  );
  await run('ld', '--network', 'own', '--link', 'la:x');
  expect(await ok('inspect', '-f', '{{json (index .NetworkSettings.Networks "own").Links}}', 'ld')).toBe('["la:x"]');
  expect(await linksOf('ld')).toBeNull();
  await ok('rename', 'la', 'la2');
  await run('la', '--network', 'own');
  const ip = await ok('inspect', '-f', '{{(index .NetworkSettings.Networks "own").IPAddress}}', 'la2');
  expect(await ok('exec', 'ld', 'nslookup', 'x')).toContain(ip);
  await ok('restart', '-t', '0', 'ld');
  expect(await ok('exec', 'ld', 'nslookup', 'x')).toContain(ip);
  expect(await names()).toEqual(['la', 'la2,lb/x', 'lb', 'ld']);
});
