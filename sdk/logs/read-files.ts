import { createReadStream, existsSync, statSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { owned } from '@cleat/protocol/guard';
import type { ReadConfig } from '@cleat/protocol/kinds/log';
import { encodeLogEntry, type LogEntry } from '@cleat/protocol/log-entry';
import type { Static } from '@cleat/protocol/schema';
import type { FileFormat } from './file-format.js';
import { nanosOf } from './time.js';

const pollMs = 200;
const gatherBytes = 64 * 1024;

interface Following {
  signal: AbortSignal;
  /** Whether the log is being written: following ends with it. */
  isWritten: () => boolean;
}

/**
 * A log that {@link FileSink} wrote, as the answer to `ReadLogs`: the kept files, oldest first, then, when asked to
 * follow, what comes.
 */
export async function* readFiles(
  path: string,
  format: FileFormat,
  config: Static<typeof ReadConfig>,
  { signal, isWritten }: Following,
): AsyncGenerator<Uint8Array> {
  const since = momentOf(config.Since);
  const until = momentOf(config.Until);
  const wanted = ({ timeNano }: LogEntry) =>
    (since === undefined || timeNano >= since) && (until === undefined || timeNano <= until);
  const files = new LogFiles(path, format);
  let position: Position = { inode: 0, offset: 0 };
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const { entry, at } of tailOf(files.past(), config.Tail ?? -1)) {
    position = at;
    if (signal.aborted) return;
    if (!entry || !wanted(entry)) continue;
    const encoded = encodeLogEntry(entry);
    gathered.push(encoded);
    bytes += encoded.length;
    if (bytes < gatherBytes) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    bytes = 0;
  }
  if (gathered.length > 0) yield Buffer.concat(gathered);
  if (!config.Follow) return;
  if (position.inode === 0) position = { inode: inodeOf(path), offset: 0 };
  for (let more = true; more && !signal.aborted; ) {
    more = isWritten();
    if (more) await pause(pollMs, undefined, { ref: false });
    for await (const { entry, at } of files.since(position)) {
      position = at;
      if (entry && wanted(entry)) yield encodeLogEntry(entry);
    }
    if (until !== undefined && until < BigInt(Date.now()) * 1_000_000n) return;
  }
}

/** After a record, in the file that is being written; inode 0 in older ones. */
interface Position {
  inode: number;
  offset: number;
}

interface Placed {
  /** Undefined: only the position matters. */
  entry: LogEntry | undefined;
  at: Position;
}

/** The file that is being written, and those that were closed before (`.1`, `.2.gz`, …). */
class LogFiles {
  constructor(
    readonly path: string,
    readonly format: FileFormat,
  ) {}

  async *past(): AsyncGenerator<Placed> {
    const { path, format } = this;
    const old: string[] = [];
    for (let n = 1; existsSync(`${path}.${n}`) || existsSync(`${path}.${n}.gz`); n++) {
      old.unshift(existsSync(`${path}.${n}`) ? `${path}.${n}` : `${path}.${n}.gz`);
    }
    for (const file of old) {
      const stream = owned(createReadStream(file));
      const plain = file.endsWith('.gz') ? pipeline(stream, owned(createGunzip()), () => {}) : stream;
      for await (const { entry } of format.records(plain)) {
        if (entry) yield { entry, at: { inode: 0, offset: 0 } };
      }
    }
    yield* this.since({ inode: inodeOf(path), offset: 0 });
  }

  /** Records after a position, in the file it was taken from if it is still `.1`, then in the present one. */
  async *since(from: Position): AsyncGenerator<Placed> {
    const { path } = this;
    const inode = inodeOf(path);
    if (inode === 0) return;
    if (inode !== from.inode && inodeOf(`${path}.1`) === from.inode) yield* this.#file(`${path}.1`, from);
    const shrunk = inode === from.inode && statSync(path).size < from.offset;
    yield* this.#file(path, inode === from.inode && !shrunk ? from : { inode, offset: 0 });
  }

  async *#file(path: string, from: Position): AsyncGenerator<Placed> {
    const { size } = statSync(path);
    if (size <= from.offset) return;
    let { offset } = from;
    const stream = owned(createReadStream(path, { start: offset, end: size - 1 }));
    for await (const { entry, bytes } of this.format.records(stream)) {
      offset += bytes;
      if (entry) yield { entry, at: { inode: from.inode, offset } };
    }
  }
}

async function* tailOf(records: AsyncIterable<Placed>, count: number): AsyncGenerator<Placed> {
  if (count < 0) {
    yield* records;
    return;
  }
  let last: Placed[] = [];
  let end: Placed | undefined;
  for await (const record of records) {
    end = record;
    last.push(record);
    if (last.length > 2 * count + 1) last = last.slice(last.length - count);
  }
  if (count > 0) yield* last.slice(-count);
  else if (end) yield { ...end, entry: undefined };
}

function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

/** Nanoseconds of an RFC 3339 time; undefined for Go's zero time, which means none. */
function momentOf(text: string | undefined): bigint | undefined {
  return !text || text.startsWith('0001-') ? undefined : nanosOf(text);
}
