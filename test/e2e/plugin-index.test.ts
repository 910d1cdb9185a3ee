import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RunResult, run } from '@cleat/linux/process/run';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Registry } from './support/registry.js';

/** `cleat plugins`: an index is made, signed, brought to a registry, searched, and searched without the registry. */
const checkout = fileURLToPath(new URL('../..', import.meta.url));
let directory: string;
let registry: Registry;

async function cleat(args: string[], env: NodeJS.ProcessEnv = {}): Promise<RunResult> {
  const all = { ...process.env, XDG_CACHE_HOME: join(directory, 'cache'), XDG_CONFIG_HOME: join(directory, 'config') };
  return await run(join(checkout, 'bin/cleat'), args, {
    env: { ...all, DOCKER_CONFIG: directory, ...env },
    cwd: directory,
    deadlineMs: 240_000,
  });
}

async function ok(...args: string[]): Promise<string> {
  const result = await cleat(args);
  expect(result, args.join(' ')).toMatchObject({ code: 0 });
  return result.stdout;
}

/** Publishes a plugin in which nothing runs. */
async function publish(name: string, manifest: object): Promise<string> {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(
    join(path, 'plugin.json'),
    JSON.stringify({ Entrypoint: ['/run'], Description: `about ${name}`, ...manifest }),
  );
  writeFileSync(join(path, 'run'), '');
  const reference = `${registry.host}/team/${name}:1`;
  await ok('package', path, '--rootfs', '--name', name, '--platform', 'linux/amd64,linux/arm64', '--push', reference);
  return reference;
}

let volumes: string;
let networks: string;
beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-index-e2e-');
  registry = await Registry.start();
  await ok('plugins', 'keygen', 'team');
  await ok('plugins', 'keygen', 'stranger');
  volumes = await publish('volumes', {
    Interface: { Types: ['docker.volumedriver/1.0'] },
    Linux: { Capabilities: ['CAP_SYS_ADMIN'], Devices: [{ Path: '/dev/fuse' }] },
  });
  networks = await publish('networks', {
    Interface: { Types: ['docker.networkdriver/1.0', 'docker.ipamdriver/1.0'] },
    Network: { Type: 'host' },
  });
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const index = () => `${registry.host}/team/index`;
const search = (...args: string[]) => cleat(['plugins', 'search', ...args]);

