import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layoutOf } from '../../engine/images/platforms.fixture.js';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { Registry } from './support/registry.js';

/** Images, with the stock client and Debian's registry on loopback. */
let engine: Engine;
let registry: Registry;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-images-');
  registry = await Registry.start();
  engine = await startEngine();
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

const host = process.arch === 'x64' ? 'amd64' : process.arch;
const { ok, refused } = clientOf(() => engine);
const idOf = (ref: string): Promise<string> => ok('image', 'inspect', '--format', '{{.Id}}', ref);

async function tarOf(name: string, files: Record<string, string>): Promise<string> {
  const directory = join(scratch, name);
  await mkdir(directory, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(join(directory, file), content);
  const tar = join(scratch, `${name}.tar`);
  await promisify(execFile)('tar', ['-C', directory, '-cf', tar, '.']);
  return tar;
}

describe('import, tag, inspect, history, rmi', () => {
  test('import with changes makes an image that runs', async () => {
    const root = await ok('create', 'busybox');
    const exported = join(scratch, 'root.tar');
    await ok('export', '-o', exported, root);
    await ok('rm', root);
    const id = await ok(
      'import',
      '-m',
      'carried over',
      '-c',
      'ENV A=b',
      '-c',
      'CMD ["sh", "-c", "echo $A"]',
      exported,
      'made:1',
    );
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await ok('run', '--rm', 'made:1')).toBe('b');
    const [inspect] = JSON.parse(await ok('image', 'inspect', 'made:1')) as Record<string, unknown>[];
    expect(inspect).toMatchObject({
      Id: id,
      RepoTags: ['made:1'],
      Comment: 'carried over',
      Os: 'linux',
      Config: { Env: expect.arrayContaining(['A=b']), Cmd: ['sh', '-c', 'echo $A'] },
      RootFS: { Type: 'layers', Layers: [expect.stringMatching(/^sha256:/)] },
    });
    expect(await ok('history', '--format', '{{.Comment}}', 'made:1')).toBe('carried over');
  });
  test('images lists, tag adds a name, rmi takes names and then the image', async () => {
    await ok('import', await tarOf('one', { f: 'one' }), 'one:a');
    await ok('tag', 'one:a', 'two/nested:b');
    const listed = await ok('images', '--format', '{{.Repository}}:{{.Tag}}');
    expect(listed.split('\n')).toEqual(expect.arrayContaining(['one:a', 'two/nested:b', 'busybox:latest']));
    expect(await ok('images', '-q', 'one')).toBe((await idOf('one:a')).slice(7, 19));
    expect(await ok('rmi', 'one:a')).toBe('Untagged: one:a');
    const last = await ok('rmi', 'two/nested:b');
    expect(last).toMatch(/^Untagged: two\/nested:b\nDeleted: sha256:[0-9a-f]{64}/);
    expect(await refused('image', 'inspect', 'one:a')).toContain('No such image: one:a');
    expect(await refused('tag', 'one:a', 'x')).toContain('No such image: one:a');
    expect(await refused('tag', 'busybox', 'UPPER:1')).toMatch(
      /repository name must be lowercase|invalid reference format/,
    );
  });
  test('an image in use is not removed, unless forced', async () => {
    await ok('tag', 'busybox', 'used:1');
    const id = await ok('create', 'busybox', 'true');
    expect(await refused('rmi', await idOf('busybox'))).toMatch(/conflict: unable to (delete|remove)/i);
    await ok('rmi', 'used:1');
    await ok('rm', id);
  });
  test('a dangling image goes with prune, others stay', async () => {
    await ok('import', await tarOf('dangling', { f: 'x' }));
    expect((await ok('images', '-q', '--filter', 'dangling=true')).split('\n')).toHaveLength(1);
    expect(await ok('image', 'prune', '-f')).toContain('deleted: sha256:');
    expect(await ok('images', '-q', '--filter', 'dangling=true')).toBe('');
    expect(await ok('images', '-q', 'busybox')).not.toBe('');
    expect(await refused('images', '--filter', 'colour=blue')).toContain("invalid filter 'colour'");
  });
});

describe('save and load', () => {
  test('an image that was saved, removed and loaded is the same', async () => {
    const tar = join(scratch, 'saved.tar');
    await ok('import', '-c', 'LABEL kept=yes', await tarOf('saved', { f: 'saved' }), 'saved:1');
    const id = await idOf('saved:1');
    await ok('save', '-o', tar, 'saved:1', 'busybox');
    await ok('rmi', 'saved:1');
    expect(await ok('load', '-i', tar)).toContain('Loaded image: saved:1');
    expect(await idOf('saved:1')).toBe(id);
    expect(await ok('image', 'inspect', '--format', '{{index .Config.Labels "kept"}}', 'saved:1')).toBe('yes');
  });
  test('a file that is no archive is refused and leaves nothing', async () => {
    const junk = join(scratch, 'junk.tar');
    await writeFile(junk, 'this is no archive');
    const before = await ok('images', '-aq');
    await refused('load', '-i', junk);
    expect(await ok('images', '-aq')).toBe(before);
  });
});

