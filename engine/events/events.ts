import type { EventMessage } from '@cleat/protocol/api/event';
import type { Caller } from '@cleat/protocol/caller';
import type { Store } from '../store/service.js';
import { nowNanos, toNanos } from '../time.js';
import { eventFilter } from './filter.js';
import { Journal, type JournalOptions } from './journal.js';
import { makeEvent } from './line.js';
import { type Reading, read } from './reader.js';
import { Recent } from './recent.js';
import type { EventQuery, Events, EventsStats, NewEvent } from './service.js';
import { type Announced, UntoldEvents } from './untold.js';
import { Waiting } from './waiting.js';

/** The clock may be set back; so far, times go on from the newest event's instead. */
const setBackNanos = 60_000_000_000n;

export interface EventsOptions extends JournalOptions {
  /** Tells for which client the present code runs. */
  caller?: () => Caller | undefined;
  /** Has the records that events tell of; without it, an event may be lost that one was going to tell of. */
  store?: Pick<Store, 'collection' | 'together'>;
  /** The engine, in events that are about these events. */
  daemon?: { readonly id: string; readonly name: string };
}

class JournaledEvents implements Events {
  readonly #journal: Journal;
  readonly #caller: () => Caller | undefined;
  readonly #daemon: { readonly id: string; readonly name: string };
  readonly #recent: Recent;
  readonly #untold: UntoldEvents | undefined;
  /** Published in {@link together}, which goes on; the innermost last. */
  readonly #announced: Announced[][] = [];
  readonly #waiting = new Waiting();
  #published = 0;
  #subscribers = 0;
  readonly #closing = new AbortController();

  constructor(options: EventsOptions) {
    this.#journal = new Journal(options);
    this.#recent = new Recent(this.#journal.tail);
    this.#caller = options.caller ?? (() => undefined);
    this.#daemon = options.daemon ?? { id: '', name: '' };
    this.#untold = options.store && new UntoldEvents(options.store);
    const holds = (event: number) => this.holds(event);
    this.#untold?.recover(
      holds,
      () => this.next,
      (event) => this.#append(event),
    );
  }

  publish({ at, ...event }: NewEvent): EventMessage {
    const time = at ? toNanos(at) : nowNanos();
    const announced = { ...event, time: String(time), caller: this.#caller() };
    const together = this.#announced.at(-1);
    if (!together) return this.#append(announced);
    together.push(announced);
    return asMessage(announced, time);
  }

  together<T>(work: () => T): T {
    const announced: Announced[] = [];
    this.#announced.push(announced);
    let result: T;
    try {
      const present = () => ({ next: this.#journal.next, events: this.#announced.flat() });
      // An outer one has them kept already.
      result = this.#untold && this.#announced.length === 1 ? this.#untold.with(work, present) : work();
    } finally {
      this.#announced.pop();
    }
    const outer = this.#announced.at(-1);
    for (const event of announced) {
      if (outer) outer.push(event);
      else this.#append(event);
    }
    return result;
  }

  #append(announced: Announced): EventMessage {
    const time = this.#timeFor(BigInt(announced.time));
    const entry = this.#journal.append((seq) => asMessage(announced, time, this.#journal.epochs.cursorOf(seq)));
    this.#published++;
    this.#recent.add(entry);
    this.#waiting.wake();
    return entry.event;
  }

  /**
   * No two events have one time, and none is older than the one before it: so `since` the last one seen misses none.
   */
  #timeFor(requested: bigint): bigint {
    const { lastTime } = this.#journal;
    if (requested > lastTime) return requested;
    return lastTime - nowNanos() > setBackNanos ? requested : lastTime + 1n;
  }

  subscribe(query: EventQuery): AsyncIterable<readonly EventMessage[]> {
    const matches = eventFilter(query.filters);
    const since = query.since === undefined ? undefined : toNanos(query.since);
    const until = query.until === undefined ? undefined : toNanos(query.until);
    const isPast = since !== undefined || until !== undefined;
    const { first, last, next, epochs } = this.#journal;
    const signal = AbortSignal.any([query.signal, this.#closing.signal]);
    const from = query.cursor === undefined ? (isPast ? first : next) : epochs.following(query.cursor, { first, last });
    return this.#follow({ from, since, until, matches, signal });
  }

  get last(): number {
    return this.#journal.last;
  }

  get next(): number {
    return this.#announced.reduce((next, { length }) => next + length, this.#journal.next);
  }

  get cursor(): string {
    return this.#journal.epochs.cursorOf(this.#journal.last);
  }

  holds(event: number): boolean {
    return this.#journal.epochs.holds(event, this.#journal.last);
  }

  stats(): EventsStats {
    const { count } = this.#journal;
    return { count, kept: this.#recent.size, published: this.#published, subscribers: this.#subscribers };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#waiting.close();
    this.#journal.close();
  }

  async *#follow(reading: Reading): AsyncGenerator<readonly EventMessage[]> {
    this.#subscribers++;
    try {
      yield* read(reading, {
        journal: this.#journal,
        recent: this.#recent,
        waiting: this.#waiting,
        daemon: this.#daemon,
      });
    } finally {
      this.#subscribers--;
    }
  }
}

const asMessage = ({ type, action, id, attributes, caller }: Announced, time: bigint, cursor?: string): EventMessage =>
  makeEvent(type, action, id, attributes, time, caller, cursor);

/** Opens the journal in `directory`, made when it is not there. */
export function openEvents(options: EventsOptions): Events {
  return new JournaledEvents(options);
}
