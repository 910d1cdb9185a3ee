import { existsSync, readFileSync } from 'node:fs';
import { Backoff, writeFileDurably } from '@cleat/sdk';
import { type Engine, type EngineEvent, events, type Filters } from '@cleat/sdk/watch';

export interface WebhookOptions {
  engine: Engine;
  /** Where events are posted to. */
  url: string;
  /** A file that says how far this came. */
  state: string;
  filters?: Filters;
  signal: AbortSignal;
  log: Pick<Console, 'debug' | 'info' | 'warn'>;
}

/** The last event that the server took. Only Cleat's have a cursor. */
interface Place {
  cursor?: string;
  timeNano: string;
}

/**
 * Posts each event to a web server, in order, one at a time. The server has an event when it answers 2xx; until then it
 * is posted again. The place is on disk only after that, so that a crash in between posts an event twice, with the same
 * `Idempotency-Key`: a server that remembers the last one has each event exactly once.
 */
export async function post({ engine, url, state, filters, signal, log }: WebhookOptions): Promise<void> {
  const place = existsSync(state) ? (JSON.parse(readFileSync(state, 'utf8')) as Place) : undefined;
  // On a stock Docker there are times alone; no two events have had the same one yet.
  const since = place && place.cursor === undefined ? BigInt(place.timeNano) + 1n : undefined;
  for await (const item of events(engine, { cursor: place?.cursor, since, filters, signal, log })) {
    if (item.type === 'subscribed') {
      // The server must list what there is.
      if (item.gap !== undefined) await deliver(url, { gap: item.gap }, `gap-${Date.now()}`, { signal, log });
      continue;
    }
    const { event } = item;
    const text = { ...event, timeNano: String(event.timeNano) };
    await deliver(url, text, keyOf(event), { signal, log });
    if (signal.aborted) return;
    const reached: Place = { cursor: event.Cursor, timeNano: text.timeNano };
    writeFileDurably(state, JSON.stringify(reached));
  }
}

/** Until the server has it. */
async function deliver(
  url: string,
  body: object,
  key: string,
  { signal, log }: Pick<WebhookOptions, 'signal' | 'log'>,
): Promise<void> {
  const backoff = new Backoff({ firstMs: 100, longestMs: 30_000 });
  while (!signal.aborted) {
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
      });
      await answer.body?.cancel();
      if (answer.ok) return;
      log.warn(`${url} answered ${answer.status} to ${key}; trying again`);
    } catch (error) {
      if (signal.aborted) return;
      log.warn(`${url} cannot be reached: ${String(error)}; trying again`);
    }
    await backoff.wait({ signal }).catch(() => {}); // Stopped meanwhile.
  }
}

const keyOf = ({ Cursor, timeNano, Action, Actor }: EngineEvent): string =>
  Cursor ?? `${timeNano}-${Action.replace(/[^\w-]/g, '')}-${Actor.ID}`;
