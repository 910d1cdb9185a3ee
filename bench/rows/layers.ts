import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { systemError } from '@cleat/protocol/errors';
import type { BenchEngine } from '../engines.js';
import { freePort } from '../free-port.js';
import { configure, endProcess, startRegistry } from '../registry.js';
import { peers, type Row, stock } from '../row.js';
import { milliseconds, settled } from '../work.js';

const layerCount = 6;
const filesPerLayer = 100;
const fileBytes = 333_000;

/** An engine with the image, its archive, and a registry of its own at an address on its loopback. */
interface Place {
  directory: string;
  archive: string;
  /** The image's name in that registry. */
  name: string;
  registry: ChildProcess;
}

const places = new Map<BenchEngine, Place>();

/** podman asks for it where dockerd and Cleat see that the registry is on loopback. */
const plain = (engine: BenchEngine): string[] => (engine.name.startsWith('podman') ? ['--tls-verify=false'] : []);

async function prepare(engine: BenchEngine): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-bench-layers-'));
  const host = `127.0.0.1:${await freePort()}`;
  const name = `${host}/bench/six:1`;
  configure(directory, host);
  const registry = await startRegistry(directory, host, engine.entering);
  const archive = await makeArchive(directory, name);
  places.set(engine, { directory, archive, name, registry });
  await engine.docker('load', '-q', '-i', archive);
}

/** Half of each file is random, the other half text: it compresses to a bit more than a half, as programs do. */
async function makeArchive(directory: string, name: string): Promise<string> {
  const tree = join(directory, 'image');
  const diffIds: string[] = [];
  const layers: string[] = [];
  for (let layer = 0; layer < layerCount; layer++) {
    const files = join(directory, `layer-${layer}`, `files-${layer}`);
    mkdirSync(files, { recursive: true });
    mkdirSync(join(tree, `${layer}`), { recursive: true });
    for (let at = 0; at < filesPerLayer; at++) {
      const text = Buffer.alloc(fileBytes / 2, `line ${layer} ${at} of a file of text\n`);
      writeFileSync(join(files, `${at}`), Buffer.concat([randomBytes(fileBytes / 2), text]));
    }
    const path = join(tree, `${layer}`, 'layer.tar');
    await succeed('tar', '-C', join(directory, `layer-${layer}`), '-cf', path, '.');
    diffIds.push(`sha256:${(await succeed('sha256sum', path)).slice(0, 64)}`);
    layers.push(`${layer}/layer.tar`);
    rmSync(join(directory, `layer-${layer}`), { recursive: true });
  }
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const config = JSON.stringify({ architecture: goArchitecture(), os: 'linux', config: { Cmd: ['true'] }, rootfs });
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  writeFileSync(join(tree, configName), config);
  writeFileSync(
    join(tree, 'manifest.json'),
    JSON.stringify([{ Config: configName, RepoTags: [name], Layers: layers }]),
  );
  const archive = join(directory, 'six.tar');
  await succeed('tar', '-C', tree, '-cf', archive, '.');
  rmSync(tree, { recursive: true });
  return archive;
}

const goArchitecture = (): string => (process.arch === 'x64' ? 'amd64' : process.arch);

async function succeed(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, { env: process.env });
  if (code !== 0) throw systemError(`${command}: ${stderr.trim()}`);
  return stdout;
}

async function finish(engine: BenchEngine): Promise<void> {
  const place = places.get(engine);
  places.delete(engine);
  await engine.docker('rmi', '-f', place?.name ?? '').catch(() => {}); // It may be away already.
  await endProcess(place?.registry);
  if (place) rmSync(place.directory, { recursive: true, force: true });
}

function placeOf(engine: BenchEngine): Place {
  const place = places.get(engine);
  if (!place) throw systemError('the row was not prepared');
  return place;
}

const push = (engine: BenchEngine, { name }: Place) => engine.docker('push', '-q', ...plain(engine), name);
const pull = (engine: BenchEngine, { name }: Place) => engine.docker('pull', '-q', ...plain(engine), name);

/** Bytes on the disk below the engine's data, in MB. */
async function diskUse(engine: BenchEngine): Promise<number> {
  await succeed('sync', '-f', engine.directory);
  return Number((await succeed('du', '-sB1', join(engine.directory, 'data'))).split(/\s/)[0]) / 1e6;
}

async function pushAndForget(engine: BenchEngine): Promise<void> {
  await prepare(engine);
  const place = placeOf(engine);
  await push(engine, place);
  await engine.docker('rmi', place.name);
}

const shared = { unit: 'ms', between: stock, beside: peers, atMost: 0.8, samples: 5, finish } as const;

/** An image of 200 MB in six layers, as people carry it around. */
export const layerRows: readonly Row[] = [
  {
    ...shared,
    name: '`docker load` of 200 MB in six layers',
    prepare,
    async sample(engine) {
      const { archive, name } = placeOf(engine);
      await engine.docker('rmi', name);
      await settled(engine);
      return await milliseconds(() => engine.docker('load', '-q', '-i', archive));
    },
  },
  {
    ...shared,
    name: '`docker save` of it',
    prepare,
    async sample(engine) {
      const { directory, name } = placeOf(engine);
      const path = join(directory, 'saved.tar');
      const took = await milliseconds(() => engine.docker('save', '-o', path, name));
      rmSync(path);
      return took;
    },
  },
  {
    ...shared,
    name: '`docker push` of it to a registry on loopback',
    prepare,
    async sample(engine) {
      const place = placeOf(engine);
      rmSync(join(place.directory, 'data'), { recursive: true, force: true });
      return await milliseconds(() => push(engine, place));
    },
  },
  {
    ...shared,
    name: '`docker pull` of it',
    prepare: pushAndForget,
    async sample(engine) {
      const place = placeOf(engine);
      await settled(engine);
      const took = await milliseconds(() => pull(engine, place));
      await engine.docker('rmi', place.name);
      return took;
    },
  },
  {
    ...shared,
    name: 'disk that it uses once it is pulled',
    unit: 'MB',
    atMost: 1.1,
    samples: 1,
    prepare: pushAndForget,
    async sample(engine) {
      const place = placeOf(engine);
      await engine.docker('rmi', place.name).catch(() => {}); // It is away at first.
      await settled(engine);
      const before = await diskUse(engine);
      await pull(engine, place);
      await settled(engine);
      return (await diskUse(engine)) - before;
    },
  },
];
