import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { hostPlatform } from '@cleat/engine/content/platform';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeArchive } from './archive.js';
import { artifactOf, type BuildOptions, build } from './build.js';
import { manifestFor } from './config.js';
import { addLayer } from './layer.js';
import { Layout } from './layout.js';
import { placedPackages } from './modules.js';
import { readProject } from './project.js';
import { packagingTime } from './tar.js';
import { addDirectory, Tree } from './tree.js';

let directory: string;
const { signal } = new AbortController();
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-package-test-');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Writes files below a directory: text, or a value as JSON. */
function write(top: string, files: Record<string, unknown>): string {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, top, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  }
  return join(directory, top);
}

const plugin = { Interface: { Types: ['docker.volumedriver/1.0'] } };

/** A small project, and a runtime that is none. */
function project(more: Record<string, unknown> = {}): string {
  write('runtime', { 'usr/bin/node': 'not really', 'usr/lib/libc.so.6': 'c' });
  return write('project', {
    'package.json': { name: '@me/sample', description: 'd', bin: 'dist/main.js', dependencies: { dep: '1' } },
    'plugin.json': plugin,
    'dist/main.js': "import 'dep';",
    'dist/main.d.ts': 'types',
    'dist/main.test.js': 'test',
    'src/main.ts': 'source',
    '.git/config': 'x',
    'node_modules/dep/package.json': { name: 'dep', version: '1.0.0' },
    'node_modules/dep/index.js': 'export {};',
    'node_modules/dep/README.md': 'read',
    'node_modules/dev-only/package.json': { name: 'dev-only' },
    ...more,
  });
}

async function built(options: Partial<BuildOptions> & Pick<BuildOptions, 'directory' | 'layout'>) {
  const all = await build({
    rootfs: false,
    platforms: [{ os: 'linux', architecture: 'arm64' }],
    runtimes: new Map(['arm64', 'amd64'].map((each) => [`linux/${each}`, join(directory, 'runtime')])),
    mtime: 0,
    cache: undefined,
    signal,
    scratch: directory,
    say: () => {},
    ...options,
  });
  return { all, artifact: await artifactOf(options.layout, all) };
}

const namesOf = (tree: Tree | undefined): string[] => (tree?.sorted() ?? []).map(([name]) => name as string);

describe('the same input', () => {
  test('makes the same bytes, whatever its times and owners are and in which order it lies', async () => {
    await using first = await Layout.open();
    await using second = await Layout.open();
    const one = await built({ directory: project(), layout: first });
    const before = readdirSync(join(directory, 'project'));
    rmSync(join(directory, 'project'), { recursive: true });
    project();
    for (const name of before) utimesSync(join(directory, 'project', name), 1_000, 2_000);
    chmodSync(join(directory, 'project/dist/main.js'), 0o600);
    const two = await built({ directory: join(directory, 'project'), layout: second });
    expect(two.artifact).toEqual(one.artifact);
    expect(two.all[0]?.layers).toEqual(one.all[0]?.layers);
  });

  test('is another with another time', () => {
    expect(packagingTime({})).toBe(0);
    expect(packagingTime({ SOURCE_DATE_EPOCH: '1700000000' })).toBe(1_700_000_000);
    expect(() => packagingTime({ SOURCE_DATE_EPOCH: 'today' })).toThrow('seconds since 1970');
  });

  test('is compressed once, and a damaged copy of that is made anew', async () => {
    const cache = join(directory, 'cache');
    const tree = new Tree();
    tree.file('a', 'content');
    await using layout = await Layout.open();
    const made = await addLayer(layout, tree, 0, { cache, signal });
    const [name = ''] = readdirSync(cache);
    await using other = await Layout.open();
    expect(await addLayer(other, tree, 0, { cache, signal })).toEqual(made);
    expect(readFileSync(other.path(made.digest))).toEqual(readFileSync(layout.path(made.digest)));
    rmSync(join(cache, name));
    writeFileSync(join(cache, name), 'damaged');
    await using third = await Layout.open();
    expect(await addLayer(third, tree, 0, { cache, signal })).toEqual(made);
    expect(readFileSync(third.path(made.digest))).toEqual(readFileSync(layout.path(made.digest)));
  });
});

