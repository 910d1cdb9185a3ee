import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseReference } from '@cleat/engine/content/references';
import { withRegistry } from '@cleat/engine/distribution/connect';
import { checkTrust, type TrustRule } from '@cleat/engine/plugins/trust/index';
import { readPublicKey } from '@cleat/engine/plugins/trust/verify';
import { type RunResult, run } from '@cleat/linux/process/run';
import { silentLogger } from '@cleat/protocol/log';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { docker } from './support/docker.js';
import { startEngine } from './support/engine.js';
import { Registry } from './support/registry.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** `cleat package`: what it makes is taken by registries and by stock engines. */
const checkout = fileURLToPath(new URL('../..', import.meta.url));
const noRemove = join(checkout, 'examples/no-remove');
let directory: string;
let registry: Registry;

const cleat = async (...args: string[]): Promise<RunResult> => await cleatWith({}, ...args);

async function cleatWith(variables: NodeJS.ProcessEnv, ...args: string[]): Promise<RunResult> {
  // The cache of layers is the user's: it takes long to compress Node, and other tests do it, too.
  const env = { ...process.env, DOCKER_CONFIG: directory, ...variables };
  return await run(join(checkout, 'bin/cleat'), args, { env, cwd: directory, deadlineMs: 240_000 });
}

/** A project whose runtime is none: small, where what runs in it does not matter. */
function smallProject(name: string): string {
  const path = join(directory, name);
  mkdirSync(join(path, 'runtime/usr/bin'), { recursive: true });
  writeFileSync(join(path, 'runtime/usr/bin/node'), 'no program');
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name, bin: 'main.js', files: [] }));
  writeFileSync(join(path, 'main.js'), `// ${name}`);
  return path;
}

async function json(path: string, accept: string): Promise<Record<string, unknown> & { layers: { digest: string }[] }> {
  const response = await fetch(`http://${registry.host}/v2/${path}`, { headers: { accept } });
  expect(response.status, path).toBe(200);
  return (await response.json()) as never;
}

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-package-e2e-');
  registry = await Registry.start();
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';
const listType = 'application/vnd.docker.distribution.manifest.list.v2+json';

