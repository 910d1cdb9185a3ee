import type { Readable } from 'node:stream';
import { ByteSource } from '@cleat/linux/archive/byte-source';
import type { EntryType, TarEntry } from '@cleat/linux/archive/tar-header';
import { TarReader } from '@cleat/linux/archive/tar-reader';
import type { ByteName } from '@cleat/linux/rootfs/names';
import { textOf } from '@cleat/linux/rootfs/names';
import { modeOf } from './go-mode.js';
import type { FileSystemEntry, OutgoingFile } from './service.js';

/** The files of a tar. What clients do not take from anybody (devices) is left out, as BuildKit does. */
export async function* filesOf(tar: Readable): AsyncGenerator<OutgoingFile> {
  const reader = new TarReader(new ByteSource(tar as AsyncIterable<Buffer>));
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const path = textOf(entry.name.replace(/^(\.?\/)+|\/+$/g, '') as ByteName);
    if (path === '' || path === '.' || entry.type === 'character' || entry.type === 'block') continue;
    const isContent = entry.type === 'file';
    yield { entry: outgoing(path, entry), content: isContent ? piecesOf(reader, entry.size) : undefined };
  }
}

const links: readonly EntryType[] = ['link', 'symlink'];

function outgoing(path: string, entry: TarEntry): FileSystemEntry {
  const type = entry.type === 'link' ? 'file' : entry.type;
  return {
    path,
    mode: modeOf(type === 'character' || type === 'block' ? 'device' : type, entry.mode),
    uid: entry.uid,
    gid: entry.gid,
    size: entry.type === 'file' ? entry.size : 0,
    modTime: BigInt(Math.floor(entry.mtime)) * 1_000_000_000n,
    linkname: links.includes(entry.type)
      ? textOf(entry.linkName).replace(entry.type === 'link' ? /^(\.?\/)+/ : /^$/, '')
      : '',
    xattrs: entry.xattrs,
  };
}

/** Holes are sent as zeros. */
async function* piecesOf(reader: TarReader, size: number): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let piece = await reader.read(); piece; piece = await reader.read()) {
    yield* zeros(piece.offset - at);
    yield piece.data;
    at = piece.offset + piece.data.length;
  }
  yield* zeros(size - at);
}

const blank = new Uint8Array(64 * 1024);

function* zeros(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= blank.length) yield blank.subarray(0, Math.min(left, blank.length));
}
