import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type KindLabel, kindLabels, kindOf } from '@cleat/protocol/kinds/index';
import { typeOf } from '@cleat/protocol/plugins/types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answering } from '../support/answers.js';
import { clientOf } from '../support/client.js';
import { type Engine, startEngine } from '../support/engine.js';
import { managedPlugin } from '../support/managed-plugin.js';
import { bundled } from '../support/packaged.js';
import { Registry } from '../support/registry.js';

/**
 * Every kind comes as a managed plugin: installed from a registry, granted, used, upgraded, removed. The first version
 * names its kind as Docker does, the second in this engine's own way.
 */
let engine: Engine;
let registry: Registry;
let directory: string;
/** The layer that all have. */
let layers: unknown;
const { ok, refused } = clientOf(() => engine);

interface Walk {
  /** Its program, in the root file system that all share. */
  readonly program: string | (() => Promise<string>);
  readonly manifest?: object | (() => object);
  /** Uses it by its name; must show that it was this one. */
  readonly use: (name: string, version: number) => Promise<void>;
  /** The refusal of `disable` while it is used; absent: it may be disabled at any time. */
  readonly inUse?: string;
  readonly leave?: () => Promise<unknown>;
}

const usr = { name: 'usr', source: '/usr', destination: '/usr', type: 'bind', options: ['rbind', 'ro'] };
const asItIs = (path: string) => ({
  ...{ name: path.replace(/.*\//, ''), description: '', settable: null, source: path, destination: path },
  ...{ type: 'bind', options: ['rbind', 'rw'] },
});
const common = { mounts: [{ description: '', settable: null, ...usr }] };
const busybox = (...options: string[]) => ok('run', '--rm', ...options);
const bringing = (name: string, ...capabilities: string[]) => ({
  'Plugin.Activate': `{ Implements: ['${name}'] }`,
  ...Object.fromEntries(capabilities.map((method) => [method, '{}'])),
});

const walks: Record<KindLabel | 'runtime', Walk> = {
  volume: {
    program: answering(
      {
        ...bringing('VolumeDriver', 'VolumeDriver.Create', 'VolumeDriver.Remove', 'VolumeDriver.Unmount'),
        'VolumeDriver.Capabilities': "{ Capabilities: { Scope: 'local' } }",
        'VolumeDriver.Get': '{ Volume: { Name: $.Name } }',
        'VolumeDriver.List': '{ Volumes: [] }',
        'VolumeDriver.Path': "{ Mountpoint: '/mnt/volumes' }",
        'VolumeDriver.Mount': "{ Mountpoint: '/mnt/volumes' }",
      },
      "import { appendFileSync } from 'node:fs'; appendFileSync('/mnt/volumes/file', 'started ');",
    ),
    manifest: { propagatedMount: '/mnt/volumes' },
    async use(name, version) {
      await ok('volume', 'create', '-d', name, 'of-kinds');
      expect(await busybox('-v', 'of-kinds:/d', 'busybox', 'cat', '/d/file')).toBe('started '.repeat(version).trim());
    },
    inUse: 'volume of-kinds',
    leave: () => ok('volume', 'rm', 'of-kinds'),
  },
  network: {
    program: () => bundled('veth-network'),
    manifest: {
      interface: { types: [''], socket: 'veth-network.sock' },
      network: { type: 'host' },
      linux: { capabilities: ['CAP_NET_ADMIN'] },
      env: [{ name: 'PATH', value: '/usr/bin' }],
    },
    async use(name) {
      await ok('network', 'create', '--driver', name, `--subnet=${engine.prefix}.200.0/24`, 'of-kinds');
      expect(await ok('network', 'inspect', '--format', '{{.Driver}}', 'of-kinds')).toBe(`${name}:latest`);
      expect(await busybox('--network=of-kinds', 'busybox', 'ip', 'addr')).toContain(` ${engine.prefix}.200.`);
    },
    inUse: 'network of-kinds',
    leave: () => ok('network', 'rm', 'of-kinds'),
  },
  ipam: {
    program: () => bundled('file-ipam'),
    manifest: { interface: { types: [''], socket: 'file-ipam.sock' } },
    async use(name) {
      await ok('network', 'create', '--ipam-driver', name, `--subnet=${engine.prefix}.201.0/24`, 'of-kinds');
      expect(await ok('network', 'inspect', '--format', '{{.IPAM.Driver}}', 'of-kinds')).toBe(`${name}:latest`);
      expect(await busybox('--network=of-kinds', 'busybox', 'ip', 'addr')).toContain(` ${engine.prefix}.201.`);
    },
    inUse: 'network of-kinds',
    leave: () => ok('network', 'rm', 'of-kinds'),
  },
  log: {
    program: answering(
      {
        ...bringing('LogDriver', 'LogDriver.StopLogging'),
        'LogDriver.Capabilities': '{ Cap: { ReadLogs: false } }',
        'LogDriver.StartLogging': 'read($.File)',
      },
      `const read = (file) => {
        createReadStream(file).on('data', (data) => console.log(String(data).replace(/[^ -~]+/g, ' '))).on('error', () => {});
        return {};
      };`,
    ),
    async use(name, version) {
      const script = `echo version ${version} was told; exec sleep infinity`;
      await ok('run', '-d', '--name=logged', `--log-driver=${name}`, 'busybox', 'sh', '-c', script);
      await expect.poll(() => engine.log()).toContain(`version ${version} was told`);
    },
    inUse: 'logs (container logged)',
    leave: () => ok('rm', '-f', 'logged'),
  },
  authz: {
    program: answering({
      ...bringing('authz'),
      'AuthZPlugin.AuthZReq': "{ Allow: !$.RequestUri.includes('/volumes/create'), Msg: 'no volumes here' }",
      'AuthZPlugin.AuthZRes': '{ Allow: true }',
    }),
    async use(name) {
      await configure({ 'authorization-plugins': [name] });
      await expect
        .poll(async () => (await engine.docker('volume', 'create', 'denied')).stderr)
        .toContain(`authorization denied by plugin ${name}: no volumes here`);
    },
    async leave() {
      await configure({});
      await expect.poll(async () => (await engine.docker('volume', 'create', 'denied')).code).toBe(0);
      await ok('volume', 'rm', 'denied');
    },
  },
  metrics: {
    program: answering(
      { ...bringing('MetricsCollector', 'MetricsCollector.StopMetrics'), 'MetricsCollector.StartMetrics': 'collect()' },
      `import { get } from 'node:http';
      const collect = () => {
        get({ socketPath: '/run/docker/metrics.sock', path: '/metrics' }, async (answer) => {
          let text = '';
          for await (const chunk of answer) text += chunk;
          console.log('collected ' + /engine_daemon_container_states_containers.state="running".*/.exec(text)?.[0]);
        });
        return {};
      };`,
    ),
    async use(_, version) {
      const collected = () => engine.log().split('collected engine_daemon_container_states_containers').length - 1;
      await expect.poll(collected).toBe(version);
      if (version === 1) return;
      // Another engine finds it, and serves another page.
      await engine.kill('SIGKILL');
      await engine.restart();
      await expect.poll(collected).toBe(version + 1);
      expect(engine.log()).not.toContain('collector is not started yet');
    },
  },
  secret: {
    program: answering({
      ...bringing('secretprovider'),
      'SecretProvider.GetSecret': "{ Value: Buffer.from('it is ' + $.SecretName).toString('base64') }",
    }),
    async use(name) {
      const label = `--label=io.cleat.secret.word=${name}`;
      expect(await busybox(label, 'busybox', 'cat', '/run/secrets/word')).toBe('it is word');
    },
  },
  builder: {
    program: answering(
      { ...bringing('ImageBuilder'), 'ImageBuilder.Build': 'built($)' },
      `import { get } from 'node:http';
      const built = ({ Engine }) => new Promise((resolve, reject) => {
        get({ socketPath: Engine, path: '/images/busybox/json' }, async (answer) => {
          let text = '';
          for await (const chunk of answer) text += chunk;
          resolve({ Result: { Image: JSON.parse(text).Id } });
        }).on('error', reject);
      });`,
    ),
    // It sees the engine's socket for builders, and contexts, where they are.
    manifest: () => ({
      mounts: [...common.mounts, ...[`${engine.execRoot}/build`, `${engine.dataRoot}/builds`].map(asItIs)],
    }),
    async use(name, version) {
      await configure({ 'builder-driver': name });
      const dockerfile = { input: 'FROM anything', env: { DOCKER_BUILDKIT: '0' } };
      await expect
        .poll(async () => (await engine.docker('build', '-t', `built:${version}`, '-', dockerfile)).code)
        .toBe(0);
      expect(await ok('images', '-q', `built:${version}`)).toBe(await ok('images', '-q', 'busybox'));
    },
    leave: () => configure({}),
  },
  hook: {
    program: answering({
      ...bringing('RequestHook'),
      'RequestHook.Capabilities': "{ Request: 'head', Match: [{ Routes: ['/volumes/create'] }] }",
      'RequestHook.Request': "{ Deny: { Message: 'no volumes here' } }",
    }),
    async use(name) {
      const hooks = join(engine.directory, 'hooks.yaml');
      await writeFile(hooks, `hooks: [{name: ${name}, match: [{routes: [/volumes/create]}]}]`);
      await configure({ hooks });
      await expect
        .poll(async () => (await engine.docker('volume', 'create', 'denied')).stderr)
        .toContain(`request denied by hook ${name}: no volumes here`);
    },
    async leave() {
      await configure({});
      await expect.poll(async () => (await engine.docker('volume', 'create', 'denied')).code).toBe(0);
      await ok('volume', 'rm', 'denied');
    },
  },
  runtime: {
    program: '#!/bin/sh\nexec runc "$@"\n',
    manifest: { interface: { types: [''], socket: '' }, entrypoint: ['/runtime.mjs'], mounts: null },
    async use(name) {
      await ok('run', '-d', '--name=run', '--runtime', name, 'busybox', 'sleep', 'infinity');
      expect(await ok('inspect', '-f', '{{.HostConfig.Runtime}}', 'run')).toBe(`${name}:latest`);
    },
    inUse: 'runtime (container run)',
    leave: () => ok('rm', '-f', 'run'),
  },
};

async function configure(settings: object): Promise<void> {
  await writeFile(join(engine.directory, 'daemon.json'), JSON.stringify(settings));
  process.kill(engine.pid, 'SIGHUP');
}

beforeAll(async () => {
  directory = await mkdtemp('/tmp/cleat-kinds-');
  const programs = Object.entries(walks).map(async ([label, { program }]) => [
    `${label}.mjs`,
    typeof program === 'string' ? program : await program(),
  ]);
  [engine, registry] = await Promise.all([startEngine({ config: {} }), Registry.start()]);
  const place = managedPlugin(directory, {}, Object.fromEntries(await Promise.all(programs)));
  const base = `${registry.host}/kinds:base`;
  for (const command of [
    ['create', base, place],
    ['push', base],
    ['rm', base],
  ])
    await ok('plugin', ...command);
  const answer = await fetch(`http://${registry.host}/v2/kinds/manifests/base`, { headers: { accept: manifestType } });
  ({ layers } = (await answer.json()) as { layers: unknown });
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

test('every kind has its walk', () => {
  expect(Object.keys(walks).sort()).toEqual([...kindLabels, 'runtime'].sort());
});

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';

/** Brings a plugin with the common layer to the registry, without the client, which would make it anew each time. */
async function publish(tag: string, config: object): Promise<void> {
  const api = `http://${registry.host}/v2/kinds`;
  const body = Buffer.from(JSON.stringify(config));
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const begun = await fetch(`${api}/blobs/uploads/`, { method: 'POST' });
  const place = new URL(begun.headers.get('location') ?? '', api);
  place.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  expect((await fetch(place, { method: 'PUT', body, headers })).status).toBe(201);
  const own = { mediaType: 'application/vnd.docker.plugin.v1+json', digest, size: body.length };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: own, layers });
  const sent = { method: 'PUT', body: manifest, headers: { 'content-type': manifestType } };
  expect((await fetch(`${api}/manifests/${tag}`, sent)).status).toBe(201);
}

/** Both names of a kind: Docker's, and this engine's own. */
function typesOf(label: KindLabel | 'runtime'): [string, string] {
  if (label === 'runtime') return ['docker.runtime/1.0', 'cleat.runtime/1'];
  return [typeOf(kindOf(label)), `cleat.${label}/${kindOf(label).version}`];
}

test.each(Object.keys(walks) as (keyof typeof walks)[])(
  '%s',
  async (label) => {
    const { manifest = {}, use, inUse, leave } = walks[label];
    const remote = `${registry.host}/kinds:${label}`;
    for (const [at, type] of typesOf(label).entries()) {
      const config = {
        ...common,
        entrypoint: ['/usr/bin/node', `/${label}.mjs`],
        network: { type: 'none' },
        interface: { types: [''], socket: 'p.sock' },
        description: `version ${at + 1}`,
        ...(typeof manifest === 'function' ? manifest() : manifest),
      };
      config.interface = { ...config.interface, types: [type] };
      await publish(`${label}-${at + 1}`, config);
    }
    const name = `team/${label}`;
    await ok('plugin', 'install', '--grant-all-permissions', '--alias', name, `${remote}-1`);
    for (const version of [1, 2]) {
      await use(name, version);
      if (inUse !== undefined) expect(await refused('plugin', 'disable', name)).toContain(`is in use: ${inUse}`);
      await leave?.();
      await ok('plugin', 'disable', name);
      if (version === 2) break;
      await ok('plugin', 'upgrade', '--grant-all-permissions', '--skip-remote-check', name, `${remote}-2`);
      await ok('plugin', 'enable', name);
    }
    await ok('plugin', 'rm', name);
    expect(await ok('plugin', 'ls', '-q')).toBe('');
  },
  300_000,
);
