import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { docker } from './support/docker.js';
import { checkout } from './support/documents.js';
import { startEngine } from './support/engine.js';
import { Program } from './support/program.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** examples/metrics-collector, as a program beside Cleat and as a managed plugin of a stock dockerd. */
const main = fileURLToPath(new URL('../../examples/metrics-collector/dist/main.js', import.meta.url));

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp('/tmp/cleat-metrics-collector-');
  await mkdir(join(scratch, 'out'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const textfile = () => join(scratch, 'out/engine.prom');
const written = () => readFile(textfile(), 'utf8').catch(() => '');
const figure = (name: string) => expect.stringMatching(new RegExp(`^${name}`, 'm'));

test('beside Cleat, the figures are in the file, through the death of either', async () => {
  await using engine = await startEngine({ flags: ['--metrics-collector=metrics-collector'] });
  const socket = join(engine.pluginDirectory, 'metrics-collector.sock');
  const page = join(engine.execRoot, 'metrics.sock');
  const args = [main, '--socket', socket, '--page', page, '--textfile', textfile(), '--every', '0.1'];
  const first = new Program(process.execPath, args);
  await expect.poll(written).toEqual(figure('engine_daemon_container_states_containers{state="running"} 0$'));
  await engine.docker('run', '-d', '--network=none', '--name=one', 'busybox', 'sleep', '1000');
  await expect.poll(written).toEqual(figure('engine_daemon_container_states_containers{state="running"} 1$'));

  await first.end('SIGKILL');
  await rm(textfile());
  await using second = new Program(process.execPath, args);
  await expect.poll(written).toEqual(figure('engine_page_up 1$'));

  await engine.kill('SIGKILL');
  await expect.poll(written).toEqual(figure('engine_page_up 0$'));
  expect(await written()).not.toContain('engine_daemon');
  await engine.restart();
  await expect.poll(written).toEqual(figure('engine_daemon_container_states_containers{state="running"} 1$'));
  await engine.docker('rm', '-f', 'one');
  await engine.kill('SIGTERM');
  await expect.poll(written).toBe('');
  expect(second.ended).toBe(false);
});

test.skipIf(!stockDockerdInstalled)('in a stock dockerd, the figures are in the file while it is enabled', async () => {
  await using stock = await StockDockerd.start();
  const ok = async (...args: string[]) => {
    const { code, stderr } = await docker(stock.host, join(scratch, 'docker'), args);
    expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
  };
  await makePlugin(join(scratch, 'plugin'));
  await ok('plugin', 'create', 'collector', join(scratch, 'plugin'));
  await ok('plugin', 'enable', 'collector');
  await expect.poll(written).toEqual(figure('engine_daemon_container_states_containers{state="running"} 0$'));
  await ok('plugin', 'disable', '-f', 'collector');
  await expect.poll(written).toBe('');
  await ok('plugin', 'rm', 'collector');
});

/** As the README says: `rootfs` with node, the libraries that it needs, and the program; and `config.json`. */
async function makePlugin(directory: string): Promise<void> {
  const rootfs = join(directory, 'rootfs');
  const { stdout } = await promisify(execFile)('ldd', [process.execPath]);
  for (const path of [process.execPath, ...(stdout.match(/\/\S+/g) ?? [])]) {
    await mkdir(join(rootfs, dirname(path)), { recursive: true });
    await cp(await realpath(path), join(rootfs, path));
  }
  for (const name of ['protocol', 'sdk']) {
    const to = join(rootfs, 'node_modules/@cleat', name);
    for (const part of ['dist', 'package.json']) {
      await cp(join(checkout, name, part), join(to, part), { recursive: true });
    }
  }
  await cp(join(checkout, 'examples/metrics-collector'), join(rootfs, 'app'), { recursive: true });
  for (const part of ['tmp', 'out', 'run/docker/plugins']) await mkdir(join(rootfs, part), { recursive: true });
  const config = {
    Description: 'The figures of the engine, in a file',
    Documentation: '',
    Interface: { Types: ['docker.metricscollector/1.0'], Socket: 'collector.sock' },
    Entrypoint: [
      process.execPath,
      '/app/dist/main.js',
      '--socket=/run/docker/plugins/collector.sock',
      '--textfile=/out/engine.prom',
      '--every=0.1',
    ],
    WorkDir: '/',
    Network: { Type: 'none' },
    Linux: { Capabilities: null, AllowAllDevices: false, Devices: null },
    Mounts: [{ Type: 'bind', Source: join(scratch, 'out'), Destination: '/out', Options: ['rbind'] }],
    Env: [],
    Args: {},
  };
  await writeFile(join(directory, 'config.json'), JSON.stringify(config));
}
