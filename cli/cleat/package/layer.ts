import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { digestOfFile } from './digest.js';
import type { Layout } from './layout.js';
import { tarEnd, tarOf } from './tar.js';
import type { Tree } from './tree.js';

export interface Layer {
  /** The digest of the gzip, which is a blob of the layout. */
  readonly digest: string;
  readonly size: number;
  /** The digest of the tar in it. */
  readonly diffId: string;
}

/** 9 takes four times as long, and makes Node's binary smaller by less than one per cent. */
const level = 6;

/** Layers that are kept for the next run: a Node runtime takes seconds to compress. */
const kept = 6;

export interface LayerOptions {
  /** A directory with layers of former runs, by their diff ID; undefined: none is kept. */
  readonly cache: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Makes a layer of a tree and adds it to a layout: the same tree makes the same bytes.
 */
export async function addLayer(
  layout: Layout,
  tree: Tree,
  mtime: number,
  { cache, signal }: LayerOptions,
): Promise<Layer> {
  if (cache !== undefined) {
    const diffId = await diffIdOf(tree, mtime, signal);
    const found = await fromCache(layout, cache, diffId);
    if (found) return found;
  }
  const made = await compressed(layout, tree, mtime, signal);
  if (cache !== undefined) await intoCache(layout, cache, made);
  return made;
}

async function* wholeTar(tree: Tree, mtime: number): AsyncGenerator<Buffer> {
  yield* tarOf([tree], mtime);
  yield tarEnd;
}

async function diffIdOf(tree: Tree, mtime: number, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of wholeTar(tree, mtime)) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return `sha256:${hash.digest('hex')}`;
}

async function compressed(layout: Layout, tree: Tree, mtime: number, signal: AbortSignal): Promise<Layer> {
  const plain = createHash('sha256');
  const temporary = layout.temporary();
  await pipeline(
    Readable.from(wholeTar(tree, mtime)),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        plain.update(chunk);
        yield chunk;
      }
    },
    createGzip({ level }),
    fixedHeader(),
    createWriteStream(temporary, { mode: 0o644 }),
    { signal },
  );
  const blob = await layout.adopt(temporary);
  return { ...blob, diffId: `sha256:${plain.digest('hex')}` };
}

/** zlib names the system that it runs on in the tenth byte; no time is written by Node. */
function fixedHeader(): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (seen <= 9 && seen + chunk.length > 9) {
        const copy = Buffer.from(chunk);
        copy[9 - seen] = 0xff;
        chunk = copy;
      }
      seen += chunk.length;
      done(undefined, chunk);
    },
  });
}

/** Named by all that decides over its bytes, and by their digest. */
const prefixOf = (diffId: string): string => `${diffId.slice(7)}-zlib-${process.versions.zlib}-${level}-`;

async function fromCache(layout: Layout, cache: string, diffId: string): Promise<Layer | undefined> {
  const names = await readdir(cache).catch(() => []);
  const name = names.find((each) => each.startsWith(prefixOf(diffId)));
  if (name === undefined) return undefined;
  const path = join(cache, name);
  const digest = `sha256:${name.slice(prefixOf(diffId).length)}`;
  // A file that was cut is made anew.
  if ((await digestOfFile(path)) !== digest) {
    await rm(path, { force: true });
    return undefined;
  }
  const now = new Date();
  await utimes(path, now, now);
  const { size } = await stat(path);
  await layout.copy(path, digest);
  return { digest, size, diffId };
}

/** Best effort: where nothing can be kept, the next run takes longer. */
async function intoCache(layout: Layout, cache: string, { diffId, digest }: Layer): Promise<void> {
  try {
    await mkdir(cache, { recursive: true, mode: 0o700 });
    const path = join(cache, prefixOf(diffId) + digest.slice(7));
    const temporary = `${path}.${process.pid}`;
    await link(layout.path(digest), temporary).catch(() => layout.copyTo(digest, temporary));
    await rename(temporary, path);
    await dropOldest(cache);
  } catch (error) {
    process.stderr.write(`the layer is not kept for the next run: ${error instanceof Error ? error.message : error}\n`);
  }
}

async function dropOldest(cache: string): Promise<void> {
  const names = await readdir(cache);
  const files = await Promise.all(
    names.map(async (name) => ({ path: join(cache, name), mtime: (await stat(join(cache, name))).mtimeMs })),
  );
  files.sort((a, b) => b.mtime - a.mtime);
  for (const { path } of files.slice(kept)) await rm(path, { force: true });
}
