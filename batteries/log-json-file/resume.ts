import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import type { LogEntry } from '@cleat/protocol/log-entry';
import { parseLine, timeText } from './line.js';

const blockBytes = 128 * 1024;

/** Beside a log that is being written; it stays when the process is killed. */
export function markerPath(logPath: string): string {
  return `${logPath}.open`;
}

/**
 * After a crash the engine sends again what the driver may not have kept. This finds what is in the file already: what
 * came before its last line by time, and, once such an entry was seen, as many of the last time as are there.
 */
export class Resumption {
  readonly #lastTime: string;
  #ofLastTime: number;
  #active: boolean;
  #sawEarlier = false;

  constructor(lastTime: string, ofLastTime: number) {
    this.#lastTime = lastTime;
    this.#ofLastTime = ofLastTime;
    this.#active = lastTime !== '';
  }

  /** Whether the file has this entry. */
  has(entry: LogEntry): boolean {
    if (!this.#active) return false;
    const time = timeText(entry.timeNano);
    if (comparable(time) < comparable(this.#lastTime)) {
      this.#sawEarlier = true;
      return true;
    }
    if (time === this.#lastTime && this.#sawEarlier && this.#ofLastTime > 0) {
      this.#ofLastTime--;
      return true;
    }
    this.#active = false;
    return false;
  }
}

/** Go drops trailing zeros, by which texts do not compare; this does. */
function comparable(time: string): string {
  return time.replace(/Z$/, '').padEnd(29, time.includes('.') ? '0' : '.');
}

/**
 * Repairs a log that was not closed (half a line at its end) and tells what it has.
 * @returns undefined when it was closed in order
 */
export function resume(logPath: string): Resumption | undefined {
  if (!existsSync(markerPath(logPath)) || !existsSync(logPath)) return undefined;
  const file = openSync(logPath, 'r+');
  try {
    const { size } = fstatSync(file);
    const start = Math.max(0, size - blockBytes);
    const block = Buffer.alloc(size - start);
    readSync(file, block, 0, block.length, start);
    const end = block.lastIndexOf(0x0a) + 1;
    if (start + end < size && (end > 0 || start === 0)) ftruncateSync(file, start + end);
    const times = block
      .toString('utf8', 0, end)
      .split('\n')
      .flatMap((line) => parseLine(line)?.time ?? []);
    const last = times.at(-1) ?? '';
    return new Resumption(last, times.length - 1 - times.findLastIndex((time) => time !== last));
  } finally {
    closeSync(file);
  }
}
