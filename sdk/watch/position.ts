import { createHash } from 'node:crypto';
import type { EngineEvent } from './message.js';

/** An event may be told after one that happened later, by about this much: an exit that was noticed late. */
const overlapNanos = 10_000_000_000n;
/** How many events of that time are remembered. */
const remembered = 4_096;

/**
 * How far a reader of events has come. It goes on from a little before the newest event that it knows, and leaves out
 * what it was told before: an engine's `since` has no order but time, and several events may have the same.
 */
export class Position {
  #newest: bigint;
  /** Anything older has been told, or is from before the beginning. */
  #floor: bigint;
  readonly #told = new Map<string, bigint>();
  /** The place after the last event that was told, where the engine has cursors: more exact than any time. */
  cursor: string | undefined;

  /** @param start nanoseconds since the epoch: nothing older is of interest */
  constructor(start: bigint) {
    this.#newest = start;
    this.#floor = start;
  }

  /** The time of the newest event, or of the beginning. */
  get newest(): bigint {
    return this.#newest;
  }

  /** From when on to ask; inclusive. */
  get since(): bigint {
    const overlapping = this.#newest - overlapNanos;
    return overlapping > this.#floor ? overlapping : this.#floor;
  }

  /** Moves on to an event. @returns false when it was told before */
  take(event: EngineEvent): boolean {
    this.cursor = event.Cursor ?? this.cursor;
    const key = fingerprint(event);
    if (this.#told.has(key)) return false;
    this.#told.set(key, event.timeNano);
    if (event.timeNano > this.#newest) this.#newest = event.timeNano;
    for (const [oldest, time] of this.#told) {
      const tooMany = this.#told.size > remembered;
      if (!tooMany && time >= this.#newest - overlapNanos) break;
      this.#told.delete(oldest);
      if (tooMany && time >= this.#floor) this.#floor = time + 1n;
    }
    return true;
  }
}

function fingerprint({ Type, Action, Actor, timeNano }: EngineEvent): string {
  const attributes = Object.entries(Actor.Attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([String(timeNano), Type, Action, Actor.ID, attributes]);
  return createHash('sha1').update(text).digest('base64');
}
