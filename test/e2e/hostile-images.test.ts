import { readdirSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Engine, startEngine } from './support/engine.js';
import {
  type Documents,
  digestOf,
  dockerArchive,
  type Entry,
  hexOf,
  listOf,
  manifestOf,
  mutations,
  ociArchive,
  pax,
  tarOf,
  textOf,
} from './support/hostile-images.js';
import { inParallel } from './support/raw-client.js';
import { identityOf, unexpectedIn } from './support/same-process.js';

/**
 * The input of an archive or a registry is an image that works, or it is refused in words and nothing of it is left; the
 * engine is the same process afterwards.
 */
let engine: Engine;
let identity: string;
let before: { stored: string[]; images: string };
let registry: Server;
let served: Documents;

const stored = () =>
  ['blobs/sha256', 'blobs/tmp', 'layers']
    .flatMap((root) => readdirSync(join(engine.dataRoot, root)).map((name) => `${root}/${name}`))
    .sort();
const images = async () => (await engine.docker('images', '-aq', '--no-trunc')).stdout;

const layer = tarOf([
  { name: 'etc/', type: '5', mode: 0o755 },
  { name: 'etc/name', content: 'base\n' },
]);
const config = {
  architecture: 'amd64',
  os: 'linux',
  created: '2020-01-01T00:00:00Z',
  author: 'somebody',
  config: {
    Env: ['A=1'],
    Cmd: ['true'],
    Entrypoint: ['/x'],
    Labels: { a: 'b' },
    Volumes: { '/data': {} },
    ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1_000_000_000 },
    User: '1',
    WorkingDir: '/etc',
    StopSignal: 'SIGTERM',
    OnBuild: ['RUN x'],
  },
  rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  history: [{ created: '2020-01-01T00:00:00Z', created_by: 'x', empty_layer: false }],
};
const raw = JSON.stringify(config);
const base: Documents = { config, layers: [layer] };

beforeAll(async () => {
  engine = await startEngine({ busybox: false });
  identity = identityOf(engine.pid);
  // Its layer is there: what follows is about documents, and no process unpacks for each.
  const first = await load(
    dockerArchive({
      ...base,
      config: { ...config, author: 'kept' },
      list: [{ ...listOf(base)[0], RepoTags: ['base:1'] }],
    }),
  );
  expect(first).toContain('Loaded image: base:1');
  before = { stored: stored(), images: await images() };
  registry = createServer(serveImage);
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  registry?.close();
  await engine?.[Symbol.asyncDispose]();
});

function serveImage({ url = '' }: IncomingMessage, response: ServerResponse): void {
  const manifest = textOf(served.manifest ?? manifestOf(served));
  if (url === '/v2/') return void response.end();
  if (url.includes('/manifests/')) {
    response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
    return void response.end(manifest);
  }
  const blob = [textOf(served.config), ...served.layers].find((each) => url.endsWith(digestOf(each)));
  if (blob === undefined) response.statusCode = 404;
  response.end(blob);
}

/** @returns the answer's text, its status before it when that is an error */
async function post(path: string, body?: Buffer): Promise<string> {
  return await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-tar' };
    const sent = request({ socketPath: engine.socket, method: 'POST', path, headers }, (response) => {
      let text = (response.statusCode ?? 0) < 400 ? '' : `${response.statusCode} `;
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve(text)).once('error', reject);
    });
    sent.once('error', reject).end(body);
  });
}
const load = (archive: Buffer) => post('/images/load', archive);
const pull = (image: Documents) => {
  served = image;
  const { port } = registry.address() as AddressInfo;
  return post(`/images/create?fromImage=127.0.0.1:${port}/x&tag=latest`);
};

/** Words of Node's or of a parser's, and none of anybody's. */
const strange =
  /undefined|null\)|is not (a function|iterable)|Cannot (read|convert)|Unexpected token|JSON at|\.js:|NaN|RangeError|call stack|string length|ENOENT|EISDIR|EEXIST|syscall|unexpected error/;

