import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventMessage } from '@cleat/protocol/api/event';
import type { Caller } from '@cleat/protocol/caller';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { nowNanos, toNanos } from '../time.js';
import { eventFilter } from './filter.js';
import { Journal, type JournalOptions } from './journal.js';
import type { Entry } from './line.js';
import { makeEvent } from './line.js';
import type { EventQuery, Events, NewEvent } from './service.js';

/** Readers who keep up are served from this many latest events in memory; who falls behind reads the journal. */
const recentEvents = 1024;
/** And of no more than about this: labels are in each event, and a command may be a megabyte. */
const recentBytes = 8 * 1024 * 1024;
/** The clock may be set back; so far, times go on from the newest event's instead. */
const setBackNanos = 60_000_000_000n;
/** The longest that a Node timer runs, in ms. */
const longestTimer = 2 ** 31 - 1;

export interface EventsOptions extends JournalOptions {
  /** Tells for which client the present code runs. */
  caller?: () => Caller | undefined;
}

class JournaledEvents implements Events {
  readonly #journal: Journal;
  readonly #log: Logger;
  readonly #caller: () => Caller | undefined;
  #recent: Entry[] = [];
  #recentBytes = 0;
  readonly #waiting = new Set<() => void>();
  #published = 0;
  #subscribers = 0;
  readonly #closing = new AbortController();

  constructor(options: EventsOptions) {
    this.#journal = new Journal(options);
    this.#log = options.log;
    this.#caller = options.caller ?? (() => undefined);
  }

  publish(event: NewEvent): EventMessage {
    const time = this.#timeFor(event.at ? toNanos(event.at) : nowNanos());
    const { type, action, id, attributes } = event;
    const message = makeEvent(type, action, id, attributes, time, this.#caller());
    const seq = this.#journal.append(message);
    this.#published++;
    this.#keep({ seq, event: message });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    return message;
  }

  #keep(entry: Entry): void {
    this.#recent.push(entry);
    this.#recentBytes += bytesOf(entry);
    if (this.#recent.length < 2 * recentEvents && this.#recentBytes < 2 * recentBytes) return;
    let from = this.#recent.length - 1;
    let bytes = bytesOf(entry);
    for (; from > 0 && this.#recent.length - from < recentEvents; from--) {
      const before = this.#recent[from - 1];
      if (!before || bytes + bytesOf(before) > recentBytes) break;
      bytes += bytesOf(before);
    }
    this.#recent = this.#recent.slice(from);
    this.#recentBytes = bytes;
  }

  /**
   * No two events have one time, and none is older than the one before it: so `since` the last one seen misses none.
   */
  #timeFor(requested: bigint): bigint {
    const { lastTime } = this.#journal;
    if (requested > lastTime) return requested;
    return lastTime - nowNanos() > setBackNanos ? requested : lastTime + 1n;
  }

  subscribe(query: EventQuery): AsyncIterable<EventMessage> {
    const matches = eventFilter(query.filters);
    const since = query.since === undefined ? undefined : toNanos(query.since);
    const until = query.until === undefined ? undefined : toNanos(query.until);
    // Where `since` begins, all that follows in the journal is newer, whatever a clock said that was set back.
    let reached = since === undefined;
    const { last } = this.#journal;
    const begun = since !== undefined && since <= nowNanos();
    const wanted = ({ seq, event }: Entry) => {
      reached ||= (since !== undefined && event.timeNano >= since) || (begun && seq > last);
      return reached && (until === undefined || event.timeNano <= until) && matches(event);
    };
    const past = since !== undefined || until !== undefined;
    const from = past ? this.#journal.first : this.#journal.last + 1;
    return this.#follow({ from, since, until, wanted, signal: query.signal });
  }

  get last(): number {
    return this.#journal.last;
  }

  stats(): { count: number; kept: number; published: number; subscribers: number } {
    const count = this.#journal.last - this.#journal.first + 1;
    return { count, kept: this.#recent.length, published: this.#published, subscribers: this.#subscribers };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#journal.close();
  }

  async *#follow(subscription: Subscription): AsyncGenerator<EventMessage> {
    const { until, wanted } = subscription;
    const signal = AbortSignal.any([subscription.signal, this.#closing.signal]);
    let next = subscription.from;
    this.#subscribers++;
    try {
      for (;;) {
        const end = this.#journal.last;
        for await (const entries of this.#from(next, subscription.since)) {
          for (const entry of entries) {
            if (signal.aborted) return;
            next = entry.seq + 1;
            if (wanted(entry)) yield entry.event;
          }
        }
        // Events that the journal skipped or lost are not asked for again.
        next = Math.max(next, end + 1);
        const now = nowNanos();
        if (signal.aborted || (until !== undefined && until <= now)) return;
        const remaining = until === undefined ? undefined : Number((until - now) / 1_000_000n) + 1;
        if (next > this.#journal.last) await this.#growth(signal, remaining);
      }
    } finally {
      this.#subscribers--;
    }
  }

  /** Entries from `next` on that exist now: of memory if they are all there, else of the journal, never all at once. */
  async *#from(next: number, since: bigint | undefined): AsyncGenerator<Entry[]> {
    if (next > this.#journal.last) return;
    const oldest = this.#recent[0]?.seq ?? Number.POSITIVE_INFINITY;
    if (next >= oldest) {
      yield this.#recent.slice(next - oldest);
      return;
    }
    if (next < this.#journal.first) {
      this.#log.warn(`a reader of events fell behind what the journal keeps; it misses ${this.#journal.first - next}`);
    }
    let reached = next;
    for (const entries of this.#journal.read(next, since === undefined ? undefined : Number(since / 1_000_000n))) {
      yield entries;
      reached = (entries.at(-1)?.seq ?? reached) + 1;
      await nextTurn();
    }
    // Events that a full disk did not take are still in memory.
    const rest = this.#recent.filter(({ seq }) => seq >= reached);
    if (rest.length > 0) yield rest;
  }

  async #growth(signal: AbortSignal, forMs: number | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = forMs === undefined ? undefined : setTimeout(wake, Math.min(forMs, longestTimer));
      const waiting = this.#waiting;
      function wake(): void {
        clearTimeout(timer);
        waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      }
      waiting.add(wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }
}

/** About what an event takes. */
function bytesOf({ event: { Action, Actor } }: Entry): number {
  let bytes = 500 + Action.length;
  for (const [key, value] of Object.entries(Actor.Attributes)) bytes += key.length + value.length;
  return bytes;
}

interface Subscription {
  from: number;
  since: bigint | undefined;
  until: bigint | undefined;
  wanted: (entry: Entry) => boolean;
  signal: AbortSignal;
}

/** Opens the journal in `directory`, made when it is not there. */
export function openEvents(options: EventsOptions): Events {
  return new JournaledEvents(options);
}
