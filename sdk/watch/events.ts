import { invalidParameter, isClass, messageOf } from '@cleat/protocol/errors';
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
  /** Instead of `since`, on Cleat: an event's `Cursor`. What came after it is told, exactly once. */
  cursor?: string;
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
   * is the moment to list. `gap` says why events since the last connection may be missing; `resumed`: none is (Cleat).
   */
  | { readonly type: 'subscribed'; readonly gap?: string; readonly resumed?: true };

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
  if (options.cursor !== undefined) {
    if (since !== undefined) throw invalidParameter('since and cursor both say where to begin: give one of them');
    position = new Position(0n);
    position.cursor = options.cursor;
  }
  let asked = position !== undefined;
  let refused: string | undefined;
  while (!signal.aborted) {
    try {
      // Not "from now on": dockerd answers a moment before it subscribes, and what happens in between is in its memory.
      const reached = position ?? new Position(toNanos(await engine.time({ signal })));
      position = reached;
      const before = reached.newest;
      const { cursor } = reached;
      const begin = cursor === undefined ? { since: stamp(reached.since) } : { cursor };
      const answer = await engine.open('/events', { query: { ...begin, filters }, signal });
      const isNew = (event: EngineEvent) => reached.take(event);
      using stream = new EventStream(answer, { isNew, limit: pending, signal });
      const isResumed = cursor !== undefined;
      const gap = refused ?? (asked && !isResumed ? await gapSince(engine, before, signal) : undefined);
      asked = true;
      refused = undefined;
      outage.succeeded();
      yield isResumed ? { type: 'subscribed', resumed: true } : { type: 'subscribed', gap };
      for await (const event of stream) yield isLoss(event) ? lossOf(event) : { type: 'event', event };
    } catch (error) {
      if (signal.aborted) return;
      if (isClass(error, 'Gone') && position?.cursor !== undefined) {
        // Its events are not kept, or the engine has other data: from now on.
        refused = messageOf(error);
        position = undefined;
        continue;
      }
      if (isHopeless(error)) throw error;
      await outage.wait(error);
    }
  }
}

/** Cleat tells it in place of events that it no longer has. */
function isLoss({ Type, Action }: EngineEvent): boolean {
  return Type === 'daemon' && Action === 'events_lost';
}

function lossOf({ Actor }: EngineEvent): EventItem {
  const { count } = Actor.Attributes;
  return { type: 'subscribed', gap: `the engine no longer has ${count ?? 'some'} events that were not read yet` };
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
