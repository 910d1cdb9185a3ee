import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interfaceNames } from '@cleat/linux/net/facts';
import { type RunResult, run } from '@cleat/linux/process/run';
import { type KindLabel, kindLabels, kindOf } from '@cleat/protocol/kinds/index';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { kindsOf } from '@cleat/protocol/plugins/types';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BothEngines } from './support/both-engines.js';
import { busyboxTar } from './support/busybox.js';
import { startEngine } from './support/engine.js';
import { Program } from './support/program.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** Every plugin that the scaffold makes: its own test, and in use by both engines. */
const checkout = fileURLToPath(new URL('../..', import.meta.url));
const languages = ['TypeScript', 'JavaScript'] as const;
type Language = (typeof languages)[number];
/** The name of interfaces of this run alone. */
const prefix = `y${(process.pid % 1000).toString().padStart(3, '0')}`;

let directory: string;
const folder = (kind: KindLabel, language: Language) =>
  join(directory, `${kind}-${language === 'TypeScript' ? 'ts' : 'js'}`);
const main = (kind: KindLabel, language: Language) =>
  join(folder(kind, language), language === 'TypeScript' ? 'dist/main.js' : 'main.js');

async function command(file: string, args: string[], cwd: string, env = process.env): Promise<RunResult> {
  const result = await run(file, args, { cwd, env, deadlineMs: 240_000 });
  if (result.code !== 0) throw new Error(`${file} ${args.join(' ')}: ${result.stdout}${result.stderr}`);
  return result;
}

async function ownTestPasses(kind: KindLabel, language: Language): Promise<void> {
  const { stdout } = await command('npm', ['test'], folder(kind, language));
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(10);
}

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-scaffold-');
  const packages = join(directory, 'packages');
  await command('node', [join(checkout, 'packaging/pack.mjs'), packages], checkout);
  await Promise.all(
    kindLabels.flatMap((kind) =>
      languages.map((language) => {
        const flags = language === 'JavaScript' ? ['--js'] : [];
        const made = ['create', folder(kind, language), '--kind', kind, '--packages', packages, ...flags];
        return command(join(checkout, 'bin/cleat'), made, directory);
      }),
    ),
  );
  // The one that needs most is installed as people do it; for the others, what that took is enough.
  const installed = folder('network', 'TypeScript');
  await command('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], installed);
  for (const name of readdirSync(directory)) {
    const modules = join(directory, name, 'node_modules');
    if (name !== 'packages' && name !== basename(installed)) symlinkSync(join(installed, 'node_modules'), modules);
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(async () => {
  // A test that failed in the middle may have left some.
  for (const name of interfaceNames()) if (name.startsWith(prefix)) await run('ip', ['link', 'delete', name]);
});

/** A file of a plugin as it runs: without comments, its layout, and its name. */
const bare = (kind: KindLabel, language: Language, file: string) =>
  readFileSync(join(dirname(main(kind, language)), file), 'utf8')
    .replaceAll(basename(folder(kind, language)), 'NAME')
    .replaceAll(/^\s*(?:\/\/.*|\/\*[\s\S]*?\*\/)$/gm, '')
    .replaceAll(/\s+/g, '')
    .replaceAll(/,(?=[)\]}])/g, '');

// Each waits for its plugin most of the time: several at once.
test.concurrent.each(kindLabels)('%s: its own test passes', async (kind) => {
  await ownTestPasses(kind, 'TypeScript');
  // So all that is shown of the one below holds for the other.
  for (const file of ['plugin.js', 'main.js', 'plugin.test.js']) {
    expect(bare(kind, 'JavaScript', file), file).toBe(bare(kind, 'TypeScript', file));
  }
});

// The one that takes programs of the host along, and one of the others.
test.concurrent.each(['network', 'volume'] as const)('%s: its package script makes a managed plugin', async (kind) => {
  const runtime = join(directory, 'runtime');
  mkdirSync(join(runtime, 'usr/bin'), { recursive: true });
  await writeFile(join(runtime, 'usr/bin/node'), 'a runtime takes long to be compressed');
  const archive = join(directory, `${kind}.tar`);
  const env = { ...process.env, PATH: `${join(checkout, 'bin')}:${process.env.PATH}`, XDG_CACHE_HOME: directory };
  const script = ['run', 'package', '--', '--output', archive, '--runtime', runtime];
  const { stdout } = await command('npm', script, folder(kind, 'TypeScript'), env);
  expect(stdout).toMatch(/^Digest: sha256:/m);
  const files = (await command('tar', ['-tf', archive], directory)).stdout.split('\n');
  expect(files).toContain('rootfs/app/dist/main.js');
  expect(files).toContain('rootfs/app/node_modules/@cleat/sdk/LICENSE');
  // The SDK is in that one file, but for its part that runs programs of the host.
  const isOneFile = files.filter((file) => file.endsWith('.js')).join() === 'rootfs/app/dist/main.js';
  expect(isOneFile).toBe(kind === 'volume');
  expect(stdout.includes('not bundled into one file')).toBe(!isOneFile);
  expect(files.filter((file) => /\.test\.|\.d\.ts|typebox|conformance/.test(file))).toEqual([]);
  const config = await command('tar', ['-xOf', archive, 'config.json'], directory);
  expect(kindsOf(readManifest(config.stdout, 'strict'))).toEqual([kindOf(kind).name]);
});

