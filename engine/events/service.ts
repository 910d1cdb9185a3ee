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
   * Past events between `since` and `until`, then, unless `until` has passed, live ones until `signal` aborts or
   * `until` comes. Filters as in `GET /events`: keys config container daemon event image label network node plugin
   * scope secret service type volume. The subscription holds from the call on, not from the first `next()`.
   * @throws InvalidParameter for an unknown filter, before anything is yielded.
   */
  subscribe(options: EventQuery): AsyncIterable<EventMessage>;

  /** Number of the newest event; the next one that is published has the next number. 0: there is none yet. */
  readonly last: number;

  /**
   * How many events are in the journal, how many of them in memory, too, how many came since the engine's start, and
   * how many read along now.
   */
  stats(): { count: number; kept: number; published: number; subscribers: number };
  close(): Promise<void>;
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
  /** As decoded from the `filters` query: key → values. */
  filters: Filters;
  signal: AbortSignal;
}

/** Decoded `filters`: both notations of Docker's (list, and map to bool) arrive here as lists. */
export type Filters = Readonly<Record<string, readonly string[]>>;
