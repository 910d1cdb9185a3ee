import { createHash } from 'node:crypto';
import { invalidParameter } from '@cleat/protocol/errors';
import { type FileType, typeOf } from './go-mode.js';
import type { FileSystemEntry, TreeSource } from './service.js';

/** Bounds for what a client tells of its files: each is held in memory. */
const maxEntries = 1_000_000;
const maxTextBytes = 256 * 1024 * 1024;
/** Bytes that an attribute costs beside its text. */
const attributeBytes = 64;
const maxPathBytes = 4095;
const maxNameBytes = 255;

/** One entry with its number and type. */
export interface Listed {
  readonly number: number;
  readonly type: FileType;
  readonly entry: FileSystemEntry;
  /** Equal where nothing has changed. */
  readonly signature: string;
}

/** Everything that a client has, by path. @throws InvalidParameter for what could lead out, or is not taken */
export async function listingOf(source: TreeSource): Promise<Map<string, Listed>> {
  const listing = new Map<string, Listed>();
  let text = 0;
  for await (const entry of source.entries()) {
    const { path } = entry;
    const type = typeOf(entry.mode);
    text += path.length + entry.linkname.length;
    for (const [name, value] of entry.xattrs) text += attributeBytes + name.length + value.length;
    if (listing.size >= maxEntries || text > maxTextBytes) {
      throw invalidParameter(`the client sends more than ${maxEntries} files: leave some out by .dockerignore`);
    }
    checkPath(path);
    if (listing.has(path)) throw invalidParameter(`the client sends ${shown(path)} twice`);
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (parent !== '' && listing.get(parent)?.type !== 'directory') {
      throw invalidParameter(`the client sends ${shown(path)} without its directory`);
    }
    if (type === 'device' || type === 'socket' || type === 'irregular') {
      throw invalidParameter(`${shown(path)} is a ${type}, which no build takes: leave it out by .dockerignore`);
    }
    const original = type === 'file' && entry.linkname !== '' ? listing.get(entry.linkname) : undefined;
    if (type === 'file' && entry.linkname !== '' && (original?.type !== 'file' || original.entry.linkname !== '')) {
      throw invalidParameter(`the client sends ${shown(path)} as a link to what it did not send before`);
    }
    if (type === 'symlink' && (entry.linkname === '' || !isText(entry.linkname, maxPathBytes))) {
      throw invalidParameter(`the symbolic link ${shown(path)} leads nowhere`);
    }
    listing.set(path, { number: listing.size, type, entry, signature: signatureOf(type, entry) });
  }
  return listing;
}

function checkPath(path: string): void {
  const parts = path.split('/');
  const isClean = parts.every(
    (part) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= maxNameBytes,
  );
  if (!isClean || !isText(path, maxPathBytes)) {
    throw invalidParameter(`the client sends ${shown(path)}, which is no path below its directory`);
  }
}

const isText = (text: string, limit: number): boolean => !text.includes('\0') && Buffer.byteLength(text) <= limit;

function shown(path: string): string {
  return JSON.stringify(path.length <= 200 ? path : `${path.slice(0, 200)}…`);
}

const maxSignature = 128;

/** The facts by which fsutil, too, tells whether a file is the same; sizes and times of directories do not count. */
function signatureOf(type: FileType, entry: FileSystemEntry): string {
  const { mode, uid, gid, linkname, size, modTime } = entry;
  const facts: unknown[] = [mode, uid, gid, linkname];
  if (type !== 'directory') facts.push(size, `${modTime}`);
  for (const [name, value] of entry.xattrs) facts.push(name, Buffer.from(value).toString('base64'));
  const signature = JSON.stringify(facts);
  // Most are short; signatures are kept between builds.
  return signature.length <= maxSignature ? signature : createHash('sha256').update(signature).digest('base64');
}
