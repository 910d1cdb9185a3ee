import { ByteSource } from '@cleat/linux/archive/byte-source';
import { decompress, detect } from '@cleat/linux/archive/compression';
import { entryBody } from '@cleat/linux/archive/entry-body';
import type { TarEntry } from '@cleat/linux/archive/tar-header';
import { parseHeader } from '@cleat/linux/archive/tar-header';
import { TarReader } from '@cleat/linux/archive/tar-reader';
import { type ByteName, textOf } from '@cleat/linux/rootfs/names';
import { invalidParameter, isClass } from '@cleat/protocol/errors';
import { type Attributes, type Layer, under } from './layer.js';
import type { ModeChange } from './mode.js';
import type { Owner } from './owner.js';

/** Bounds of an archive, whatever it unfolds to. */
const maxUnpacked = 64 * 1024 ** 3;
const maxEntries = 2_000_000;

/** Whether it is a tar, perhaps compressed: its first block says so, not its name. @throws what the source throws */
export async function isArchive(source: AsyncIterable<Buffer>): Promise<boolean> {
  const { compression, source: whole } = await detect(source);
  const bytes = new ByteSource(decompress(whole, compression));
  try {
    const block = await bytes.take(512);
    return block.length === 512 && parseHeader(block) !== undefined;
  } catch (error) {
    if (isClass(error, 'InvalidParameter')) return false;
    throw error;
  } finally {
    await bytes.close();
  }
}

/** The entries of an archive as entries of the layer below `target`. Nothing of it gets elsewhere. */
export async function* unpacked(
  source: AsyncIterable<Buffer>,
  layer: Layer,
  target: ByteName,
  options: {
    readonly owner?: Owner;
    readonly mode?: ModeChange;
    readonly make: () => Attributes;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<Buffer> {
  const { owner, make, signal } = options;
  const { compression, source: whole } = await detect(source);
  const bytes = new ByteSource(decompress(whole, compression));
  const links = new Map<ByteName, ByteName>();
  let total = 0;
  let count = 0;
  try {
    const reader = new TarReader(bytes);
    for (let entry = await reader.next(); entry; entry = await reader.next()) {
      signal.throwIfAborted();
      total += entry.size;
      if (total > maxUnpacked || ++count > maxEntries)
        throw invalidParameter('the archive unfolds to more than can be meant');
      const path = placeOf(entry.name, links, target);
      const attributes = {
        mode:
          entry.type === 'symlink'
            ? entry.mode
            : (options.mode?.(entry.mode, entry.type === 'directory') ?? entry.mode),
        uid: owner?.uid ?? entry.uid,
        gid: owner?.gid ?? entry.gid,
        mtime: entry.mtime,
        xattrs: entry.xattrs,
      };
      if (path === target) {
        // The archive's own top.
        continue;
      }
      yield* layer.above(path, make);
      if (entry.type === 'directory') {
        yield* layer.overwritten(path, attributes);
        continue;
      }
      yield layer.entry(path, { ...attributes, ...rest(entry, links, target), type: entry.type });
      if (entry.type === 'symlink') links.set(path, entry.linkName);
      else links.delete(path);
      if (entry.type !== 'file') continue;
      yield* entryBody(reader, entry.size);
      yield layer.padding(entry.size);
    }
  } finally {
    await bytes.close();
  }
}

function rest(entry: TarEntry, links: ReadonlyMap<ByteName, ByteName>, target: ByteName): Partial<TarEntry> {
  const { type, linkName, size, major, minor } = entry;
  if (type === 'link') return { linkName: placeOf(linkName, links, target), size: 0 };
  return { linkName, size: type === 'file' ? size : 0, major, minor };
}

/** Where an entry goes: `..` ends at the target, and symlinks of the archive are followed within the image. */
function placeOf(name: ByteName, links: ReadonlyMap<ByteName, ByteName>, target: ByteName): ByteName {
  const parts = clean(name);
  let path = target;
  for (const [index, part] of parts.entries()) {
    path = under(path, part as ByteName);
    if (index === parts.length - 1) break;
    for (let hops = 0; ; hops++) {
      const to = links.get(path);
      if (to === undefined) break;
      if (hops > 40) throw invalidParameter(`${textOf(name)}: too many levels of symbolic links`);
      const from = to.startsWith('/') ? [] : path.split('/').slice(0, -1);
      path = clean([...from, ...to.split('/')].join('/') as ByteName).join('/') as ByteName;
    }
  }
  return path;
}

function clean(name: ByteName): string[] {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}
