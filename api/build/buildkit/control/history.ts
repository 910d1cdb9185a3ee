import type { historyEvent } from '@cleat/protocol/buildkit/control';
import { notFound } from '@cleat/protocol/errors';
import { toTimestamp } from '@cleat/protocol/grpc/common';
import type { MessageOf } from '@cleat/protocol/grpc/message';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import type { ExporterRequest } from '../export/exporters.js';
import type { Progress } from './progress.js';

/** Builds that have ended, of which something is told; and bytes of their output together. */
const maxEnded = 50;
const maxOutput = 32 * 1024 * 1024;
/** Characters of an attribute's value that are kept: a whole Dockerfile may be one. */
const maxValue = 4096;

/** How `type` of an event tells what has happened. */
export const happened = { started: 0, complete: 1, deleted: 2 } as const;

export type HistoryEvent = Partial<MessageOf<typeof historyEvent>>;

interface Entry {
  readonly ref: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly exporters: readonly ExporterRequest[];
  readonly progress: Progress;
  readonly created: string;
  completed?: string;
  error?: StatusError | Error;
  response?: ReadonlyMap<string, string>;
}

/** The last builds of this engine's life, for `docker buildx history`. In memory only. */
export class History {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(event: HistoryEvent) => void>();

  began(given: Pick<Entry, 'ref' | 'attributes' | 'exporters' | 'progress'>): void {
    const attributes = new Map([...given.attributes].map(([name, value]) => [name, value.slice(0, maxValue)]));
    const entry: Entry = { ...given, attributes, created: new Date().toISOString() };
    this.#entries.set(entry.ref, entry);
    this.#tell(happened.started, entry);
  }

  /** @param error why it failed @param response what its client was told */
  ended(ref: string, { error, response }: { error?: unknown; response?: ReadonlyMap<string, string> }): void {
    const entry = this.#entries.get(ref);
    if (!entry) return;
    entry.completed = new Date().toISOString();
    if (error instanceof Error) entry.error = error;
    if (response) entry.response = response;
    // The last one to end is the last one in the list.
    this.#entries.delete(ref);
    this.#entries.set(ref, entry);
    this.#trim();
    this.#tell(happened.complete, entry);
  }

  /** The words of a build that has ended. */
  progressOf(ref: string): Progress | undefined {
    return this.#entries.get(ref)?.progress;
  }

  /** @throws NotFound */
  remove(ref: string): void {
    const entry = this.#entries.get(ref);
    if (!entry?.completed) throw notFound(`no record found for build ${ref}`);
    this.#entries.delete(ref);
    this.#tell(happened.deleted, entry);
  }

  /** Records that are there, then those to come. */
  async *events(
    { ref, activeOnly, limit, follow }: { ref: string; activeOnly: boolean; limit: number; follow: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<HistoryEvent> {
    const isWanted = (entry: Entry): boolean => ref === '' || entry.ref === ref;
    const waiting: HistoryEvent[] = [];
    let wake = (): void => {};
    const listener = (event: HistoryEvent): void => {
      // A reader who leaves so much unread is told of the last ones.
      if (waiting.length >= maxEnded) waiting.shift();
      waiting.push(event);
      wake();
    };
    const known = [...this.#entries.values()].filter((entry) => isWanted(entry) && !(activeOnly && entry.completed));
    if (follow) this.#listeners.add(listener);
    const onAbort = (): void => wake();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for (const entry of limit > 0 ? known.slice(-limit) : known) {
        yield eventOf(entry.completed ? happened.complete : happened.started, entry);
      }
      while (follow && !signal.aborted) {
        const next = waiting.shift();
        if (!next) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        } else if (ref === '' || next.record?.Ref === ref) yield next;
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #trim(): void {
    const ended = [...this.#entries.values()].filter(({ completed }) => completed).reverse();
    let output = 0;
    for (const [index, { ref, progress }] of ended.entries()) {
      output += progress.bytes;
      // The last one is kept in any case: its progress has a bound of its own.
      if (index > 0 && (index >= maxEnded || output > maxOutput)) this.#entries.delete(ref);
    }
  }

  #tell(type: number, entry: Entry): void {
    if (this.#listeners.size === 0) return;
    const event = eventOf(type, entry);
    for (const listener of this.#listeners) listener(event);
  }
}

function eventOf(type: number, entry: Entry): HistoryEvent {
  const { ref, attributes, exporters, progress, created, completed, error, response } = entry;
  const { total, done, cached, warnings } = progress.counts();
  return {
    type,
    record: {
      Ref: ref,
      Frontend: 'dockerfile.v0',
      FrontendAttrs: new Map(attributes),
      Exporters: exporters.map(({ Type = '', Attrs = new Map() }) => ({ Type, Attrs: new Map(Attrs) })),
      ...(error && {
        error: { code: error instanceof StatusError ? error.code : code.unknown, message: error.message, details: [] },
      }),
      CreatedAt: toTimestamp(created),
      CompletedAt: toTimestamp(completed),
      ExporterResponse: new Map(response),
      numCachedSteps: cached,
      numTotalSteps: total,
      numCompletedSteps: done,
      numWarnings: warnings,
    },
  };
}