test.concurrent('an extension made in JavaScript runs its own test', () => ownTestPasses('volume', 'JavaScript'));

describe('as people use it', () => {
  const language = 'TypeScript';

  test('volume, network, ipam and log serve both engines', async () => {
    await using both = await BothEngines.start();
    const volumes = await both.startPlugin(main('volume', language), (own) => ['--root', join(own, 'data')]);
    const logs = await both.startPlugin(main('log', language), (own) => ['--root', join(own, 'logs')]);
    for (const side of both.sides) {
      const { ok } = side;
      const volume = ['-v', 'data:/d', `--volume-driver=${volumes.driver}`];
      await ok('run', '--rm', '--network=none', ...volume, 'busybox', 'sh', '-c', 'echo kept > /d/f');
      expect(await ok('run', '--rm', '--network=none', ...volume, 'busybox', 'cat', '/d/f')).toBe('kept');
      await ok('volume', 'rm', 'data');

      const log = ['--log-driver', logs.driver, '--log-opt', 'prefix=web: '];
      const id = await ok('run', '-d', '--network=none', ...log, 'busybox', 'echo', 'hello');
      await ok('wait', id);
      const said = () => readFileSync(join(logs.own, 'logs', `${id}.log`), 'utf8');
      await expect.poll(said).toBe('web: hello\n');
      await ok('rm', id);

      const network = await both.startPlugin(
        main('network', language),
        (own) => ['--root', own, '--prefix', prefix],
        side,
      );
      const source = `${both.cleat.prefix}.64.0/18`;
      const ipam = await both.startPlugin(main('ipam', language), (own) => ['--root', own, '--source', source], side);
      await ok('network', 'create', '--driver', network.driver, '--ipam-driver', ipam.driver, 'wires');
      await ok('run', '-d', '--name=pong', '--network=wires', 'busybox', 'sleep', '1000');
      const address = await ok('inspect', '-f', '{{.NetworkSettings.Networks.wires.IPAddress}}', 'pong');
      const ping = ['busybox', 'ping', '-c', '1', '-W', '5', address];
      expect(await ok('run', '--rm', '--network=wires', ...ping)).toContain('1 packets received');
      await ok('rm', '-f', 'pong');
      await ok('network', 'rm', 'wires');
    }
  });

  test('authz is asked by both engines', async () => {
    const name = basename(directory)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '');
    const plugins = join(directory, 'plugins');
    mkdirSync(plugins, { recursive: true });
    const socket = join(plugins, `${name}.sock`);
    try {
      await using plugin = new Program(process.execPath, [main('authz', language), '--socket', socket]);
      await plugin.made(socket);
      const flag = `--authorization-plugin=${name}`;
      await using engine = await startEngine({ flags: [flag, `--plugin-dir=${plugins}`] });
      await using stock = stockDockerdInstalled ? await StockDockerd.start([flag], plugins) : undefined;
      for (const host of [`unix://${engine.socket}`, ...(stock ? [stock.host] : [])]) {
        const docker = (...args: string[]) => engine.dockerAt(host, ...args);
        if (host === stock?.host) await engine.dockerAt(host, 'import', '-', 'busybox', { input: await busyboxTar() });
        const refused = await docker('create', '--privileged', '--name=judged', 'busybox', 'true');
        expect(refused.stderr).toContain(
          `authorization denied by plugin ${name}: privileged containers are not for this host`,
        );
        expect(await docker('create', '--name=judged', 'busybox', 'true')).toMatchObject({ code: 0 });
        expect(await docker('rm', 'judged')).toMatchObject({ code: 0 });
      }
    } finally {
      rmSync(socket, { force: true });
    }
  });

  // A stock dockerd takes collectors as managed plugins only, and asks for secrets in swarm mode only.
  test('metrics, secret and builder serve Cleat', async () => {
    await using engine = await startEngine({ flags: ['--metrics-collector=collects', '--builder-driver=builds'] });
    const socket = (name: string) => join(engine.pluginDirectory, `${name}.sock`);
    await writeFile(join(engine.directory, 'token'), 'of trust');
    const keeps = [main('secret', language), '--socket', socket('keeps'), '--root', engine.directory];
    await using _keeps = new Program(process.execPath, keeps);
    const file = join(engine.directory, 'engine.prom');
    const from = join(engine.execRoot, 'metrics.sock');
    const collects = [main('metrics', language), '--socket', socket('collects'), '--from', from, '--file', file];
    await using _collects = new Program(process.execPath, [...collects, '--seconds', '1']);
    await _keeps.made(socket('keeps'));
    const { stdout } = await engine.docker(
      ...['run', '--rm', '--network=none', '--label', 'io.cleat.secret.token=keeps', 'busybox'],
      ...['cat', '/run/secrets/token'],
    );
    expect(stdout).toBe('of trust');
    await using builds = new Program(process.execPath, [main('builder', language), '--socket', socket('builds')]);
    await builds.made(socket('builds'));
    const context = join(engine.directory, 'context');
    mkdirSync(context);
    await writeFile(join(context, 'Dockerfile'), 'FROM busybox\nCMD ["/hello"]\n');
    expect(await engine.docker('build', '-t', 'built', context)).toMatchObject({ code: 0 });
    expect((await engine.docker('inspect', '-f', '{{.Config.Cmd}}', 'built')).stdout).toBe('[/hello]\n');
    await _collects.made(file);
    expect(readFileSync(file, 'utf8')).toContain('engine_daemon_');
  });
});