/** The name of the case and what was wrong with it; undefined: all is well. */
async function complaint(what: string, answer: string): Promise<string | undefined> {
  const said = /^\d{3} /.test(answer) ? answer : /"errorDetail":.*/.exec(answer)?.[0];
  if (said !== undefined) {
    if (/^5\d\d /.test(said) && !said.includes('max depth exceeded')) return `${what}: ${said}`;
    if (strange.test(said)) return `${what}: ${said}`;
    return said.length > 2000 ? `${what}: says ${said.length} characters` : undefined;
  }
  // It is taken, so it is served, and a container can be made of it.
  const id = /Loaded image(?: ID)?: (\S+?)\\n/.exec(answer)?.[1] ?? /Digest: /.exec(answer)?.[0];
  if (id === undefined) return undefined;
  const { port } = registry.address() as AddressInfo;
  const name = id.startsWith('sha256:') ? id : `127.0.0.1:${port}/x`;
  for (const path of [`/images/${name}/json`, `/images/${name}/history`, '/images/json?all=1']) {
    const { status, body } = await engine.api('GET', path);
    if (status >= 400) return `${what}: taken, but ${path} is ${status} ${body}`;
  }
  const made = await engine.api('POST', '/containers/create', { Image: name });
  if (made.status >= 500) return `${what}: taken, but no container: ${made.body}`;
  if (made.status < 300) await engine.api('DELETE', `/containers/${(JSON.parse(made.body) as { Id: string }).Id}?v=1`);
  const { status, body } = await engine.api('DELETE', `/images/${name}?force=1`);
  return status >= 400 ? `${what}: taken, but not removed: ${body}` : undefined;
}

async function expectUnharmed(): Promise<void> {
  expect(identityOf(engine.pid)).toBe(identity);
  await expect.poll(stored).toEqual(before.stored);
  expect(await images()).toBe(before.images);
  expect(unexpectedIn(engine)).toEqual([]);
}

/** All ways in, one after the other. */
async function complaints(what: string, image: Documents): Promise<string[]> {
  const all = [
    await complaint(`docker archive ${what}`, await load(dockerArchive(image))),
    await complaint(`OCI layout ${what}`, await load(ociArchive(image))),
    await complaint(`registry ${what}`, await pull(image)),
  ];
  return all.filter((each) => each !== undefined);
}

const values = [null, -1, 1e300, '', 'x', '\0', 'sha256:zz', [], [null], {}, { a: null }, true, '-', '/../..'];

/** Always the same part of them, so that a red run says something of the change; `CLEAT_E2E_SEED` tries others, 0 to 44. */
const seed = Number(process.env.CLEAT_E2E_SEED ?? 41);
function* some<T>(all: Iterable<T>, nth: number): Generator<T> {
  let at = seed;
  for (const each of all) if (at++ % nth === 0) yield each;
}

test('documents with anything in any place', async () => {
  const found: string[] = [];
  for (const { where, value } of some(mutations(config, values), 9)) {
    const image = { ...base, config: typeof value === 'string' ? JSON.stringify(value) : value };
    const what = `config${where}`;
    found.push(...[await complaint(what, await load(dockerArchive(image)))].filter((each) => each !== undefined));
  }
  for (const { where, value } of some(mutations(listOf(base), values), 3)) {
    const list = typeof value === 'string' ? JSON.stringify(value) : value;
    const answer = await load(dockerArchive({ ...base, list }));
    found.push(...[await complaint(`manifest.json${where}`, answer)].filter((each) => each !== undefined));
  }
  for (const { where, value } of some(mutations(manifestOf(base), values), 5)) {
    const image = { ...base, manifest: typeof value === 'string' ? JSON.stringify(value) : value };
    const said = [
      await complaint(`layout's manifest${where}`, await load(ociArchive(image))),
      await complaint(`registry's manifest${where}`, await pull(image)),
    ];
    found.push(...said.filter((each) => each !== undefined));
  }
  expect(found).toEqual([]);
  await expectUnharmed();
});

const deep = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);