describe('a registry', () => {
  test('push, remove, pull by tag and by digest, run', async () => {
    const name = `${registry.host}/team/busybox:1`;
    await ok('tag', 'busybox', name);
    const pushed = await ok('push', name);
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? 'none';
    await ok('rmi', name);
    const pulled = await ok('pull', name);
    expect(pulled).toContain(`Digest: ${digest}`);
    expect(pulled).toContain(`Status: Downloaded newer image for ${name}`);
    expect(await ok('pull', name)).toContain(`Status: Image is up to date for ${name}`);
    expect(await ok('run', '--rm', name, 'echo', 'pulled')).toBe('pulled');
    await ok('rmi', name);
    const byDigest = `${registry.host}/team/busybox@${digest}`;
    await ok('pull', byDigest);
    expect(await ok('image', 'inspect', '--format', '{{index .RepoDigests 0}}', byDigest)).toBe(byDigest);
    await ok('rmi', byDigest);
  });
  test('run pulls what is missing', async () => {
    const name = `${registry.host}/on-demand:latest`;
    await ok('tag', 'busybox', name);
    await ok('push', name);
    await ok('rmi', name);
    const { code, stdout, stderr } = await engine.docker('run', '--rm', name, 'echo', 'here');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'here\n' });
    expect(stderr).toContain(`Unable to find image '${name}' locally`);
    await ok('rmi', name);
  });
  test('a tag that is not there is an error that names it', async () => {
    expect(await refused('pull', `${registry.host}/team/busybox:none`)).toMatch(/manifest unknown|not found/);
    expect(await refused('pull', '127.0.0.1:1/nothing')).toContain('dial tcp 127.0.0.1:1: connect: connection refused');
  });
});

describe('a name with images for several platforms', () => {
  const name = 'both:1';
  const show = async (ref: string, ...platform: string[]) =>
    await ok('image', 'inspect', '--format', '{{.Architecture}}', ...platform.map((each) => `--platform=${each}`), ref);

  test('load, inspect, history, save and rmi choose among them', async () => {
    const { archive } = await layoutOf(name, ['s390x', host, 'riscv64']);
    expect((await engine.docker('load', { input: archive })).stdout).toContain(`Loaded image: ${name}`);
    expect(await ok('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', 'reference=both')).toBe(name);
    expect(await show(name)).toBe(host);
    expect(await show(name, 'linux/s390x')).toBe('s390x');
    expect(await ok('history', '-q', '--platform=linux/s390x', name)).toBe('');
    expect(await refused('history', '--platform=linux/ppc64le', name)).toContain('does not provide the specified');
    expect(await ok('images', '--tree')).toMatch(/linux\/s390x(.|\n)*linux\/riscv64/);
    expect(await refused('rmi', '--platform=linux/ppc64le', name)).toContain('does not provide the specified');
    await ok('rmi', '--platform=linux/s390x', name);
    expect(await refused('image', 'inspect', '--platform=linux/s390x', name)).toContain('does not provide');
    const saved = join(scratch, 'both.tar');
    await ok('save', '--platform=linux/riscv64', '-o', saved, name);
    expect(await refused('save', '--platform=linux/s390x', '-o', saved, name)).toContain('no suitable export target');
    await ok('rmi', name);
    await ok('load', '-i', saved);
    expect(await show(name)).toBe('riscv64');
    await ok('rmi', name);
    const none = await engine.docker('load', '--platform=linux/ppc64le', { input: archive });
    expect(none.stderr).toContain('no images providing');
  });

  test('push sends all of them, pull brings one next to the other, run takes the one that is asked for', async () => {
    const { archive } = await layoutOf(name, ['s390x', host]);
    const there = `${registry.host}/${name}`;
    await engine.docker('load', { input: archive });
    await ok('tag', name, there);
    await ok('push', '-q', there);
    await ok('rmi', there, name);
    await ok('pull', '-q', there);
    expect(await refused('image', 'inspect', '--platform=linux/s390x', there)).toContain('linux/s390x');
    await ok('pull', '-q', '--platform=linux/s390x', there);
    expect(await show(there)).toBe(host);
    const fields = async (version: string) =>
      Object.keys(JSON.parse((await engine.api('GET', `/v${version}/images/${there}/json?manifests=1`)).body));
    const recent = ['Descriptor', 'Manifests', 'Identity'];
    expect(await fields('1.53')).toEqual(expect.arrayContaining(recent));
    expect((await fields('1.52')).filter((name) => recent.includes(name))).toEqual(['Descriptor', 'Manifests']);
    expect((await fields('1.47')).filter((name) => recent.includes(name))).toEqual([]);
    const container = await ok('create', '--platform=linux/s390x', there, 'x');
    expect(await ok('inspect', '--format', '{{.Image}}', container)).toBe(
      await ok('image', 'inspect', '--platform=linux/s390x', '--format', '{{.Id}}', there),
    );
    expect(await refused('rmi', '--platform=linux/s390x', there)).toContain('is being used by stopped container');
    await ok('rm', container);
    const dockerfile = Buffer.from(`FROM --platform=linux/s390x ${there}\nLABEL built=yes\n`);
    const built = await engine.docker('build', '-q', '-t', 'built:1', '-', { input: dockerfile });
    expect(built.stderr + (await show('built:1'))).toContain('s390x');
    await ok('rmi', 'built:1', there);
  });
});

test('commit keeps what a container wrote', async () => {
  await ok('run', '--name', 'author', 'busybox', 'sh', '-c', 'echo written > /made; rm /etc/group');
  await ok('commit', '-m', 'kept', '-c', 'CMD ["cat", "/made"]', 'author', 'committed:1');
  expect(await ok('run', '--rm', 'committed:1')).toBe('written');
  expect((await engine.docker('run', '--rm', 'committed:1', 'cat', '/etc/group')).code).toBe(1);
  await ok('rm', 'author');
  await ok('rmi', 'committed:1');
});
