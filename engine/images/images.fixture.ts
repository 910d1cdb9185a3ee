import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { EventMessage } from '@cleat/protocol/api/event';
import type { Progress } from '@cleat/protocol/api/image';
import { silentLogger } from '@cleat/protocol/log';
import { type Header, pack } from 'tar-stream';
import type { LayersConfig, RegistriesConfig } from '../config.js';
import { openContent } from '../content/index.js';
import { openDistribution } from '../distribution/index.js';
import type { Reach } from '../distribution/service.js';
import type { Events, NewEvent } from '../events/service.js';
import type { ImageId } from '../ids.js';
import { openLayers } from '../layers/index.js';
import { openStore } from '../store/index.js';
import { Catalog, type ImageHost, type Images, type ImageUser, openImages } from './index.js';

/** An engine's images in a temporary data root, for tests. */
export interface Bench {
  images: Images & ImageHost;
  /** Answers of the stand-in for containers. */
  usage: (imageId: ImageId) => ImageUser[];
  root: string;
  events: NewEvent[];
  /** Closes and opens again, as after a restart. */
  reopen(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openBench(config: Partial<RegistriesConfig & LayersConfig> = {}, reach?: Reach): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'cleat-images-'));
  const published: NewEvent[] = [];
  const events: Events = {
    publish(event) {
      published.push(event);
      return { Type: event.type, Action: event.action } as EventMessage;
    },
    together: (work) => work(),
    last: 0,
    next: 1,
    cursor: '',
    holds: () => false,
    subscribe: () => {
      throw new Error('not here');
    },
    stats: () => ({ count: 0, kept: 0, published: 0, subscribers: 0 }),
    close: async () => {},
  };
  const all = { insecureRegistries: [], registryMirrors: [], maxConcurrentDownloads: 3, ...config };
  const start = async () => {
    const store = openStore(join(root, 'store'));
    const log = silentLogger;
    const content = await openContent(join(root, 'blobs'));
    const distribution = openDistribution({ config: all, reach, log, content });
    const catalog = new Catalog(store);
    const keepArchives = config.keepLayerArchives;
    const users = [catalog];
    const layers = await openLayers({ directory: join(root, 'layers'), content, store, users, log, keepArchives });
    return {
      store,
      images: openImages({ log, events, catalog, content, layers, distribution, usage: (id) => bench.usage(id) }),
    };
  };
  let running = await start();
  const stop = async () => {
    await running.images.close();
    await running.store.close();
  };
  const bench: Bench = {
    usage: () => [],
    get images() {
      return running.images;
    },
    root,
    events: published,
    async reopen() {
      await stop();
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(root, { recursive: true, force: true });
    },
  };
  return bench;
}

export type Entry = Partial<Header> & { name: string; content?: string | Buffer };

/** A tar of these entries. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) {
    if (content === undefined) tar.entry(header);
    else tar.entry(header, content);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

/** A root file system with the host's static busybox as /bin/busybox and /bin/sh. */
export async function busyboxTar(): Promise<Buffer> {
  return await tarOf([
    { name: 'bin/', type: 'directory', mode: 0o755 },
    { name: 'bin/busybox', mode: 0o755, content: await readFile('/bin/busybox') },
    { name: 'bin/sh', type: 'symlink', linkname: 'busybox' },
    { name: 'etc/', type: 'directory', mode: 0o755 },
    { name: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\n' },
  ]);
}

export async function lines(stream: AsyncIterable<Progress>): Promise<Progress[]> {
  const all: Progress[] = [];
  for await (const line of stream) all.push(line);
  return all;
}

/** Imports a tar. @returns the image's ID */
export async function importTar(
  images: Images & ImageHost,
  tar: Buffer,
  repository = '',
  tag = '',
  changes: string[] = [],
): Promise<string> {
  const source = Readable.from([tar]);
  const { signal } = new AbortController();
  const all = await lines(images.import({ source, repository, tag, message: 'test', changes, signal }));
  return all.at(-1)?.status ?? '';
}
