import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventMessage } from '@cleat/protocol/api/event';
import { nowNanos } from '../time.js';
import type { Journal } from './journal.js';
import { type Entry, makeEvent } from './line.js';
import type { Recent } from './recent.js';
import type { Place } from './segments.js';
import type { Waiting } from './waiting.js';

export interface Reading {
  /** Number of the first event that is looked at. */
  readonly from: number;
  /** Nanoseconds. */
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
  readonly matches: (event: EventMessage) => boolean;
  readonly signal: AbortSignal;
}

export interface ReaderParts {
  readonly journal: Journal;
  readonly recent: Recent;
  readonly waiting: Waiting;
  /** The engine that tells these events. */
  readonly daemon: { readonly id: string; readonly name: string };
}

/**
 * Follows the journal for one client. Nothing waits for it, and it holds one piece of events and a place on disk,
 * however slow it is. Events that are no longer kept when it gets there are told of by an event of ours, `events_lost`,
 * whatever the filters.
 */
export async function* read(reading: Reading, parts: ReaderParts): AsyncGenerator<readonly EventMessage[]> {
  const { journal, waiting } = parts;
  const { until, signal } = reading;
  const reader = new Reader(reading, parts);
  using waiter = waiting.join(signal);
  for (;;) {
    const end = journal.last;
    while (reader.next <= end && !signal.aborted) {
      const events = reader.piece(end);
      if (events.length > 0) yield events;
      // However much there is to look at, others get their turn.
      else if (reader.next <= end) await nextTurn();
    }
    const now = nowNanos();
    if (signal.aborted || (until !== undefined && until <= now)) return;
    const remaining = until === undefined ? undefined : Number((until - now) / 1_000_000n) + 1;
    if (reader.next > journal.last) await waiter.growth(remaining);
  }
}

class Reader {
  readonly #reading: Reading;
  readonly #parts: ReaderParts;
  #place: Place | undefined;
  /** Where `since` begins, all that follows in the journal is newer, whatever a clock said that was set back. */
  #reached: boolean;
  readonly #begun: number;
  next: number;

  constructor(reading: Reading, parts: ReaderParts) {
    this.#reading = reading;
    this.#parts = parts;
    this.#reached = reading.since === undefined;
    // Every event from now on is wanted, at any time that it has, unless `since` is yet to come.
    const hasBegun = reading.since !== undefined && reading.since <= nowNanos();
    this.#begun = hasBegun ? parts.journal.last : Number.POSITIVE_INFINITY;
    this.next = reading.from;
  }

  /** Looks at some events, of memory or of the journal. @param end the newest that there is */
  piece(end: number): EventMessage[] {
    const entries = this.#entries();
    const events: EventMessage[] = [];
    for (const entry of entries) {
      const { seq, event } = entry;
      const wasReached = this.#reached;
      this.#reached ||= event.timeNano >= (this.#reading.since ?? 0n) || seq > this.#begun;
      const isMissing = seq > this.next && wasReached;
      if (isMissing) events.push(this.#loss(entry));
      this.next = seq + 1;
      if (this.#isWanted(event)) events.push(event);
    }
    // Events that the journal lost are not asked for again.
    if (entries.length === 0 && this.#place === undefined) this.next = Math.max(this.next, end + 1);
    return events;
  }

  #isWanted(event: EventMessage): boolean {
    const { until, matches } = this.#reading;
    return this.#reached && (until === undefined || event.timeNano <= until) && matches(event);
  }

  #entries(): readonly Entry[] {
    const { journal, recent } = this.#parts;
    if (this.next < (recent.first ?? Number.POSITIVE_INFINITY)) {
      const { since } = this.#reading;
      const sinceMs = since === undefined ? undefined : Number(since / 1_000_000n);
      const found = journal.read(this.next, this.#place, sinceMs);
      this.#place = found?.place;
      if (found) return found.entries;
    }
    // Events that a full disk did not take are in memory alone.
    this.#place = undefined;
    return recent.piece(this.next);
  }

  #loss({ seq, event }: Entry): EventMessage {
    const { daemon, journal } = this.#parts;
    const { epochs } = journal;
    // Where the engine's end was not a clean one, nobody knows how many there were.
    const isCounted = !epochs.hasLossBetween(this.next - 1, seq);
    const more: Record<string, string> = isCounted ? { count: String(seq - this.next) } : {};
    const attributes = { ...more, name: daemon.name };
    const cursor = epochs.cursorBefore(seq);
    return makeEvent('daemon', 'events_lost', daemon.id, attributes, event.timeNano, undefined, cursor);
  }
}
