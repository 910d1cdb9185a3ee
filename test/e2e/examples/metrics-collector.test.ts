import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { docker } from '../support/docker.js';
import { checkout } from '../support/documents.js';
import { startEngine } from '../support/engine.js';
import { Program } from '../support/program.js';
import { StockDockerd, stockDockerdInstalled } from '../support/stock-dockerd.js';

/** examples/metrics-collector, as a program beside Cleat and as a managed plugin of a stock dockerd. */
const main = fileURLToPath(new URL('../../../examples/metrics-collector/dist/main.js', import.meta.url));

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
  await ok('plugin', 'set', 'collector', `out.source=${join(scratch, 'out')}`, 'args=--every=0.1');
  await ok('plugin', 'enable', 'collector');
  await expect.poll(written).toEqual(figure('engine_daemon_container_states_containers{state="running"} 0$'));
  await ok('plugin', 'disable', '-f', 'collector');
  await expect.poll(written).toBe('');
  await ok('plugin', 'rm', 'collector');
});

/** As the README says: `rootfs` with node, the libraries that it needs and the program, beside its `config.json`. */
async function makePlugin(directory: string): Promise<void> {
  const rootfs = join(directory, 'rootfs');
  const { stdout } = await promisify(execFile)('ldd', [process.execPath]);
  await cp(await realpath(process.execPath), join(rootfs, 'usr/local/bin/node'));
  for (const library of stdout.match(/\/\S+/g) ?? []) await cp(await realpath(library), join(rootfs, library));
  for (const name of ['protocol', 'sdk']) {
    const to = join(rootfs, 'node_modules/@cleat', name);
    for (const part of ['dist', 'package.json']) {
      await cp(join(checkout, name, part), join(to, part), { recursive: true });
    }
  }
  await cp(join(checkout, 'examples/metrics-collector'), join(rootfs, 'app'), { recursive: true });
  for (const part of ['tmp', 'out', 'run/docker/plugins']) await mkdir(join(rootfs, part), { recursive: true });
  await cp(join(checkout, 'examples/metrics-collector/plugin/config.json'), join(directory, 'config.json'));
}
