import { closeSync, existsSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import type { LogEntry } from '@cleat/protocol/log-entry';
import type { FileFormat } from './file-format.js';

/** Beside a log that is being written; it stays when the process is killed. */
export function markerPath(logPath: string): string {
  return `${logPath}.open`;
}

/**
 * After a crash the engine sends again what the driver may not have kept. This finds what is in the file already: what
 * came before its last record by time, and, once such an entry was seen, as many of the last time as are there.
 */
export class Resumption {
  readonly #lastTime: bigint;
  #ofLastTime: number;
  #active = true;
  #sawEarlier = false;

  constructor(lastTime: bigint, ofLastTime: number) {
    this.#lastTime = lastTime;
    this.#ofLastTime = ofLastTime;
  }

  /** Whether the file has this entry. */
  has({ timeNano }: LogEntry): boolean {
    if (!this.#active) return false;
    if (timeNano < this.#lastTime) {
      this.#sawEarlier = true;
      return true;
    }
    if (timeNano === this.#lastTime && this.#sawEarlier && this.#ofLastTime > 0) {
      this.#ofLastTime--;
      return true;
    }
    this.#active = false;
    return false;
  }
}

/**
 * Repairs a log that was not closed (half a record at its end) and tells what it has.
 * @returns undefined when it was closed in order, or has nothing
 */
export function resume(logPath: string, format: FileFormat): Resumption | undefined {
  if (!existsSync(markerPath(logPath)) || !existsSync(logPath)) return undefined;
  const file = openSync(logPath, 'r+');
  try {
    const { end, times } = format.lastOf(file);
    if (end < fstatSync(file).size) ftruncateSync(file, end);
    const last = times.at(-1);
    if (last === undefined) return undefined;
    return new Resumption(last, times.length - 1 - times.findLastIndex((time) => time !== last));
  } finally {
    closeSync(file);
  }
}
