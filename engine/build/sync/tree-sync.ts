import { Readable } from 'node:stream';
import type { EntryType, TarEntry } from '@cleat/linux/archive/tar-header';
import { encodeHeader, paddingOf, tarEnd } from '@cleat/linux/archive/tar-writer';
import type { Helper } from '@cleat/linux/helper/helper';
import { nameOf } from '@cleat/linux/rootfs/names';
import { removeContents } from '@cleat/linux/rootfs/remove';
import { owned } from '@cleat/protocol/guard';
import { contentsOf } from './contents.js';
import { permissionsOf } from './go-mode.js';
import { type Listed, listingOf } from './listing.js';
import type { TreeSource, TreeSync } from './service.js';
import { filesOf } from './tree-out.js';

/** Directories whose files are remembered, and characters of that; one that is not begins anew. */
const maxRemembered = 64;
const maxRememberedText = 512 * 1024 * 1024;
/** Characters that a file counts beside its text. */
const fileText = 128;
/** Names that are sent to the helper at once. */
const removalBatch = 5000;
const maxXattrs = 64;
const batchBytes = 128 * 1024;

export interface TreeSyncOptions {
  readonly helper: Pick<Helper, 'call' | 'tarIn'>;
  /** Some space of its file system is left free. */
  readonly dataRoot: string;
}

/**
 * Keeps directories as clients say. Which files are there is known from the last time, not looked up; so nobody else may
 * write there. After a failure, and after a start of the engine, a directory begins anew.
 */
export function createTreeSync({ helper, dataRoot }: TreeSyncOptions): TreeSync {
  /** By directory. The one used last is the last. */
  const remembered = new Map<string, Remembered>();

  async function update(directory: string, source: TreeSource, signal: AbortSignal): Promise<void> {
    const before = remembered.get(directory)?.signatures;
    remembered.delete(directory);
    if (!before) await removeContents(directory);
    const listing = await listingOf(source);
    const { changed, gone } = difference(before ?? new Map(), listing);
    for (let from = 0; from < gone.length; from += removalBatch) {
      await helper.call(
        'removeEntriesInRoot',
        { root: directory, paths: gone.slice(from, from + removalBatch) },
        { signal },
      );
    }
    if (changed.length > 0) {
      const archive = owned(
        Readable.from(inBatches(archiveOf(changed, source)), { objectMode: false, highWaterMark: 1024 * 1024 }),
      );
      try {
        await helper.tarIn({ root: directory, path: '/', spareOf: dataRoot }, archive, { signal });
      } finally {
        archive.destroy();
      }
    }
    await source.finish();
    remembered.set(directory, remember(listing));
    let all = [...remembered.values()].reduce((sum, { text }) => sum + text, 0);
    for (const [oldest, { text }] of remembered) {
      if (remembered.size <= maxRemembered && all <= maxRememberedText) break;
      remembered.delete(oldest);
      all -= text;
    }
  }

  return {
    filesOf,
    forget: (directory) => void remembered.delete(directory),
    async update(directory, source, signal) {
      try {
        await update(directory, source, signal);
      } finally {
        source.cancel();
      }
    },
  };
}

/** The content of a directory. */
interface Remembered {
  /** By path. */
  readonly signatures: ReadonlyMap<string, string>;
  readonly text: number;
}

function remember(listing: ReadonlyMap<string, Listed>): Remembered {
  const signatures = new Map<string, string>();
  let text = 0;
  for (const [path, { signature }] of listing) {
    signatures.set(path, signature);
    text += path.length + signature.length + fileText;
  }
  return { signatures, text };
}

function difference(
  before: ReadonlyMap<string, string>,
  listing: ReadonlyMap<string, Listed>,
): { changed: Listed[]; gone: string[] } {
  const changed: Listed[] = [];
  /** Files that are made anew: what is linked to them must be, too. */
  const renewed = new Set<string>();
  for (const [path, one] of listing) {
    const isLink = one.type === 'file' && one.entry.linkname !== '';
    if (before.get(path) === one.signature && !(isLink && renewed.has(one.entry.linkname))) continue;
    changed.push(one);
    renewed.add(path);
  }
  const gone = [...before.keys()].filter((path) => !listing.has(path));
  // A directory's content goes with it.
  const lost = new Set(gone);
  return { changed, gone: gone.filter((path) => !lost.has(path.slice(0, Math.max(0, path.lastIndexOf('/'))))) };
}

/** The changed files as a tar, for the one extractor that nothing leads out of. */
async function* archiveOf(changed: readonly Listed[], source: TreeSource): AsyncGenerator<Uint8Array> {
  const isContent = ({ type, entry }: Listed) => type === 'file' && entry.linkname === '';
  const contents = contentsOf(source, changed.filter(isContent));
  for (const one of changed) {
    if (!isContent(one)) {
      yield encodeHeader(tarEntry(one, 0));
      continue;
    }
    const content = (await contents.next()).value;
    if (!content) return;
    yield encodeHeader(tarEntry(one, content.size));
    yield* content.pieces;
    yield paddingOf(content.size);
  }
  yield tarEnd;
}

/** Small pieces together: each write to the helper costs as much as a large one. */
async function* inBatches(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const piece of pieces) {
    held.push(piece);
    length += piece.length;
    if (length < batchBytes) continue;
    yield held.length === 1 ? piece : Buffer.concat(held, length);
    held = [];
    length = 0;
  }
  yield Buffer.concat(held, length);
}

const types: Readonly<Record<string, EntryType>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'symlink',
  fifo: 'fifo',
};

function tarEntry({ type, entry }: Listed, size: number): TarEntry {
  const isLink = type === 'file' && entry.linkname !== '';
  return {
    name: nameOf(type === 'directory' ? `${entry.path}/` : entry.path),
    type: isLink ? 'link' : (types[type] ?? 'file'),
    size,
    mode: permissionsOf(entry.mode),
    uid: entry.uid,
    gid: entry.gid,
    mtime: Number(entry.modTime) / 1e9,
    linkName: nameOf(entry.linkname),
    major: 0,
    minor: 0,
    xattrs: new Map(
      [...entry.xattrs]
        .filter(([name]) => name.startsWith('user.') || name === 'security.capability')
        .slice(0, maxXattrs)
        .map(([name, value]) => [name, Buffer.from(value)]),
    ),
  };
}
