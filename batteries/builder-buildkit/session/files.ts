import { constants } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { packet, packetType, type stat as statMessage } from '@cleat/protocol/buildkit/session';
import { invalidParameter } from '@cleat/protocol/errors';
import type { MessageOf } from '@cleat/protocol/grpc/message';
import { type Method, streaming } from '@cleat/protocol/grpc/server';
import { code, StatusError } from '@cleat/protocol/grpc/status';

type Packet = Partial<MessageOf<typeof packet>>;

/** A directory that buildkitd may read, or a single file as if it were alone in one. */
export interface Directory {
  readonly root: string;
  readonly only?: { readonly name: string; readonly path: string };
}

/** Bytes of contents in one packet. */
const pieceBytes = 256 * 1024;

/**
 * Sends directories by fsutil's protocol (tonistiigi/fsutil `send.go`): first everything that is there, in order, then the
 * contents that are asked for. Patterns are not looked at: what is to be left out is not in the context.
 */
export function directoryMethod(directories: ReadonlyMap<string, Directory>): [string, Method] {
  const method = streaming(packet, packet, async function* (packets, { headers }): AsyncGenerator<Packet> {
    const name = decoded(headers['dir-name'], headers['dir-name-encoded']);
    const directory = directories.get(name);
    if (!directory) throw new StatusError(code.notFound, `local directory ${name} not enabled`);
    /** The contents that may be asked for, by number. */
    const contents = new Map<number, string>();
    let number = 0;
    for await (const { stat, path } of entriesOf(directory)) {
      if (path !== undefined) contents.set(number, path);
      number++;
      yield { type: packetType.stat, stat };
    }
    yield { type: packetType.stat };
    for await (const { type, ID, data } of packets) {
      if (type === packetType.finish) break;
      if (type === packetType.error) throw invalidParameter(`buildkitd says: ${Buffer.from(data).toString('utf8')}`);
      const path = contents.get(ID);
      // Each once: a second time would cost as much again.
      contents.delete(ID);
      if (type !== packetType.request || path === undefined) {
        throw invalidParameter('buildkitd asks for a file that it was not told of');
      }
      for await (const piece of contentOf(path)) yield { type: packetType.data, ID, data: piece };
      yield { type: packetType.data, ID };
    }
    yield { type: packetType.finish };
  });
  return ['/moby.filesync.v1.FileSync/DiffCopy', method];
}

interface Entry {
  readonly stat: Partial<MessageOf<typeof statMessage>>;
  readonly isDirectory: boolean;
  /** Path of the content, where it is a regular file. */
  readonly path?: string;
}

async function* entriesOf({ root, only }: Directory): AsyncGenerator<Entry> {
  if (!only) return yield* below(root, '');
  const entry = await entryOf(only.name, only.path);
  if (entry) yield entry;
}

/** Everything below a directory: each directory before what is in it, names in the order of their bytes. */
async function* below(directory: string, prefix: string): AsyncGenerator<Entry> {
  const names = await readdir(directory, { encoding: 'buffer' });
  for (const bytes of names.sort(Buffer.compare)) {
    const name = bytes.toString('utf8');
    if (!Buffer.from(name).equals(bytes)) {
      throw invalidParameter(`BuildKit takes no file whose name is not UTF-8: ${JSON.stringify(prefix + name)}`);
    }
    const path = join(directory, name);
    const entry = await entryOf(prefix + name, path);
    if (!entry) continue;
    yield entry;
    if (entry.isDirectory) yield* below(path, `${prefix}${name}/`);
  }
}

/** Bits of Go's os.FileMode beside those of permissions (golang/go `src/io/fs/fs.go`). */
const goMode = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  fifo: 2 ** 25,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  sticky: 2 ** 20,
};

/** A file as it is told of; undefined for a socket or a device, which are left out. */
async function entryOf(name: string, path: string): Promise<Entry | undefined> {
  const facts = await lstat(path, { bigint: true });
  const permissions = Number(facts.mode & 0o7777n);
  const special = (permissions & 0o4000 ? goMode.setuid : 0) + (permissions & 0o2000 ? goMode.setgid : 0);
  const mode = (permissions & 0o777) + special + (permissions & 0o1000 ? goMode.sticky : 0);
  // The owner does not count, as with the files of any client of BuildKit's.
  const stat = { path: name, modTime: facts.mtimeNs };
  if (facts.isDirectory()) return { stat: { ...stat, mode: mode + goMode.directory }, isDirectory: true };
  if (facts.isFIFO()) return { stat: { ...stat, mode: mode + goMode.fifo }, isDirectory: false };
  if (facts.isSymbolicLink()) {
    const linkname = await readlink(path);
    return { stat: { ...stat, mode: mode + goMode.symlink, linkname }, isDirectory: false };
  }
  if (!facts.isFile()) return undefined;
  return { stat: { ...stat, mode, size: Number(facts.size) }, isDirectory: false, path };
}

async function* contentOf(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, pieceBytes);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Metadata as BuildKit encodes it: what is not ASCII goes as Go's url.QueryEscape has it, with a mark beside it. */
function decoded(value: string | string[] | undefined, mark: string | string[] | undefined): string {
  const text = String(value ?? '');
  if (mark === undefined) return text;
  try {
    return decodeURIComponent(text.replace(/\+/g, ' '));
  } catch (cause) {
    throw invalidParameter('a name in the call is malformed', { cause });
  }
}