test('documents that are large, deep, doubled or circular', async () => {
  const many = { ...config, rootfs: { type: 'layers', diff_ids: Array(100_000).fill(digestOf(layer)) } };
  const cases: [string, Documents][] = [
    ['no JSON', { ...base, config: '{' }],
    ['not UTF-8', { ...base, config: raw.replace('somebody', 'some\udc80body') }],
    ['deep', { ...base, config: raw.replace('"somebody"', deep(100_000, '[', ']')) }],
    [
      'a deep configuration',
      { ...base, config: raw.replace('"User":"1"', `"User":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`) },
    ],
    ['keys twice', { ...base, config: raw.replace('{', '{"rootfs":null,"config":[],"history":1,"os":"windows",') }],
    ['keys twice, last', { ...base, config: raw.replace(/}$/, ',"rootfs":{"diff_ids":["x"]},"OS":"windows"}') }],
    ['__proto__', { ...base, config: raw.replace('{', '{"__proto__":{"os":"windows"},"constructor":null,') }],
    ['100,000 layers', { ...base, config: many, layers: [layer] }],
    [
      'a layer twice',
      {
        ...base,
        config: { ...config, rootfs: { type: 'layers', diff_ids: [digestOf(layer), digestOf(layer)] } },
        layers: [layer, layer],
      },
    ],
    ['another layer', { ...base, config: { ...config, rootfs: { type: 'layers', diff_ids: [digestOf('x')] } } }],
    [
      '200,000 steps',
      { ...base, config: raw.replace('"history":[', `"history":[${'{"empty_layer":true},'.repeat(200_000)}`) },
    ],
    [
      '10,000 steps',
      { ...base, config: raw.replace('"history":[', `"history":[${'{"empty_layer":true},'.repeat(10_000)}`) },
    ],
    [
      'digests of another algorithm',
      { ...base, manifest: JSON.stringify(manifestOf(base)).replaceAll(/sha256:\w{64}/g, `sha512:${'a'.repeat(128)}`) },
    ],
    ['negative sizes', { ...base, manifest: JSON.stringify(manifestOf(base)).replaceAll(/"size":/g, '"size":-') }],
    ['sizes that lie', { ...base, manifest: JSON.stringify(manifestOf(base)).replaceAll(/"size":/g, '"size":9') }],
    [
      'a manifest that says it is an index',
      { ...base, manifest: { ...manifestOf(base), mediaType: 'application/vnd.oci.image.index.v1+json' } },
    ],
    [
      'odd names',
      {
        ...base,
        list: [
          { ...listOf(base)[0], RepoTags: ['a:\0', 'b:\u202e1', 'c:x y', 'D:1', 'e:\n', '../f:1', 'g/../h:1', 'x@y'] },
        ],
      },
    ],
    ['layers missing', { ...base, layers: [] }],
    ['a huge label', { ...base, config: { ...config, config: { Labels: { a: 'x'.repeat(4_000_000) } } } }],
    [
      'doubled manifest',
      { ...base, manifest: JSON.stringify(manifestOf(base)).replace('{', '{"layers":null,"config":1,"manifests":[],') },
    ],
    [
      'doubled list',
      { ...base, list: JSON.stringify(listOf(base)).replace('{', '{"Config":7,"config":null,"Layers":[[]],') },
    ],
    [
      '100,000 images',
      { ...base, list: Array(100_000).fill({ Config: 'config.json', Layers: [`${hexOf(layer)}/layer.tar`] }) },
    ],
  ];
  const found: string[] = [];
  for (const [what, image] of cases) found.push(...(await complaints(what, image)));
  // Indexes in indexes, and one that names itself by a name that is not its digest.
  const index = (digest: string) =>
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ mediaType: 'application/vnd.oci.image.index.v1+json', digest, size: 1 }],
    });
  const nested: string[] = [];
  let top = index(digestOf(JSON.stringify(manifestOf(base))));
  for (let depth = 0; depth < 1000; depth++) {
    nested.push(top);
    top = index(digestOf(top));
  }
  const indexed = (...manifests: unknown[]) => JSON.stringify({ schemaVersion: 2, manifests });
  const real = JSON.stringify(manifestOf(base));
  const one = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(real),
    size: real.length,
    platform: { os: 'linux', architecture: 'amd64' },
  };
  const under = (text: string) => ociArchive(base, index(digestOf(text)).replace('"size":1', '"size":0'), [text]);
  /** Indexes that list one image in many ways. */
  const platforms = {
    '2,000 platforms': under(indexed(...Array(2000).fill(one))),
    'the same index many times': under(
      indexed(...Array(900).fill({ ...one, digest: digestOf(indexed(one)), size: 0 })),
    ),
    'annotations of a megabyte': under(indexed({ ...one, annotations: { a: 'x'.repeat(1_000_000) } })),
    'annotations that are none': under(indexed({ ...one, annotations: { a: 7, __proto__: null, b: [] } })),
    'platforms that are none': under(indexed({ ...one, platform: { os: 7, architecture: null, variant: [] } })),
    'no platform': under(indexed({ ...one, platform: 'linux/amd64' })),
    'an index that is a manifest, too': under(real.replace('{', '{"manifests":[],')),
    'a manifest of another algorithm': under(indexed({ ...one, digest: `sha512:${'a'.repeat(128)}` })),
    'a negative size': under(indexed({ ...one, size: -1 })),
    'no manifest': under(indexed()),
    'manifests that are none': under(indexed(null, 1, [], {})),
    'only others': under(indexed({ ...one, platform: { os: 'windows', architecture: 'amd64' } })),
    'only attestations': under(
      indexed({ ...one, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } }),
    ),
  };
  const self = `sha256:${'a'.repeat(64)}`;
  const circle = tarOf([
    { name: 'index.json', content: index(self) },
    { name: `blobs/sha256/${'a'.repeat(64)}`, content: index(self) },
  ]);
  const links = tarOf([
    { name: 'manifest.json', type: '2', link: 'a' },
    { name: 'a', type: '2', link: 'b' },
    { name: 'b', type: '1', link: 'manifest.json' },
  ]);
  const outside = tarOf([
    { name: 'manifest.json', content: JSON.stringify([{ Config: '../../../../etc/passwd', Layers: ['/etc/shadow'] }]) },
    { name: 'config.json', type: '2', link: '/etc/passwd' },
  ]);
  const legacy = tarOf([
    { name: 'repositories', content: JSON.stringify({ x: { y: 'a'.repeat(64) }, z: null, __proto__: 1 }) },
    { name: `${'a'.repeat(64)}/json`, content: JSON.stringify({ parent: 'a'.repeat(64), config: 7 }) },
    { name: `${'a'.repeat(64)}/layer.tar`, content: layer },
  ]);
  const long = tarOf([{ name: 'x'.repeat(1_000_000), content: 'x' }]);
  const globals = tarOf([...Array(40).keys()].map((n) => pax({ [`k${n}`]: 'x'.repeat(5000) }, 'g')));
  const archives = {
    ...platforms,
    nested: ociArchive(base, top, nested),
    circle,
    links,
    outside,
    legacy,
    long,
    globals,
  };
  for (const [what, archive] of Object.entries(archives)) {
    for (const body of [archive, gzipSync(archive, { level: 1 })]) {
      found.push(...[await complaint(what, await load(body))].filter((each) => each !== undefined));
    }
  }
  expect(found).toEqual([]);
  await expectUnharmed();
});

