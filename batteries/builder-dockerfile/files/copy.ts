import { posix } from 'node:path';
import { tarEnd } from '@cleat/linux/archive/tar-writer';
import { type ByteName, nameOf } from '@cleat/linux/rootfs/names';
import type { Root } from '@cleat/linux/rootfs/root';
import { fault } from '../language/fault.js';
import { unpacked } from './archive.js';
import { type Attributes, Layer, under } from './layer.js';
import type { ModeChange } from './mode.js';
import type { Owner } from './owner.js';
import { Pace } from './pace.js';
import { type Found, read } from './scan.js';
import type { Picked } from './select.js';

/** One thing to copy. */
export type Item =
  | { readonly kind: 'tree'; readonly picked: Picked }
  /** A file that was written in the Dockerfile or downloaded. */
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly mode: number;
      readonly mtime: number;
      readonly size: number;
      readonly open: () => AsyncIterable<Buffer>;
    }
  /** An archive to unpack. */
  | { readonly kind: 'archive'; readonly open: () => AsyncIterable<Buffer> };

export interface CopyOptions {
  /** Absolute; with a slash at its end it is a directory. */
  readonly target: string;
  readonly owner?: Owner;
  readonly mode?: ModeChange;
  /** Mode of directories that have to be made. */
  readonly directoryMode: number;
  /** Time of directories that have to be made, in seconds. */
  readonly time: number;
  /** No file is newer; seconds. */
  readonly latest?: number;
  readonly signal: AbortSignal;
}

/**
 * The layer that COPY and ADD make on top of an image's files, as a tar (BuildKit `solver/llbsolver/file`, fsutil).
 * @param below the image's files; undefined where it has none @throws DockerfileFault through the iteration
 */
export async function* copied(
  items: readonly Item[],
  below: Root | undefined,
  options: CopyOptions,
): AsyncGenerator<Buffer> {
  // A wildcard that matches nothing makes nothing.
  if (items.length === 0) {
    yield tarEnd;
    return;
  }
  const layer = new Layer(below, options.latest);
  const make = (): Attributes => ({
    mode: options.directoryMode,
    uid: options.owner?.uid ?? 0,
    gid: options.owner?.gid ?? 0,
    mtime: options.time,
    xattrs: new Map(),
  });
  const target = inside(below, options.target);
  const isNamedDirectory = /(^|\/)\.?$/.test(options.target);
  if (isNamedDirectory) yield* layer.directory(target, make);
  const isDirectory = () => isNamedDirectory || target === '' || layer.kindAt(target) === 'directory';
  if (items.length > 1 && !isDirectory()) {
    throw fault('When using COPY with more than one source file, the destination must be a directory and end with a /');
  }
  const named = (name: string) => (isDirectory() ? under(target, nameOf(name)) : target);
  for (const item of items) {
    options.signal.throwIfAborted();
    if (item.kind === 'archive') {
      yield* layer.directory(target, make);
      yield* unpacked(item.open(), layer, target, { ...options, make });
    } else if (item.kind === 'file') {
      const path = named(item.name);
      yield* layer.above(path, make);
      const mode = options.mode?.(item.mode, false) ?? item.mode;
      yield layer.entry(path, { ...make(), type: 'file', mode, mtime: item.mtime, size: item.size });
      yield* item.open();
      yield layer.padding(item.size);
    } else {
      const [top] = item.picked.found;
      const path = top?.type === 'directory' ? target : named(item.picked.name);
      yield* tree(item.picked, layer, path, make, options);
    }
  }
  yield tarEnd;
}

async function* tree(
  { found, source, path: from }: Picked,
  layer: Layer,
  to: ByteName,
  make: () => Attributes,
  options: CopyOptions,
): AsyncGenerator<Buffer> {
  const pace = new Pace();
  const attributes = (one: Found): Attributes => ({
    mode: one.type === 'symlink' ? one.mode : (options.mode?.(one.mode, one.type === 'directory') ?? one.mode),
    uid: options.owner?.uid ?? (source.keepsOwners ? one.uid : 0),
    gid: options.owner?.gid ?? (source.keepsOwners ? one.gid : 0),
    mtime: one.mtime,
    xattrs: one.xattrs,
  });
  const directories = new Map(
    found.filter(({ type }) => type === 'directory').map((one) => [under(to, one.path), one]),
  );
  // Directories between the top and what is copied are like those of the source.
  const makeAbove = (path: ByteName): Attributes => {
    const model = path === to ? undefined : directories.get(path);
    return model ? attributes(model) : make();
  };
  const firsts = new Map<string, ByteName>();
  for (const one of found) {
    await pace.next(options.signal);
    if (!one.isWanted || one.type === 'socket') continue;
    const path = under(to, one.path);
    if (one.type === 'directory') {
      // Its content is copied, but not itself.
      if (one.path === '') yield* layer.directory(path, make);
      else {
        yield* layer.above(path, makeAbove);
        yield* layer.overwritten(path, attributes(one));
      }
      continue;
    }
    yield* layer.above(path, makeAbove);
    const first = one.inode === undefined ? undefined : firsts.get(one.inode);
    if (first !== undefined) {
      yield layer.entry(path, { ...attributes(one), type: 'link', linkName: first });
      continue;
    }
    if (one.inode !== undefined) firsts.set(one.inode, path);
    const { type, linkName, size, major, minor } = one;
    yield layer.entry(path, { ...attributes(one), type, linkName, size, major, minor });
    if (type !== 'file') continue;
    if (one.content) yield one.content;
    else yield* read(source.root, posix.join(from, Buffer.from(one.path, 'latin1').toString()), size);
    yield layer.padding(size);
  }
}

/** A path of the image as a name in a tar, with the symlinks that lead to it followed. */
function inside(below: Root | undefined, path: string): ByteName {
  const clean = posix.join('/', path).replace(/(.)\/$/, '$1');
  return nameOf((below?.resolve(clean) ?? clean).slice(1));
}