describe('the example no-remove', () => {
  const digests: string[] = [];

  test('is packaged for docker plugin create and pushed: one digest, a size that is told', async () => {
    const archived = await cleat('package', noRemove, '--output', 'no-remove.tar');
    expect(archived).toMatchObject({ code: 0, stderr: '' });
    expect(archived.stdout).toMatch(/no-remove\.sock: VolumeDriver\nUsers grant nothing\nlinux\/\w+: \d+\.\d MB \(/);
    const pushed = await cleat('package', noRemove, '--quiet', '--push', `${registry.host}/me/no-remove`);
    expect(pushed).toMatchObject({ code: 0, stderr: '' });
    digests.push(/^Digest: (.*)$/m.exec(archived.stdout)?.[1] ?? '', pushed.stdout.trim());
    expect(digests[1]).toBe(digests[0]);
    const manifest = await json('me/no-remove/manifests/latest', manifestType);
    expect(manifest).toMatchObject({
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.docker.plugin.v1+json' },
    });
    // The plugin itself, without Node: what a further one adds.
    const sizes = (manifest.layers as unknown as { size: number }[]).map(({ size }) => size);
    expect(sizes[1]).toBeLessThan(1_000_000);
  });

  test('shares its runtime with the next plugin', async () => {
    const path = join(directory, 'next');
    mkdirSync(path);
    writeFileSync(join(path, 'package.json'), JSON.stringify({ name: 'next', bin: 'main.js' }));
    writeFileSync(join(path, 'main.js'), '');
    // The same repository: the registry has the layer already.
    const { stdout, code } = await cleat(
      'package',
      path,
      '--kind',
      'log',
      '--push',
      `${registry.host}/me/no-remove:next`,
    );
    expect({ stdout, code }).toMatchObject({ code: 0, stdout: expect.stringContaining('Layer already exists') });
    const [one, other] = await Promise.all(
      ['latest', 'next'].map((tag) => json(`me/no-remove/manifests/${tag}`, manifestType)),
    );
    expect(other?.layers[0]).toEqual(one?.layers[0]);
  });

  test.skipIf(!stockDockerdInstalled)('is created, enabled and used on a stock dockerd', async () => {
    const made = join(directory, 'made');
    mkdirSync(made);
    expect((await run('tar', ['-xf', join(directory, 'no-remove.tar'), '-C', made])).code).toBe(0);
    await using stock = await StockDockerd.start();
    const at = async (...args: Parameters<typeof docker>[2]) => {
      const result = await docker(stock.host, directory, args);
      expect(result, args.join(' ')).toMatchObject({ code: 0 });
      return result.stdout.trim();
    };
    await at('plugin', 'create', 'no-remove', made);
    await at('plugin', 'enable', 'no-remove');
    expect(await at('plugin', 'ls', '--format', '{{.Name}} {{.Enabled}}')).toBe('no-remove:latest true');
    await at('import', '-', 'busybox', { input: await busyboxTar() });
    const use = (command: string) =>
      at(
        'run',
        '--rm',
        '--net=none',
        '-v',
        'data:/d',
        '--volume-driver=no-remove:latest',
        'busybox',
        'sh',
        '-c',
        command,
      );
    await use('echo kept > /d/file');
    await at('volume', 'rm', 'data');
    expect(await use('cat /d/file')).toBe('kept');
    await at('volume', 'rm', 'data');
    await at('plugin', 'rm', '-f', 'no-remove');
  });
});

describe('for several platforms', () => {
  test('there is one list, and a tag for each architecture for engines that read no list', async () => {
    const path = smallProject('multi');
    const runtimes = ['amd64', 'arm64'].flatMap((each) => ['--runtime', `linux/${each}=${path}/runtime`]);
    const where = ['--platform', 'linux/amd64,linux/arm64', '--push', `${registry.host}/me/multi:2`];
    const { stdout, stderr } = await cleat('package', path, '--kind', 'volume', ...runtimes, ...where);
    expect(stderr).toBe('');
    const list = await json('me/multi/manifests/2', listType);
    expect(list.manifests).toMatchObject([
      { mediaType: manifestType, platform: { os: 'linux', architecture: 'amd64' } },
      { mediaType: manifestType, platform: { os: 'linux', architecture: 'arm64' } },
    ]);
    expect(stdout).toMatch(/\/me\/multi:2-arm64: digest: sha256:/);
    expect(await json('me/multi/manifests/2-arm64', manifestType)).toMatchObject({ mediaType: manifestType });
  });

  test('an OCI layout has all blobs by their digest', async () => {
    const path = smallProject('layout');
    const out = join(directory, 'layout-out');
    const { code } = await cleat('package', path, '--kind', 'log', '--runtime', `${path}/runtime`, '-o', out);
    expect(code).toBe(0);
    const index = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
    const [{ digest } = { digest: '' }] = index.manifests;
    expect(readFileSync(join(out, 'blobs', digest.replace(':', '/')), 'utf8')).toContain('plugin.v1+json');
  });
});

describe('signed', () => {
  const reference = () => parseReference(`${registry.host}/me/signed:1`);
  const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = (key: typeof pair.publicKey) => key.export({ type: 'spki', format: 'pem' }).toString();
  let pushed: string;

  const trusted = async (keys: TrustRule['keys'], digest = pushed) => {
    const config = { insecureRegistries: [], registryMirrors: [], maxConcurrentDownloads: 1 };
    const { signal } = new AbortController();
    const rules = [{ name: '*', keys, unsigned: false }];
    return await withRegistry(
      { config, reach: undefined, log: silentLogger },
      { reference: reference(), access: 'pull', contents: 'plugin', signal },
      async (client) =>
        (await checkTrust({ rules, reference: reference(), client, digests: [digest], signal }))?.key.name,
    );
  };

  test('by its publisher it is trusted; by nobody, or by another, it is not', async () => {
    writeFileSync(join(directory, 'key.pem'), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const path = smallProject('signed');
    const args = [
      'package',
      path,
      '--quiet',
      '--kind',
      'volume',
      '--runtime',
      `${path}/runtime`,
      '--push',
      `${registry.host}/me/signed:1`,
    ];
    pushed = (await cleat(...args)).stdout.trim();
    const key = readPublicKey(pem(pair.publicKey), 'publisher.pub');
    await expect(trusted([key])).rejects.toMatchObject({
      class: 'Forbidden',
      message: expect.stringContaining('it has no signature'),
    });
    const signed = await cleat(...args, '--sign', 'key.pem');
    expect(signed).toMatchObject({ code: 0, stderr: '', stdout: `${pushed}\n` });
    expect(await trusted([key])).toBe('publisher.pub');
    const other = generateKeyPairSync('ed25519');
    const stranger = readPublicKey(pem(other.publicKey), 'stranger.pub');
    await expect(trusted([stranger])).rejects.toThrow('with none of the keys stranger.pub');
    // A second publisher adds to it.
    writeFileSync(join(directory, 'other.pem'), other.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect((await cleat('plugins', 'sign', `${registry.host}/me/signed:1`, '--key', 'other.pem')).stderr).toBe('');
    expect([await trusted([key]), await trusted([stranger])]).toEqual(['publisher.pub', 'stranger.pub']);
  });

  test('an engine with plugin-trust installs what its publisher signed, and nothing else', async () => {
    const file = join(directory, 'publisher.pub');
    writeFileSync(file, pem(pair.publicKey));
    const path = smallProject('unsigned');
    const args = ['package', path, '--quiet', '--kind', 'volume', '--runtime', `${path}/runtime`];
    expect((await cleat(...args, '--push', `${registry.host}/me/unsigned`)).code).toBe(0);
    const rules = [{ name: `${registry.host}/me/*`, keys: [file] }];
    await using engine = await startEngine({ busybox: false, config: { 'plugin-trust': rules } });
    const install = (name: string) =>
      engine.docker('plugin', 'install', '--disable', '--grant-all-permissions', `${registry.host}/${name}`);
    const refused = await install('me/unsigned');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('/me/unsigned is not trusted: it has no signature');
    expect((await engine.docker('plugin', 'ls', '-q')).stdout).toBe('');
    expect(await install('me/signed:1')).toMatchObject({ code: 0 });
    expect((await engine.docker('plugin', 'ls', '--format', '{{.Name}}')).stdout).toBe(
      `${registry.host}/me/signed:1\n`,
    );

    // The registry goes back to a version that was signed before: by its tag it is refused, by its digest it is meant.
    await engine.docker('plugin', 'rm', `${registry.host}/me/signed:1`);
    writeFileSync(join(path, 'more.js'), 'older');
    const older = [...args, '--push', `${registry.host}/me/signed:1`, '--sign', 'key.pem'];
    const { stdout } = await cleatWith({ SOURCE_DATE_EPOCH: '1000000000' }, ...older);
    expect((await install('me/signed:1')).stderr).toContain('its signature is one of 2001-09-09T01:46:40Z, but one of');
    expect(await install(`me/signed@${stdout.trim()}`)).toMatchObject({ code: 0 });
  });
});

/** The manifest of rclone/docker-volume-rclone as it is published, but for its bind mounts, which are the host's. */
const rcloneManifest = (root: string) => ({
  description: 'Rclone volume plugin for Docker',
  documentation: 'https://rclone.org/',
  interface: { socket: 'rclone.sock', types: ['docker.volumedriver/1.0'] },
  linux: { capabilities: ['CAP_SYS_ADMIN'], devices: [{ path: '/dev/fuse' }] },
  network: { type: 'host' },
  entrypoint: ['rclone', 'serve', 'docker'],
  workdir: '/data',
  args: { name: 'args', value: [], settable: ['value'] },
  env: [
    { name: 'RCLONE_VERBOSE', settable: ['value'], value: '0' },
    { name: 'RCLONE_CONFIG', settable: null, value: '/data/config/rclone.conf' },
    { name: 'RCLONE_CACHE_DIR', settable: null, value: '/data/cache' },
    { name: 'RCLONE_BASE_DIR', settable: null, value: '/mnt' },
  ],
  mounts: ['config', 'cache'].map((name) => ({
    ...{ name, source: join(root, name), destination: `/data/${name}` },
    ...{ type: 'bind', options: ['rbind'], settable: ['source'] },
  })),
  propagatedMount: '/mnt',
});

test.skipIf(!existsSync('/usr/bin/rclone'))(
  'rclone as a managed plugin, made from Debian’s binary, is used',
  async () => {
    const path = join(directory, 'rclone');
    for (const name of ['rclone/data', 'config', 'cache']) mkdirSync(join(directory, name), { recursive: true });
    writeFileSync(join(path, 'plugin.json'), JSON.stringify(rcloneManifest(directory)));
    const programs = ['--program', 'rclone', '--program', 'fusermount'];
    const made = await cleat('package', path, '--rootfs', ...programs, '--push', `${registry.host}/rclone/volume`);
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('device: [/dev/fuse]') });
    await using engine = await startEngine();
    const ok = async (...args: string[]) => {
      const result = await engine.docker(...args);
      expect(result, args.join(' ')).toMatchObject({ code: 0 });
      return result.stdout.trim();
    };
    await ok('plugin', 'install', '--grant-all-permissions', '--alias', 'rclone', `${registry.host}/rclone/volume`);
    await ok('volume', 'create', '-d', 'rclone', '-o', 'type=memory', '-o', 'path=x', 'data');
    const use = ['run', '--rm', '--net=none', '-v', 'data:/d', 'busybox', 'sh', '-c'];
    expect(await ok(...use, 'echo kept > /d/file; grep " /d " /proc/mounts')).toContain('fuse.rclone');
    expect(await ok(...use, 'cat /d/file')).toBe('kept');
    await ok('volume', 'rm', 'data');
    await ok('plugin', 'disable', 'rclone');
    await ok('plugin', 'rm', 'rclone');
  },
);

test.each([
  [['package'], 'say where to'],
  [['package', 'gone', '-o', 'x.tar'], 'gone does not exist'],
  [['package', '.', '-o', 'x.tar', '--sign', 'k'], '--sign needs --push'],
  [['package', '.', '-o', 'x.tar', '--platform', 'linux/amd64,linux/arm64'], 'for one platform'],
  [['package', '.', '-o', 'x.tar', '--platform', 'windows/amd64'], 'are for Linux'],
  [['package', '.', '--push', 'me/UPPER'], 'must be lowercase'],
  [['package', '.', '--nope'], "Unknown option '--nope'"],
])('what cannot be done is said before anything is made: %j', async (args, complaint) => {
  const { code, stderr } = await cleat(...args);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(complaint) });
});