test('an interrupted run leaves nothing behind', async () => {
  const stopped = AbortSignal.abort(new Error('interrupted'));
  const layout = await Layout.open(join(directory, 'out'));
  await expect(built({ directory: project(), layout, signal: stopped })).rejects.toThrow();
  await layout[Symbol.asyncDispose]();
  expect(existsSync(layout.directory)).toBe(false);
});

describe('a project', () => {
  test('is itself and the packages that it needs to run, nothing for its making', () => {
    expect(namesOf(readProject(project()).tree)).toEqual([
      ...['app', 'app/dist', 'app/dist/main.js', 'app/node_modules', 'app/node_modules/dep'],
      ...['app/node_modules/dep/index.js', 'app/node_modules/dep/package.json', 'app/package.json', 'app/src'],
    ]);
  });

  test('with a list of files ships those', () => {
    const path = project({
      'package.json': { bin: './dist/main.js', files: ['data/**/*.txt', 'lib', '!lib/secret.js', '/top.js'] },
      'data/a/b.txt': '',
      'data/a/b.bin': '',
      'lib/x.js': '',
      'lib/secret.js': '',
      'top.js': '',
      'deep/top.js': '',
    });
    const names = namesOf(readProject(path).tree).filter((name) => !name.startsWith('app/node_modules'));
    expect(names.filter((name) => /\.\w+$/.test(name))).toEqual([
      ...['app/data/a/b.txt', 'app/dist/main.js', 'app/lib/x.js', 'app/package.json', 'app/top.js'],
    ]);
  });

  test.each([
    [{ 'package.json': { name: 'x' } }, 'must name the program'],
    [{ 'package.json': { bin: 'dist/other.js' } }, 'build the project first'],
    [
      { 'package.json': { bin: 'dist/main.js', dependencies: { gone: '1' } }, 'dist/main.js': "import 'gone'" },
      'the project needs gone, which is not installed',
    ],
  ])('that is not ready is refused: %#', (files, complaint) => {
    expect(() => readProject(project(files))).toThrow(complaint);
  });

  test('tells of native modules for another architecture', async () => {
    const elf = Buffer.alloc(20);
    elf.write('\x7fELF', 'latin1');
    elf.writeUInt16LE(62, 18);
    const path = project();
    writeFileSync(join(path, 'node_modules/dep/x.node'), elf);
    const said: string[] = [];
    await using layout = await Layout.open();
    await built({ directory: path, layout, say: (line) => said.push(line) });
    expect(said.at(-1)).toBe('WARNING: none of the native modules is for arm64: node_modules/dep/x.node (amd64)');
  });
});

describe('packages', () => {
  const places = (path: string) =>
    Object.fromEntries(placedPackages(path).map(({ place, manifest }) => [place, manifest.version]));
  const needs = (version: string, dependencies: Record<string, string> = {}, more: object = {}) => ({
    version,
    dependencies,
    ...more,
  });
  const code = (...names: string[]) => names.map((name) => `require('${name}');`).join('\n');

  test('are found by all that need them: two versions, links of a workspace, circles', () => {
    const path = write('work/app', {
      'package.json': needs('0', { a: '1', linked: '1' }),
      'main.js': code('a', 'linked'),
      'node_modules/a/package.json': needs('1', { shared: '1', b: '1' }),
      'node_modules/a/index.js': code('shared', 'b/inner'),
      'node_modules/b/package.json': needs('1', { a: '1' }),
      'node_modules/b/index.js': code('a'),
      'node_modules/shared/package.json': needs('1'),
    });
    write('work/linked', { 'package.json': needs('5', { shared: '2' }), 'main.js': code('shared') });
    write('work/node_modules', { 'shared/package.json': needs('2') });
    symlinkSync('../../linked', join(path, 'node_modules/linked'));
    expect(places(path)).toEqual({
      '': '0',
      'node_modules/a': '1',
      'node_modules/b': '1',
      'node_modules/linked': '5',
      'node_modules/linked/node_modules/shared': '2',
      'node_modules/shared': '1',
    });
  });

  test('for types only stay out; optional ones may be missing; needed peers come along', () => {
    const path = write('app', {
      'package.json': needs('0', { a: '1', typed: '1' }, { optionalDependencies: { absent: '1', there: '1' } }),
      'main.js': code('a'),
      'main.ts': "import type { X } from 'typed';",
      'node_modules/a/package.json': needs(
        '1',
        {},
        {
          peerDependencies: { peer: '1', maybe: '1' },
          peerDependenciesMeta: { maybe: { optional: true } },
        },
      ),
      'node_modules/a/index.js': code('peer', 'maybe'),
      ...Object.fromEntries(
        ['peer', 'maybe', 'there', 'typed'].map((name) => [`node_modules/${name}/package.json`, needs('1')]),
      ),
    });
    expect(Object.keys(places(path)).sort()).toEqual(['', 'node_modules/a', 'node_modules/peer', 'node_modules/there']);
  });
});

