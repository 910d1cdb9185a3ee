import { messageOf } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { type Engine, isHopeless } from './engine.js';
import { EventStream } from './event-stream.js';
import type { EngineEvent } from './message.js';
import { Outage, type OutageLog } from './outage.js';
import { Position } from './position.js';

/** As in `docker events --filter`: key → values. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface EventOptions {
  /** From when on; nanoseconds (an event's `timeNano`) are exact. Default: from now on. */
  since?: bigint | Date;
  filters?: Filters;
  /** Ends the iteration, without an error. */
  signal?: AbortSignal;
  /** Told of outages, once each; `console` will do. */
  log?: OutageLog;
  /** How many events may wait for the consumer before the engine is asked for them again; default 1,000. */
  pending?: number;
}

/** The items of `events`, in order. */
export type EventItem =
  | { readonly type: 'event'; readonly event: EngineEvent }
  /**
   * The engine has been connected to, for the first time or again: whatever happens from now on will be told, so this
   * is the moment to list. `gap` says why events since the last connection may be missing.
   */
  | { readonly type: 'subscribed'; readonly gap?: string };

/**
 * An engine's events, for as long as they are wanted. An engine that goes away is waited for, also at the beginning,
 * and then told how far we have come: each event comes once, and in the engine's order. Where the engine may have
 * forgotten some meanwhile (dockerd keeps the last 256, and none over a restart), the next `subscribed` has a `gap`;
 * Cleat's journal has none. Without `since` the first events may be of the second before.
 * @throws InvalidParameter for filters that the engine does not know, and for TLS that does not fit; Forbidden for a
 * socket that may not be opened
 */
export function events(engine: Engine, options: EventOptions = {}): AsyncIterable<EventItem> {
  return follow(engine, { signal: new AbortController().signal, log: silentLogger, pending: 1_000, ...options });
}

type Following = EventOptions & Required<Pick<EventOptions, 'signal' | 'log' | 'pending'>>;

async function* follow(engine: Engine, options: Following): AsyncGenerator<EventItem> {
  const { since, signal, log, pending } = options;
  const filters = options.filters && JSON.stringify(options.filters);
  const outage = new Outage(log, signal);
  let position = since === undefined ? undefined : new Position(toNanos(since));
  let asked = position !== undefined;
  while (!signal.aborted) {
    try {
      // Not "from now on": dockerd answers a moment before it subscribes, and what happens in between is in its memory.
      const reached = position ?? new Position(toNanos(await engine.time({ signal })));
      position = reached;
      const before = reached.newest;
      const answer = await engine.open('/events', { query: { since: stamp(reached.since), filters }, signal });
      const isNew = (event: EngineEvent) => reached.take(event);
      using stream = new EventStream(answer, { isNew, limit: pending, signal });
      const gap = asked ? await gapSince(engine, before, signal) : undefined;
      asked = true;
      outage.succeeded();
      yield { type: 'subscribed', gap };
      for await (const event of stream) yield { type: 'event', event };
    } catch (error) {
      if (signal.aborted) return;
      if (isHopeless(error)) throw error;
      await outage.wait(error);
    }
  }
}

/**
 * The memory of an engine has no holes, and it forgets the oldest first: if there is something of that moment or
 * before, everything since is there, too. Asked once the stream stands, so that nothing is forgotten in between.
 */
async function gapSince(engine: Engine, moment: bigint, signal: AbortSignal): Promise<string | undefined> {
  const when = new Date(Number(moment / 1_000_000n)).toISOString();
  try {
    if (await engine.hasBody('/events', { query: { until: stamp(moment) }, signal })) return undefined;
    return `the engine may have forgotten events since ${when}`;
  } catch (error) {
    // Also with a clock that was set back: the engine waits for that moment to come. The stream's events stand.
    return `the engine did not say whether it knows all events since ${when}: ${messageOf(error)}`;
  }
}

function toNanos(moment: bigint | Date): bigint {
  return typeof moment === 'bigint' ? moment : BigInt(moment.getTime()) * 1_000_000n;
}

/** `seconds.nanoseconds`, as the API takes a moment exactly. */
function stamp(nanos: bigint): string {
  return `${nanos / 1_000_000_000n}.${String(nanos % 1_000_000_000n).padStart(9, '0')}`;
}
