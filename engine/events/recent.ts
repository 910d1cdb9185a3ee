import type { Entry } from './line.js';

/** Readers who keep up are served from this many latest events in memory; who falls behind reads the journal. */
const maxEvents = 1024;
/** And of no more than about this: labels are in each event, and a command may be a megabyte. */
const maxBytes = 8 * 1024 * 1024;
/** The most that one reader is handed at a time: a slow one holds on to it. */
const pieceEvents = 128;
const pieceBytes = 256 * 1024;

interface Kept extends Entry {
  readonly bytes: number;
}

/** The latest events, in memory. */
export class Recent {
  #kept: Kept[] = [];
  #bytes = 0;

  constructor(tail: readonly Entry[]) {
    for (const entry of tail) this.add(entry);
  }

  get size(): number {
    return this.#kept.length;
  }

  /** Number of the oldest; undefined when there is none. */
  get first(): number | undefined {
    return this.#kept[0]?.seq;
  }

  add(entry: Entry): void {
    const bytes = bytesOf(entry);
    this.#kept.push({ ...entry, bytes });
    this.#bytes += bytes;
    if (this.#kept.length < 2 * maxEvents && this.#bytes < 2 * maxBytes) return;
    let from = this.#kept.length;
    this.#bytes = 0;
    for (; from > 0 && this.#kept.length - from < maxEvents; from--) {
      const before = this.#kept[from - 1];
      if (!before || (this.#bytes > 0 && this.#bytes + before.bytes > maxBytes)) break;
      this.#bytes += before.bytes;
    }
    this.#kept = this.#kept.slice(from);
  }

  /** The oldest of those from a number on: one at least, if there is one. */
  piece(from: number): readonly Entry[] {
    const begin = this.#place(from);
    let end = begin;
    for (let bytes = 0; end < this.#kept.length && end - begin < pieceEvents; end++) {
      bytes += this.#kept[end]?.bytes ?? 0;
      if (bytes > pieceBytes && end > begin) break;
    }
    return this.#kept.slice(begin, end);
  }

  /** Index of the first one from a number on; numbers may have gaps. */
  #place(seq: number): number {
    let [low, high] = [0, this.#kept.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#kept[middle]?.seq ?? seq) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** About what an event takes. */
function bytesOf({ event: { Action, Actor } }: Entry): number {
  let bytes = 500 + Action.length;
  for (const [key, value] of Object.entries(Actor.Attributes)) bytes += key.length + value.length;
  return bytes;
}