const file: Entry = { name: 'f', content: 'content' };
const longName = 'n'.repeat(300);
const path = (bytes: number) => `${'d'.repeat(100)}/`.repeat(bytes / 101);

/** Layers, and whether an engine can take them. */
const layers: Record<string, [taken: boolean, entries: Entry[] | Buffer]> = {
  'no tar': [false, Buffer.from('x'.repeat(2000))],
  'cut in a file': [false, tarOf([{ name: 'f', content: 'x'.repeat(5000) }]).subarray(0, 2000)],
  'a type of nobody': [false, [{ name: 'x', type: 'Z' }]],
  'a multi-volume part': [false, [{ name: 'x', type: 'M' }]],
  'a negative size': [false, [{ name: 'x', size: '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' }]],
  'a huge size': [false, [{ name: 'x', size: '77777777777' }]],
  'a size that is none': [false, [{ name: 'x', size: 'abc' }]],
  'a PAX size below zero': [false, [pax({ size: '-5' }), file]],
  'a PAX size that is none': [false, [pax({ size: '1e9' }), file]],
  'a PAX owner of nobody': [false, [pax({ uid: '4294967295' }), file]],
  'a PAX time beyond all': [true, [pax({ mtime: '99999999999999999999' }), file]],
  'a PAX name with a zero byte': [false, [pax({ path: 'a\0b' }), file]],
  'a damaged PAX record': [false, [{ name: 'p', type: 'x', content: '99 x=y\n' }, file]],
  'a name of 300 bytes': [false, [{ name: longName, content: 'x' }]],
  'a path of 5,000 bytes': [true, [{ name: `${path(5000)}f`, content: 'x' }]],
  'a name of a megabyte': [false, [{ name: 'x'.repeat(1_100_000) }]],
  'a link to nothing': [false, [{ name: 'x', type: '1', link: 'nothing' }]],
  'a link to itself': [false, [{ name: 'x', type: '1', link: 'x' }]],
  'a link out of the layer': [false, [{ name: 'x', type: '1', link: '../../../../../../etc/hostname' }]],
  'a link to a directory': [
    false,
    [
      { name: 'd', type: '5' },
      { name: 'x', type: '1', link: 'd' },
    ],
  ],
  'a link through a symlink that leads out': [
    false,
    [
      { name: 'l', type: '2', link: '/etc' },
      { name: 'x', type: '1', link: 'l/hostname' },
    ],
  ],
  'a link through a symlink of the layer': [
    true,
    [
      { name: 'd', type: '5' },
      { name: 'd/f', content: 'x' },
      { name: 'l', type: '2', link: 'd' },
      { name: 'x', type: '1', link: 'l/f' },
    ],
  ],
  'a link to a symlink, and a file in its place': [
    true,
    [
      { name: 'l', type: '2', link: '/tmp/cle-hostile' },
      { name: 'x', type: '1', link: 'l' },
      { name: 'x', content: 'x' },
    ],
  ],
  'names that differ in case': [
    true,
    [
      { name: 'Same', content: '1' },
      { name: 'same', content: '2' },
      { name: 'SAME', type: '5' },
    ],
  ],
  'one name as everything': [
    true,
    [
      { name: 'x', type: '5' },
      { name: 'x/y', content: '1' },
      { name: 'x', type: '2', link: '/tmp' },
      { name: 'x', type: '6' },
      { name: 'x', content: '2' },
      { name: 'x', type: '5' },
    ],
  ],
  'a whiteout that leads out': [true, [{ name: 'a/../../.wh.tmp' }]],
  'an opaque mark below a symlink': [false, [{ name: 'l', type: '2', link: '/tmp' }, { name: 'l/.wh..wh..opq' }]],
  'a whiteout as a link': [true, [file, { name: '.wh.x', type: '1', link: 'f' }]],
  'a sparse file of a petabyte': [
    false,
    [pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '1125899906842624' }), file],
  ],
  'large PAX records': [true, [...Array(3)].flatMap(() => [pax({ comment: 'x'.repeat(900_000) })])],
  'a thousand PAX headers for one file': [
    true,
    [...[...Array(1000).keys()].map((n) => pax({ [`k${n}`]: 'x'.repeat(2000) })), file],
  ],
  'a symlink without a target': [false, [{ name: 'x', type: '2' }]],
  'a file below a symlink that leads out': [
    false,
    [
      { name: 'l', type: '2', link: '/tmp/cle-hostile' },
      { name: 'l/f', content: 'x' },
    ],
  ],
  'a file below a file': [false, [file, { name: 'f/g', content: 'x' }]],
  'a name that leads out': [true, [{ name: '../../../../tmp/cle-hostile', content: 'x' }]],
  'an absolute name': [true, [{ name: '/tmp/cle-hostile', content: 'x' }]],
  'devices and FIFOs': [
    true,
    [
      { name: 'c', type: '3', major: '1' },
      { name: 'b', type: '4', major: '7' },
      { name: 'p', type: '6' },
    ],
  ],
  'a device that hides': [true, [{ name: 'c', type: '3' }]],
  'a device beyond all numbers': [false, [{ name: 'c', type: '3', major: '7777777' }]],
  'an opaque root': [true, [{ name: '.wh..wh..opq' }, file]],
  'a whiteout of nothing': [false, [{ name: '.wh.' }]],
  'a whiteout of .': [false, [{ name: '.wh..' }]],
  'a whiteout of ..': [false, [{ name: '.wh...' }]],
  'a whiteout of an absolute path': [true, [{ name: '/.wh.etc' }]],
  'a whiteout with a path in it': [true, [{ name: 'a/.wh.b/c' }]],
  'a whiteout below a symlink': [false, [{ name: 'l', type: '2', link: '/tmp' }, { name: 'l/.wh.cle-hostile' }]],
  'a whiteout of what it brings': [true, [file, { name: '.wh.f' }]],
  'aufs’ own names': [true, [{ name: '.wh..wh.plnk/x' }]],
  'the root as a file': [
    true,
    [
      { name: '/', content: 'x' },
      { name: '.', type: '2', link: 'x' },
    ],
  ],
  'overlayfs’ own attributes': [
    true,
    [pax({ 'SCHILY.xattr.trusted.overlay.redirect': '/etc' }), { name: 'd', type: '5' }],
  ],
  'an attribute of nobody': [true, [pax({ 'SCHILY.xattr.nobody.x': 'x' }), file]],
  'a sparse map that leads out': [false, [pax({ 'GNU.sparse.map': '0,9000', 'GNU.sparse.size': '7' }), file]],
};

