import { Backoff } from '@cleat/protocol/async/backoff';
import { setImmediate, setTimeout } from '@cleat/protocol/guard';
import { Feed, type FeedOptions, type Resumption } from './feed.js';
import type { Dropped } from './progress.js';

/** Where feeds run: in this thread, or in the worker. */
export interface Runner {
  add(id: string, options: FeedOptions): void;
  /** The spool may have grown. */
  wake(id: string): void;
  /** The spool is complete. */
  finish(id: string): void;
  /** The driver has read everything of the first `written` bytes. */
  settle(id: string, written: number): void;
  /** Ends the feed; `dropped` follows. */
  drop(id: string): void;
}

/** A runner's news for the owner of the sessions. */
export interface RunnerEvents {
  /** Everything there is now is in the FIFO, into which `written` bytes went. */
  idle(id: string, written: number): void;
  /** As idle, and there will be no more. */
  drained(id: string, written: number): void;
  /** Nothing went into the FIFO for a while, because it is full. */
  stalled(id: string): void;
  /** More was dropped: this much in the container's whole life. */
  lost(id: string, dropped: Dropped): void;
  /** The feed is no more; its FIFO may be closed. Undefined when there was none. */
  dropped(id: string, at: Resumption | undefined): void;
  failed(id: string, message: string): void;
}

interface Entry {
  feed: Feed;
  finishing: boolean;
  timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  backoff: Backoff;
  blockedSince: number | undefined;
}

/** While a FIFO is full. */
const pauses = { firstMs: 1, longestMs: 250 };
/** How often a feed without a driver looks at its bound. */
const waitingMs = 500;
/** A driver that takes nothing for so long may have forgotten us. */
const stallMs = 10_000;

/** Keeps feeds going, in turns. The same code runs in the main thread and in the worker. */
export class FeedRunner implements Runner {
  readonly #entries = new Map<string, Entry>();
  readonly #events: RunnerEvents;

  constructor(events: RunnerEvents) {
    this.#events = events;
  }

  add(id: string, options: FeedOptions): void {
    this.#entries.set(id, {
      feed: new Feed(options),
      finishing: false,
      timer: undefined,
      backoff: new Backoff(pauses),
      blockedSince: undefined,
    });
    this.wake(id);
  }

  wake(id: string): void {
    const entry = this.#entries.get(id);
    if (entry && entry.timer === undefined) this.#soon(id, entry);
  }

  finish(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.finishing = true;
    this.wake(id);
  }

  settle(id: string, written: number): void {
    this.#entries.get(id)?.feed.settle(written);
  }

  drop(id: string): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    cancel(entry?.timer);
    const at = entry?.feed.resumption;
    entry?.feed.close();
    this.#events.dropped(id, at);
  }

  #soon(id: string, entry: Entry): void {
    entry.timer = setImmediate(() => this.#run(id, entry));
  }

  #run(id: string, entry: Entry): void {
    entry.timer = undefined;
    const { feed } = entry;
    try {
      const before = feed.written;
      const { dropped } = feed;
      let state = feed.step();
      if (feed.dropped !== dropped) this.#events.lost(id, feed.dropped);
      if (state === 'idle' && entry.finishing && !feed.finish()) state = 'blocked';
      if (feed.written > before) {
        entry.backoff.reset();
        entry.blockedSince = undefined;
      }
      if (state === 'more') this.#soon(id, entry);
      else if (state === 'blocked') this.#pause(id, entry);
      else if (state === 'waiting') entry.timer = setTimeout(() => this.#run(id, entry), waitingMs).unref();
      else if (entry.finishing) this.#events.drained(id, feed.written);
      else this.#events.idle(id, feed.written);
    } catch (error) {
      this.#events.failed(id, error instanceof Error ? error.message : String(error));
    }
  }

  #pause(id: string, entry: Entry): void {
    entry.timer = setTimeout(() => this.#run(id, entry), entry.backoff.next()).unref();
    entry.blockedSince ??= Date.now();
    if (Date.now() - entry.blockedSince < stallMs) return;
    entry.blockedSince = Date.now();
    this.#events.stalled(id);
  }
}

function cancel(timer: NodeJS.Timeout | NodeJS.Immediate | undefined): void {
  if (timer === undefined) return;
  if ('refresh' in timer) clearTimeout(timer);
  else clearImmediate(timer);
}
