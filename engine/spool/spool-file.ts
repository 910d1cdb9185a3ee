import { setImmediate as nextTurn } from 'node:timers/promises';
import { setTimeout } from '@cleat/protocol/guard';
import { nowNanos, toNanos } from '../time.js';
import { SpoolFiles } from './files.js';
import { lineFeed } from './format.js';
import { joinStreams } from './fragments.js';
import { Growth } from './growth.js';
import { SpoolReader } from './reader.js';
import { Renderer } from './render.js';
import type { LogsQuery, SpoolChunk, SpoolPosition } from './service.js';
import { findTail, type TailStart } from './tail.js';

/** One spool and those who read it. Of use for every file that conmon writes, an exec session's too. */
export class SpoolFile {
  readonly files: SpoolFiles;
  readonly growth: Growth;
  #running = false;
  #endings = 0;

  constructor(path: string) {
    this.files = new SpoolFiles(path);
    this.growth = new Growth(path);
  }

  /** The process runs: who asks for it may follow. */
  began(): void {
    this.#running = true;
  }

  /** The process has ended and the file is complete. */
  ended(): void {
    this.#running = false;
    this.#endings++;
    this.growth.wake();
  }

  get running(): boolean {
    return this.#running;
  }

  /** Somebody reads along. */
  get followed(): boolean {
    return this.growth.followed;
  }

  wake(): void {
    this.growth.wake();
  }

  /** Where the oldest kept output begins. */
  beginning(): SpoolPosition {
    return { generation: this.files.rotated()[0] ?? 0, offset: 0 };
  }

  /** @see Spool.stream */
  stream(options: { from: SpoolPosition; signal: AbortSignal }): AsyncIterable<SpoolChunk> {
    return this.#stream(options.from, options.signal, this.#endings);
  }

  /** @see Spool.logs */
  async *logs(query: LogsQuery): AsyncGenerator<Uint8Array> {
    const since = query.since === undefined ? undefined : toNanos(query.since);
    const until = query.until === undefined ? undefined : toNanos(query.until);
    const renderer = new Renderer({ ...query, since, until });
    const follow = query.follow && this.#running && (until === undefined || until > nowNanos());
    const end = this.files.end();
    const { from, cutoff, unwanted } = this.#start(query.tail, !follow, end);
    const reader = new SpoolReader(this.files, from);
    const { signal, expired, dispose } = untilSignal(query.signal, follow ? until : undefined);
    const unfollow = follow ? this.growth.follow() : undefined;
    try {
      while (!query.signal.aborted && !renderer.finished) {
        const { version } = this.growth;
        const following = follow && this.#running && !expired();
        const lines = follow || isBefore(reader.position, end) ? reader.next() : undefined;
        if (lines) {
          const wanted = isBefore(lines.at, cutoff) ? wantedFrom(lines.at, lines.bytes.length, cutoff) : 0;
          if (wanted > 0) renderer.feed(lines.bytes, 0, wanted, true);
          // Lines that were written since are for those who follow: others want no more lines than they said.
          const asked = follow ? lines.bytes.length : Math.max(wanted, lengthBefore(lines, end));
          const chunk = renderer.feed(lines.bytes, wanted, asked);
          if (chunk.length > 0) yield chunk;
          // Others have their turn between two chunks of a long log.
          await nextTurn();
        } else if (following) {
          await this.growth.after(version, signal);
        } else {
          break;
        }
      }
      if (unwanted !== undefined) renderer.forget(unwanted);
      const rest = query.signal.aborted || expired() || renderer.finished ? undefined : renderer.flush();
      if (rest && rest.length > 0) yield rest;
    } finally {
      unfollow?.();
      dispose();
      reader.close();
    }
  }

  #start(tail: number | undefined, unfinished: boolean, end: SpoolPosition): TailStart {
    if (tail !== undefined && tail >= 0) return findTail(this.files, tail, unfinished, end);
    const from = this.beginning();
    return { from, cutoff: from };
  }

  async *#stream(from: SpoolPosition, signal: AbortSignal, endings: number): AsyncGenerator<SpoolChunk> {
    const reader = new SpoolReader(this.files, from);
    const unfollow = this.growth.follow();
    try {
      while (!signal.aborted) {
        const { version } = this.growth;
        const over = this.#endings > endings;
        const lines = reader.next();
        if (lines) {
          yield* joinStreams(lines);
        } else if (over) {
          return;
        } else {
          await this.growth.after(version, signal);
        }
      }
    } finally {
      unfollow();
      reader.close();
    }
  }
}

function isBefore(a: SpoolPosition, b: SpoolPosition): boolean {
  return a.generation < b.generation || (a.generation === b.generation && a.offset < b.offset);
}

/** How much of `length` bytes at `at` lies before `cutoff`. */
function wantedFrom(at: SpoolPosition, length: number, cutoff: SpoolPosition): number {
  return at.generation < cutoff.generation ? length : Math.min(length, cutoff.offset - at.offset);
}

/** How many of these bytes are whole lines before `end`. */
function lengthBefore({ at, bytes }: { at: SpoolPosition; bytes: Buffer }, end: SpoolPosition): number {
  if (at.generation < end.generation) return bytes.length;
  const length = at.generation > end.generation ? 0 : end.offset - at.offset;
  if (bytes.length <= length) return bytes.length;
  return bytes.subarray(0, Math.max(0, length)).lastIndexOf(lineFeed) + 1;
}

/** The longest that a Node timer runs, in ms. */
const longestTimer = 2 ** 31 - 1;

/** `signal`, aborted also when `until` has come. */
function untilSignal(signal: AbortSignal, until: bigint | undefined) {
  if (until === undefined) return { signal, expired: () => false, dispose: () => {} };
  const over = new AbortController();
  const ms = Number((until - nowNanos()) / 1_000_000n) + 1;
  const timer = ms < longestTimer ? setTimeout(() => over.abort(), Math.max(0, ms)) : undefined;
  return {
    signal: AbortSignal.any([signal, over.signal]),
    expired: () => over.signal.aborted,
    dispose: () => clearTimeout(timer),
  };
}
