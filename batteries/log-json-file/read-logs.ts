import { createReadStream, existsSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { ReadConfig } from '@cleat/protocol/kinds/log';
import { encodeLogEntry } from '@cleat/protocol/log-entry';
import type { Static } from '@cleat/protocol/schema';
import { parseLine, type ReadLine } from './line.js';

const pollMs = 200;
const gatherBytes = 64 * 1024;

interface Following {
  signal: AbortSignal;
  /** Whether the log is being written: following ends with it. */
  isWritten: () => boolean;
}

/** The log as entries: the kept files, oldest first, then, when asked to follow, what comes. */
export async function* readLogs(
  path: string,
  config: Static<typeof ReadConfig>,
  { signal, isWritten }: Following,
): AsyncGenerator<Uint8Array> {
  const since = momentOf(config.Since);
  const until = momentOf(config.Until);
  const wanted = ({ time }: ReadLine) => {
    const at = nanosOf(time) ?? 0n;
    return (since === undefined || at >= since) && (until === undefined || at <= until);
  };
  const past = tailOf(pastLines(path), config.Tail ?? -1);
  let position = { inode: 0, offset: 0 };
  let gathered: Buffer[] = [];
  for await (const { line, at } of past) {
    position = at;
    if (signal.aborted) return;
    if (line && wanted(line)) gathered.push(entryOf(line));
    if (gathered.length * 100 > gatherBytes) {
      yield Buffer.concat(gathered);
      gathered = [];
    }
  }
  if (gathered.length > 0) yield Buffer.concat(gathered);
  if (!config.Follow) return;
  if (position.inode === 0) position = { inode: inodeOf(path), offset: 0 };
  for (let more = true; more && !signal.aborted; ) {
    more = isWritten();
    if (more) await pause(pollMs, undefined, { ref: false });
    for await (const { line, at } of newLines(path, position)) {
      position = at;
      if (line && wanted(line)) yield entryOf(line);
    }
    if (until !== undefined && until < BigInt(Date.now()) * 1_000_000n) return;
  }
}

interface PlacedLine {
  /** Undefined: only the position matters. */
  line: ReadLine | undefined;
  /** After the line, in the file that is being written; inode 0 in older ones. */
  at: { inode: number; offset: number };
}

async function* pastLines(path: string): AsyncGenerator<PlacedLine> {
  const old: string[] = [];
  for (let n = 1; existsSync(`${path}.${n}`) || existsSync(`${path}.${n}.gz`); n++) {
    old.unshift(existsSync(`${path}.${n}`) ? `${path}.${n}` : `${path}.${n}.gz`);
  }
  for (const file of old) {
    const stream = createReadStream(file);
    for await (const { line } of linesOf(file.endsWith('.gz') ? stream.pipe(createGunzip()) : stream)) {
      if (line) yield { line, at: { inode: 0, offset: 0 } };
    }
  }
  yield* newLines(path, { inode: inodeOf(path), offset: 0 });
}

/** Lines after a position, in the file it was taken from if it is still `.1`, then in the present one. */
async function* newLines(path: string, from: PlacedLine['at']): AsyncGenerator<PlacedLine> {
  const inode = inodeOf(path);
  if (inode === 0) return;
  if (inode !== from.inode && inodeOf(`${path}.1`) === from.inode) yield* fileLines(`${path}.1`, from);
  const shrunk = inode === from.inode && statSync(path).size < from.offset;
  yield* fileLines(path, inode === from.inode && !shrunk ? from : { inode, offset: 0 });
}

async function* fileLines(path: string, from: PlacedLine['at']): AsyncGenerator<PlacedLine> {
  const { size } = statSync(path);
  if (size <= from.offset) return;
  let { offset } = from;
  for await (const { line, bytes } of linesOf(createReadStream(path, { start: offset, end: size - 1 }))) {
    offset += bytes;
    if (offset > size) return;
    if (line) yield { line, at: { inode: from.inode, offset } };
  }
}

/** @returns each line and how many bytes it takes; a last one without its line feed is not complete yet */
async function* linesOf(stream: Readable): AsyncGenerator<{ line: ReadLine | undefined; bytes: number }> {
  for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    yield { line: parseLine(text), bytes: Buffer.byteLength(text) + 1 };
  }
}

async function* tailOf(lines: AsyncIterable<PlacedLine>, count: number): AsyncGenerator<PlacedLine> {
  if (count < 0) {
    yield* lines;
    return;
  }
  let last: PlacedLine[] = [];
  let end: PlacedLine | undefined;
  for await (const line of lines) {
    end = line;
    last.push(line);
    if (last.length > 2 * count + 1) last = last.slice(last.length - count);
  }
  if (count > 0) yield* last.slice(-count);
  else if (end) yield { ...end, line: undefined };
}

function entryOf({ log, stream, time, attrs }: ReadLine): Buffer {
  const partial = !log.endsWith('\n');
  return encodeLogEntry({
    source: stream,
    timeNano: nanosOf(time) ?? 0n,
    // As Docker's own reader: the line feed stays.
    line: Buffer.from(log),
    partial,
    attrs: attrs && Object.entries(attrs).map(([key, value]) => ({ key, value })),
  });
}

function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

/** Nanoseconds of an RFC 3339 time; undefined for Go's zero time, which means none. */
function momentOf(text: string | undefined): bigint | undefined {
  if (!text || text.startsWith('0001-')) return undefined;
  return nanosOf(text);
}

function nanosOf(time: string): bigint | undefined {
  const match = /^(.{19})(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(time);
  const millis = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (Number.isNaN(millis)) return undefined;
  return BigInt(millis) * 1_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0') || '0');
}
