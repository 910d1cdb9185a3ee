import type { EventMessage, EventType } from '@cleat/protocol/api/event';
import type { Moment } from '../time.js';

/** One ordered journal, kept on disk, so that `since` works across restarts and a slow reader never loses one silently. */
export interface Events {
  /**
   * Appends an event. `at` is when it happened, if that was not now (an exit that is noticed later); the journal
   * orders by sequence, not by time.
   */
  publish(event: NewEvent): EventMessage;

  /**
   * Does work that writes records and publishes what tells of that; synchronous. Its events are in the journal when it
   * is done, and nowhere if it throws. The records that it writes after an event was published are kept together with
   * that event: an engine that is killed before the event is in the journal has its successor publish it. So publish
   * first, then write; in one transaction, where there are several records.
   */
  together<T>(work: () => T): T;

  /**
   * Past events between `since` and `until`, or those after `cursor`, then, unless `until` has passed, live ones until
   * `signal` aborts or `until` comes; some at a time, never none. Filters as in `GET /events`: keys config container
   * daemon event image label network node plugin scope secret service type volume. The subscription holds from the call
   * on, not from the first `next()`.
   *
   * A reader loses nothing by being slow. Where events are no longer kept when it gets to them, or were lost with the
   * host's power, it is given a `daemon` event `events_lost` in their place.
   * @throws InvalidParameter for an unknown filter or what is no cursor, before anything is yielded; Gone for a cursor
   * whose events are not kept: its owner must list what there is
   */
  subscribe(options: EventQuery): AsyncIterable<readonly EventMessage[]>;

  /** Number of the newest event; 0: there is none yet. */
  readonly last: number;

  /** The number that the next event is going to have; in {@link together}, after those that it has published so far. */
  readonly next: number;

  /**
   * Names the present place in the journal. A client that reads state after this, in the same turn or later, and then the
   * events after this cursor, misses nothing: what changes state is visible before its event is published.
   */
  readonly cursor: string;

  /** Whether there was an event of this number, also when it is no longer kept. */
  holds(event: number): boolean;

  /**
   * How many events are in the journal, how many of them in memory, too, how many came since the engine's start, and
   * how many read along now.
   */
  stats(): EventsStats;
  close(): Promise<void>;
}

export interface EventsStats {
  readonly count: number;
  readonly kept: number;
  readonly published: number;
  readonly subscribers: number;
}

export interface NewEvent {
  type: EventType;
  action: string;
  /** ID of the actor (container ID, network ID, image name or ID, volume name). */
  id: string;
  attributes: Record<string, string>;
  at?: Date;
}

export interface EventQuery {
  /** Inclusive. A bigint (nanoseconds) is exact, where a number of seconds is not. */
  since?: Moment;
  until?: Moment;
  /** A {@link Events.cursor}, or that of an event: everything after it. Not together with `since`. */
  cursor?: string;
  /** As decoded from the `filters` query: key → values. */
  filters: Filters;
  signal: AbortSignal;
}

/** Decoded `filters`: both notations of Docker's (list, and map to bool) arrive here as lists. */
export type Filters = Readonly<Record<string, readonly string[]>>;