describe('an index', () => {
  test('is made of what registries say, and is the same for the same', async () => {
    const build = ['plugins', 'index', 'build', volumes, networks, '--publisher', 'Team', '-o'];
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    for (const file of ['one.json', 'two.json']) expect((await cleat([...build, file], env)).code).toBe(0);
    expect(readFileSync(join(directory, 'two.json'))).toEqual(readFileSync(join(directory, 'one.json')));
    const text = readFileSync(join(directory, 'one.json'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({
      version: 1,
      created: '2023-11-14T22:13:20.000Z',
      plugins: [
        { name: networks, kinds: ['NetworkDriver', 'IpamDriver'], privileges: [{ Name: 'network', Value: ['host'] }] },
        {
          name: volumes,
          description: 'about volumes',
          publisher: 'Team',
          platforms: ['linux/amd64', 'linux/arm64'],
          digest: expect.stringMatching(/^sha256:/),
          privileges: [{ Name: 'device' }, { Name: 'capabilities', Value: ['CAP_SYS_ADMIN'] }],
        },
      ],
    });
  });

  test('is searched from a file: by words, by kind, as a table and as JSON', async () => {
    const table = await search('VOLUMES', '--index', './one.json');
    expect(table).toMatchObject({ code: 0, stderr: expect.stringContaining("nobody's signature was asked for") });
    expect(table.stdout).toMatch(/^NAME +KIND +PUBLISHER +ARCHITECTURES +PRIVILEGES +DESCRIPTION\n/);
    expect(table.stdout).toMatch(
      /team\/volumes:1 +VolumeDriver +Team +amd64, arm64 +device: \[\/dev\/fuse\]; capabilities: \[CAP_SYS_ADMIN\] +about volumes\n$/,
    );
    const found = await search('--kind', 'network', '--index', './one.json', '--format', 'json');
    expect((JSON.parse(found.stdout) as { name: string }[]).map(({ name }) => name)).toEqual([networks]);
    expect(JSON.parse((await search('nothing like it', '--index', './one.json', '--format', 'json')).stdout)).toEqual(
      [],
    );
  });

  test('lies signed in a registry; with the wrong key or none it is refused', async () => {
    await ok('plugins', 'index', 'build', '--from', 'one.json', '--push', index(), '--sign', 'team.key');
    const good = await search('volumes', '--index', index(), '--key', 'team.pub');
    expect(good).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(volumes) });
    const wrong = await search('volumes', '--index', index(), '--key', 'stranger.pub');
    expect(wrong).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('with none of the keys stranger.pub'),
    });
    await ok(
      'plugins',
      'index',
      'build',
      '--from',
      'one.json',
      '--push',
      `${index()}:unsigned`,
      '--publisher',
      'other',
    );
    // Made at another time it is another artifact, which nobody signed.
    expect((await search('--index', `${index()}:unsigned`, '--key', 'team.pub')).code).toBe(1);
  });

  test('that goes back to an older one is refused, also with a good signature', async () => {
    const place = `${registry.host}/team/older`;
    const push = ['plugins', 'index', 'build', '--from', 'one.json', '--push', place, '--sign', 'team.key'];
    await ok(...push);
    expect((await search('volumes', '--index', place, '--key', 'team.pub')).code).toBe(0);
    expect((await cleat(push, { SOURCE_DATE_EPOCH: '1500000000' })).code).toBe(0);
    expect(await search('volumes', '--index', place, '--key', 'team.pub')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('went back: it is one of 2017-07-14T02:40:00.000Z, but one of 2'),
    });
  });

  test('is read from the last copy when the registry is gone, and says so', async () => {
    await search('volumes', '--index', index(), '--key', 'team.pub');
    const asked = await search('volumes', '--index', index(), '--key', 'team.pub', '--offline');
    expect(asked).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('offline, as asked for'),
      stdout: expect.stringContaining(volumes),
    });
    // An index that was verified with one key is no copy for another key.
    const other = await search('volumes', '--index', index(), '--key', 'stranger.pub', '--offline');
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no copy of it') });
    const gone = `127.0.0.1:1/team/index`;
    expect(await search('--index', gone)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no copy of it'),
    });
  });

  test('comes by HTTP, with a signature beside it; the file of the user names it', async () => {
    await ok('plugins', 'index', 'build', '--from', 'one.json', '-o', 'signed.json', '--sign', 'team.key');
    let change = '';
    const server = createServer((request, response) => {
      const path = join(directory, request.url ?? '');
      response.statusCode = existsSync(path) ? 200 : 404;
      response.end(existsSync(path) ? readFileSync(path, 'utf8') + (path.endsWith('.sig') ? '' : change) : '');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const place = `http://127.0.0.1:${(server.address() as AddressInfo).port}/signed.json`;
      mkdirSync(join(directory, 'config/cleat'), { recursive: true });
      writeFileSync(
        join(directory, 'config/cleat/indexes.json'),
        JSON.stringify([{ index: place, keys: ['../../team.pub'] }]),
      );
      expect(await search('networks')).toMatchObject({
        code: 0,
        stderr: '',
        stdout: expect.stringContaining(networks),
      });
      change = ' ';
      // A copy that was good is no answer to one that is not.
      expect(await search('networks')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('is not signed with'),
      });
      server.closeAllConnections();
      server.close();
      const copy = await search('networks');
      expect(copy).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/: the copy of \d{4}-.*\(/),
        stdout: expect.stringContaining(networks),
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test.each([
    ['nonsense', 'is no index of plugins'],
    ['{"version":2,"created":"","plugins":[]}', 'of version 2'],
    ['{"version":1,"plugins":[{"name":3}]}', 'is no index of plugins'],
  ])('that is none is refused: %s', async (text, complaint) => {
    writeFileSync(join(directory, 'bad.json'), text);
    expect(await search('--index', './bad.json')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(complaint),
    });
  });

  test('cannot trick a terminal', async () => {
    const entry = {
      name: 'a/b',
      digest: '',
      description: 'x\u001b[31m\nfake line',
      documentation: '',
      publisher: '',
      kinds: [],
      platforms: [],
      privileges: [],
    };
    writeFileSync(join(directory, 'odd.json'), JSON.stringify({ version: 1, created: '', plugins: [entry] }));
    const { stdout } = await search('--index', './odd.json');
    expect(stdout).not.toContain('\u001b');
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });
});

test.each([
  [['plugins'], 'use: cleat plugins search'],
  [['plugins', 'search', '--push', 'x'], '--push is no option of "search"'],
  [['plugins', 'search', 'x', '--key', 'team.pub'], '--key belongs to --index'],
  [['plugins', 'index', 'build'], 'say where to'],
  [['plugins', 'keygen', 'team'], 'a key is never overwritten'],
  [['plugins', 'sign', 'a/b', '--key', 'team.pub'], 'holds no private key'],
])('what cannot be done is refused: %j', async (args, complaint) => {
  expect(await cleat(args)).toMatchObject({ code: 1, stderr: expect.stringContaining(complaint) });
});