describe('a root file system', () => {
  test('is kept as it is: modes, links of both kinds, names that are no text', async () => {
    const root = write('root', {
      'plugin.json': { Entrypoint: ['/run'], Interface: { Socket: 'a', ...plugin.Interface } },
      run: '#!',
      data: 'x',
    });
    chmodSync(join(root, 'run'), 0o4755);
    linkSync(join(root, 'data'), join(root, 'same'));
    symlinkSync('/../escape', join(root, 'link'));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), 'odd');
    await using layout = await Layout.open();
    const { all } = await built({ directory: root, rootfs: true, layout });
    const archive = join(directory, 'out.tar');
    if (all[0]) await writeArchive(archive, all[0], 0);
    const list = execFileSync('tar', ['-tvf', archive, '--numeric-owner', '--quoting-style=escape'], {
      encoding: 'utf8',
    });
    expect(list).toMatch(/^-rwsr-xr-x 0\/0 .* rootfs\/run$/m);
    expect(list).toMatch(/^hrw-r--r-- 0\/0 .* rootfs\/same link to rootfs\/data$/m);
    expect(list).toMatch(/^lrwxrwxrwx 0\/0 .* rootfs\/link -> \/\.\.\/escape$/m);
    expect(list).toContain('rootfs/\\377\\376');
    // It is the manifest, not a part of the plugin.
    expect(list).not.toContain('rootfs/plugin.json');
    expect(list.split('\n')[0]).toMatch(/ config\.json$/);
  });

  test('in Docker’s own form is what lies in rootfs/', async () => {
    const path = write('made', {
      'config.json': { Entrypoint: ['/a'], Interface: { Socket: 'a', ...plugin.Interface } },
      'rootfs/a': 'x',
      other: 'y',
    });
    await using layout = await Layout.open();
    expect(namesOf((await built({ directory: path, layout })).all[0]?.trees[0])).toEqual(['a']);
  });

  test('takes programs of this host along, with the libraries and the links that lead to them', async () => {
    const root = write('programs', {
      'plugin.json': { Entrypoint: ['/usr/bin/env'], Interface: { Socket: 'a', ...plugin.Interface } },
      'usr/bin/own': 'x',
    });
    await using layout = await Layout.open();
    const platforms = [hostPlatform()];
    const { all } = await built({ directory: root, rootfs: true, layout, programs: ['env', 'sh'], platforms });
    const archive = join(directory, 'out.tar');
    const made = join(directory, 'made');
    mkdirSync(made);
    if (all[0]) await writeArchive(archive, all[0], 0);
    execFileSync('tar', ['-xf', archive, '-C', made]);
    const said = execFileSync('unshare', ['--root', join(made, 'rootfs'), 'env', 'A=b', 'sh', '-c', 'echo $A']);
    expect(said.toString()).toBe('b\n');
    const other = { directory: root, rootfs: true, layout, programs: ['sh'] };
    await expect(built({ ...other, platforms: [{ os: 'linux', architecture: 's390x' }] })).rejects.toThrow(
      "are this host's",
    );
    await expect(built({ ...other, programs: ['no-such-program'], platforms })).rejects.toThrow('there is no program');
  });

  test('cannot hold a FIFO', () => {
    const root = write('fifo', { a: 'x' });
    execFileSync('mkfifo', [join(root, 'pipe')]);
    expect(() => addDirectory(new Tree(), root, '')).toThrow('is a device or a FIFO');
  });

  test('a package whose layers would hold one name twice is refused: a stock engine unpacks them in any order', async () => {
    const path = project();
    write('runtime', { 'app/dist/main.js': 'another' });
    await using layout = await Layout.open();
    await expect(built({ directory: path, layout })).rejects.toThrow('/app/dist/main.js would be in the package twice');
  });
});

