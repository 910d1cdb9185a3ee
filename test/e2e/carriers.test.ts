import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { batteries } from './support/manifest.js';
import { freePort } from './support/ports.js';
import { Program } from './support/program.js';

/** Running containers notice neither where the batteries are nor that they move. */
let engine: Engine;
const { ok, refused } = clientOf(() => engine);
afterEach(async () => {
  await removeAll(engine);
  await engine[Symbol.asyncDispose]();
});

const everywhere = (carrier: string): string[] => batteries.map((name) => `--extension=${name}=${carrier}`);

test('containers, volumes, networks and logs go on while all batteries move out of the engine and back', async () => {
  engine = await startEngine({ flags: everywhere('in-process') });
  const port = await freePort();
  await ok('network', 'create', 'own');
  const script = 'echo served > /w/f; httpd -h /w; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done';
  const kept = ['-v', 'kept:/w', '--network', 'own'];
  await ok('run', '-d', '--name', 'web', ...kept, '-p', `127.0.0.1:${port}:80`, 'busybox', 'sh', '-c', script);
  const facts = () => ok('inspect', '--format', '{{.State.Pid}} {{.NetworkSettings.Networks.own.IPAddress}}', 'web');
  const before = await facts();

  for (const carrier of ['process', 'in-process']) {
    // It may just have been started.
    await expect.poll(lastLine).toBeGreaterThan(0);
    const printed = await lastLine();
    await engine.kill('SIGKILL');
    await engine.restart(everywhere(carrier));
    expect(await facts()).toBe(before);
    await expect.poll(lastLine).toBeGreaterThan(printed);
    expect(await ok('ps', '--format', '{{.Names}} {{.Ports}}')).toBe(`web 127.0.0.1:${port}->80/tcp`);
    expect(await (await fetch(`http://127.0.0.1:${port}/f`)).text()).toBe('served\n');

    // A newcomer has the same volume and network, an address of its own, and a log; then it is gone altogether.
    await ok('run', '-d', '--name', 'guest', ...kept, 'busybox', 'sh', '-c', 'wget -qO- http://web/f; sleep 1000');
    const address = '{{.NetworkSettings.Networks.own.IPAddress}}';
    expect(before).not.toContain(await ok('inspect', '--format', address, 'guest'));
    await expect.poll(() => ok('logs', 'guest')).toBe('served');
    expect(await ok('exec', 'guest', 'cat', '/w/f')).toBe('served');
    await ok('rm', '-f', 'guest');
  }

  // The batteries of another carrier take down the things that those of one carrier set up.
  await ok('stop', '-t', '0', 'web');
  const lines = (await ok('logs', 'web')).split('\n').map(Number);
  expect(lines).toEqual(lines.map((_, index) => index + 1));
  await expect(fetch(`http://127.0.0.1:${port}/f`)).rejects.toThrow();
  await ok('start', 'web');
  await expect.poll(() => fetch(`http://127.0.0.1:${port}/f`).then(({ status }) => status, String)).toBe(200);
  await ok('rm', '-f', 'web');
  await ok('volume', 'rm', 'kept');
  await ok('network', 'rm', 'own');
});

test('strangers of the same names take the places of batteries that were left out, while the engine runs', async () => {
  const replaced = { 'volume-local': 'local', 'network-bridge': 'bridge', 'ipam-default': 'default' };
  engine = await startEngine({ flags: Object.keys(replaced).map((name) => `--extension=${name}=off`) });
  const use = ['run', '--rm', '-v', 'data:/d', 'busybox', 'sh', '-c', 'echo x > /d/f; cat /d/f; ip -o -4 addr'];
  const create = () => engine.docker('volume', 'create', 'data');
  expect(await refused(...use)).toContain('extension volume-local is left out');
  expect(await refused('run', '--rm', 'busybox', 'true')).toContain('extension network-bridge is left out');
  expect(await refused('network', 'create', 'own')).toContain('is left out');

  const state = (name: string) => join(engine.directory, 'strangers', name);
  const engineId = (await readFile(join(engine.dataRoot, 'engine-id'), 'utf8')).trim();
  await using _volumes = await stranger('volume-local', 'local', { root: state('volumes') });
  await using _networks = await stranger('network-bridge', 'bridge', { engineId, stateDir: state('bridge') });
  await using _addresses = await stranger('ipam-default', 'default', {
    stateDir: state('ipam'),
    addressPools: [{ base: `${engine.prefix}.128.0/17`, size: 24 }],
  });
  await expect.poll(async () => (await create()).code).toBe(0);
  expect(await ok(...use)).toMatch(new RegExp(`^x\n[^]*inet ${engine.prefix.replace('.', '\\.')}\\.0\\.`));
  expect(await ok('network', 'ls', '--format', '{{.Name}}', '--filter', 'driver=bridge')).toBe('bridge');
  expect(await readFile(join(state('volumes'), 'data/_data/f'), 'utf8')).toBe('x\n');
  await ok('network', 'create', 'own');
  await ok('run', '-d', '--name', 'web', '--network', 'own', 'busybox', 'sleep', '1000');
  expect(await ok('run', '--rm', '--network', 'own', 'busybox', 'ping', '-c1', 'web')).toContain('1 packets received');
  await ok('rm', '-f', 'web');
  await ok('network', 'rm', 'own');
  await ok('volume', 'rm', 'data');
  // The engine takes its own network down while the strangers still serve.
  await engine.kill('SIGTERM');
});

test.each(['volume-local', 'network-bridge', 'ipam-default', 'log-json-file'])(
  'what %s made is there while it is left out, and in use again when it is back',
  async (battery) => {
    engine = await startEngine();
    await ok('network', 'create', 'own');
    await ok(
      'run',
      '-d',
      '--name',
      'web',
      '--network',
      'own',
      '-v',
      'data:/d',
      'busybox',
      'sh',
      '-c',
      'echo up; sleep 1000',
    );
    await engine.kill('SIGKILL');
    await engine.restart([`--extension=${battery}=off`]);
    expect(await ok('exec', 'web', 'ls', '-d', '/d')).toBe('/d');
    expect(await ok('logs', 'web')).toBe('up');
    expect(await ok('volume', 'ls', '-q')).toBe('data');
    expect(await ok('network', 'ls', '--format', '{{.Name}}', '--filter', 'type=custom')).toBe('own');
    const said = await refused('restart', '-t', '0', 'web');
    expect(said).toContain(`cleatd --extension ${battery}=in-process brings it back`);
    expect(said).toContain(await ok('inspect', '--format', '{{.State.Error}}', 'web'));

    await engine.kill('SIGTERM');
    await engine.restart([]);
    await ok('start', 'web');
    await expect.poll(() => ok('logs', 'web')).toBe('up\nup');
    await ok('rm', '-f', 'web');
    await ok('volume', 'rm', 'data');
    await ok('network', 'rm', 'own');
  },
);

/** The same module, as anybody else would run it: started by nobody we know, found by its socket. */
async function stranger(battery: string, name: string, options: Record<string, unknown>): Promise<Program> {
  const path = (at: string) => fileURLToPath(new URL(`../../${at}`, import.meta.url));
  const socket = join(engine.pluginDirectory, `${name}.sock`);
  const host = [path('sdk/dist/host.js'), path(`batteries/dist/${battery}/main.js`), socket];
  const program = new Program(process.execPath, host, { CLEAT_EXTENSION: JSON.stringify({ name, options }) });
  await program.made(socket);
  return program;
}

const lastLine = async (): Promise<number> => Number(await ok('logs', '--tail', '1', 'web'));