test('layers with anything in them', async () => {
  const found: string[] = [];
  const ways = [dockerArchive, ociArchive];
  await inParallel(Object.entries(layers), 4, async ([what, [taken, entries]]) => {
    const tar = Buffer.isBuffer(entries) ? entries : tarOf(entries);
    const image = {
      config: { ...config, config: { Cmd: ['x'] }, rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } },
      layers: [tar],
    };
    const answer = await load((ways[what.length % 2] ?? dockerArchive)(image));
    if (answer.includes('errorDetail') === taken) found.push(`${what}: ${answer.trim().split('\n').at(-1)}`);
    const wrong = await complaint(what, answer);
    if (wrong !== undefined) found.push(wrong);
  });
  expect(found).toEqual([]);
  expect(readdirSync('/tmp').filter((name) => name === 'cle-hostile')).toEqual([]);
  await expectUnharmed();
});

test('the same archives imported, and copied into a container', async () => {
  const found: string[] = [];
  const idOf = (answer: string) => /"status":"(sha256:[0-9a-f]{64})"/.exec(answer)?.[1];
  const base = tarOf([
    { name: 'etc/', type: '5' },
    { name: 'etc/passwd', content: 'root:x:0:0::/:/x\n' },
  ]);
  const Image = idOf(await post('/images/create?fromSrc=-', base));
  await inParallel([...some(Object.entries(layers), 4)], 4, async ([what, [taken, entries]]) => {
    const tar = Buffer.isBuffer(entries) ? entries : tarOf(entries);
    const answer = await post('/images/create?fromSrc=-', tar);
    const id = idOf(answer);
    if ((id !== undefined) !== taken) found.push(`import of ${what}: ${answer.trim().split('\n').at(-1)}`);
    if (id !== undefined) await engine.api('DELETE', `/images/${id}`);
    else if (strange.test(answer) || /^5/.test(answer)) found.push(`import of ${what}: ${answer}`);
    const { body } = await engine.api('POST', '/containers/create', { Image, Cmd: ['x'] });
    const container = `/containers/${(JSON.parse(body) as { Id: string }).Id}`;
    // Whiteouts are names like others there. It is done, or refused in words.
    const put = await engine.api('PUT', `${container}/archive?path=/`, tar);
    if (put.status >= 500 || (put.status >= 400 && strange.test(put.body))) found.push(`cp of ${what}: ${put.body}`);
    await engine.api('DELETE', `${container}?v=1`);
  });
  await engine.api('DELETE', `/images/${Image}`);
  expect(found).toEqual([]);
  expect(readdirSync('/tmp').filter((name) => name === 'cle-hostile')).toEqual([]);
  await expectUnharmed();
});
