import { posix } from 'node:path';
import type { FileSystemEntry, TreeSource } from '@cleat/engine/build/sync/service';
import { invalidParameter } from '@cleat/protocol/errors';

/** A Dockerfile, or a file of rules, with more is none. */
const maxTextBytes = 8 * 1024 * 1024;
/** A client that was asked for a few files has these, and the directories and links that lead there. */
const maxEntries = 10_000;
/** Bytes of memory that one text may hold while it comes. */
const maxHeldBytes = 64 * 1024 * 1024;
/** Bytes of memory for the entries. */
const maxEntryBytes = 16 * 1024 * 1024;
/** Bytes that an entry costs beside its text. */
const entryBytes = 64;
/** Bytes that a piece of a text costs beside its data, which may be a single byte. */
const pieceBytes = 256;
const maxLinks = 10;

/**
 * Texts of a tree, which go nowhere but to memory. Links are followed within what the client sent.
 * @throws InvalidParameter for what is too much
 */
export async function textsOf(tree: TreeSource, paths: readonly string[]): Promise<Map<string, string>> {
  const entries = new Map<string, Found>();
  try {
    let bytes = 0;
    for await (const { path, mode, linkname } of tree.entries()) {
      bytes += entryBytes + path.length + linkname.length;
      if (entries.size >= maxEntries || bytes > maxEntryBytes) {
        throw invalidParameter('the client sent more files than it was asked for');
      }
      entries.set(path, { number: entries.size, path, mode, linkname });
    }
    const texts = new Map<string, string>();
    for (const path of paths) {
      const found = resolved(entries, posix.normalize(path));
      if (found) texts.set(path, await textOf(tree, found));
    }
    await tree.finish();
    return texts;
  } finally {
    tree.cancel();
  }
}

type Entries = ReadonlyMap<string, Found>;
type Found = Pick<FileSystemEntry, 'path' | 'mode' | 'linkname'> & { readonly number: number };

/** The regular file that a path leads to. */
function resolved(entries: Entries, path: string): Found | undefined {
  let at = path;
  for (let links = 0; links <= maxLinks; links++) {
    const found = entries.get(at);
    if (!found) return undefined;
    const { mode, linkname } = found;
    // Bits of Go's os.FileMode: a directory, a symbolic link, and everything else that is no regular file.
    if (Math.floor(mode / 2 ** 31) % 2 === 1) return undefined;
    if (Math.floor(mode / 2 ** 27) % 2 === 1) at = posix.join(posix.dirname(at), linkname);
    else if (linkname !== '') at = linkname;
    else return found;
  }
  return undefined;
}

async function textOf(tree: TreeSource, { number, path }: Found): Promise<string> {
  await tree.request([number]);
  const pieces: Uint8Array[] = [];
  let size = 0;
  let cost = 0;
  for (;;) {
    const piece = await tree.nextContent();
    if (piece.number !== number) throw invalidParameter('the client sent contents that nobody asked for');
    if (piece.data.length === 0) return Buffer.concat(pieces).toString('utf8');
    size += piece.data.length;
    cost += piece.data.length + pieceBytes;
    if (size > maxTextBytes) throw invalidParameter(`${path} is larger than ${maxTextBytes} bytes`);
    if (cost > maxHeldBytes) throw invalidParameter(`${path} comes in too many pieces`);
    pieces.push(piece.data);
  }
}