describe('several platforms', () => {
  test('are one list, each with its own layers; the one of the plugin itself is the same', async () => {
    await using layout = await Layout.open();
    const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
    write('other', { 'usr/bin/node': 'for arm64' });
    const runtimes = new Map([
      ['linux/arm64', join(directory, 'other')],
      ['linux/amd64', join(directory, 'runtime')],
    ]);
    const { all, artifact } = await built({ directory: project(), layout, platforms, runtimes });
    expect(artifact.mediaType).toBe('application/vnd.docker.distribution.manifest.list.v2+json');
    const list = JSON.parse(await layout.read(artifact.digest)) as {
      manifests: { digest: string; platform: object }[];
    };
    expect(list.manifests.map(({ platform }) => platform)).toEqual(platforms);
    expect(list.manifests.map(({ digest }) => digest)).toEqual(all.map((one) => one.artifact.digest));
    expect(all[0]?.layers[1]).toEqual(all[1]?.layers[1]);
    expect(all[0]?.layers[0]).not.toEqual(all[1]?.layers[0]);
    const manifest = JSON.parse(await layout.read(all[0]?.artifact.digest ?? '')) as { config: { mediaType: string } };
    expect(manifest.config.mediaType).toBe('application/vnd.docker.plugin.v1+json');
  });

  test('need a runtime of their own', async () => {
    await using layout = await Layout.open();
    const options = {
      directory: project(),
      layout,
      runtimes: new Map<string, string>(),
      platforms: [{ os: 'linux', architecture: 's390x' }],
    };
    await expect(built(options)).rejects.toThrow('--runtime linux/s390x=DIRECTORY');
    const empty = new Map([['linux/s390x', join(directory, 'project')]]);
    await expect(built({ ...options, runtimes: empty })).rejects.toThrow('is no runtime');
  });
});

describe('a manifest', () => {
  test('is filled in from the project, and what the author wrote stays', () => {
    const path = project({ 'plugin.json': { interface: { types: ['docker.volumedriver/1.0'] }, description: 'mine' } });
    const manifest = manifestFor(path, { entrypoint: ['node', '/app/dist/main.js'] });
    expect(manifest).toMatchObject({
      Description: 'mine',
      Entrypoint: ['node', '/app/dist/main.js'],
      Interface: { Socket: 'sample.sock', Types: ['docker.volumedriver/1.0'] },
      WorkDir: '/app',
    });
  });

  test('may be in package.json, and the kind on the command line', () => {
    const path = write('inside', { 'package.json': { name: 'x', cleat: { plugin: { PropagatedMount: '/data' } } } });
    const manifest = manifestFor(path, { entrypoint: ['node'], kinds: ['volume', 'runtime'] });
    expect(manifest).toMatchObject({
      PropagatedMount: '/data',
      Interface: { Types: ['docker.volumedriver/1.0', 'cleat.runtime/1'] },
    });
    expect(() => manifestFor(path, { entrypoint: ['node'], kinds: ['volumes'] })).toThrow('--kind takes volume, ');
  });

  test('with a fault is refused with its path', () => {
    const path = project({ 'plugin.json': { ...plugin, Linux: { Capabilities: ['SYS_ADMIN'] } } });
    expect(() => manifestFor(path, { entrypoint: ['node'] })).toThrow('Linux.Capabilities[0]: no capability is called');
    expect(() => manifestFor(project({ 'plugin.json': '{' }), {})).toThrow('plugin.json cannot be read');
  });
});
