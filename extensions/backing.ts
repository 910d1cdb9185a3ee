import { endsWithin, waitFor } from '@cleat/protocol/async/deadline';
import { type CleatError, conflict, messageOf, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { Link } from './activation.js';
import { Connection, type ConnectionEvents } from './connection.js';
import { Keeper } from './keeper.js';
import type { Prerequisites } from './order.js';
import type { GetOptions } from './service.js';
import type { Source } from './source.js';
import type { ExtensionStatus } from './status.js';

/** Facts about an extension, whether it is in use or not. */
export interface Facts {
  readonly carrier: ExtensionStatus['carrier'];
  /** Other names that it is found by. */
  readonly aliases?: readonly string[];
  /** Capability names that are promised; empty when only activation will tell. */
  readonly kinds: readonly string[];
  readonly origin: string;
  /** ms by `Kind.Method`, by `Method` or `*`. */
  readonly deadlines: Readonly<Record<string, number>>;
  /** It starts after these. */
  readonly prerequisites?: (() => Prerequisites | undefined) | undefined;
}

/** A source, with all that makes an extension of it. */
export interface Attachment extends Facts {
  readonly source: Source;
  /** Resolves when all that it needs answers. @throws with the reason while it does not */
  readonly ready?: (signal: AbortSignal) => Promise<void>;
  /** Activation must bring what `kinds` promises. */
  readonly strict?: boolean;
  /** It is activated by itself, and again after a restart; else by its first caller. */
  readonly kept?: boolean;
}

export interface BackingEvents extends ConnectionEvents {
  /** It is put to use. */
  attached(facts: Facts): void;
  replacing(): void;
  /** The process behind it ended. */
  vanished(reason: string): void;
  /** A source was put there, exchanged, or taken away. */
  switched(): void;
}

export interface BackingSettings {
  name: string;
  log: Logger;
  on: BackingEvents;
}

/**
 * Holds the source behind an extension, one at most. Sources are put there, exchanged and taken away one after the
 * other, while calls go on or wait.
 */
export class Backing {
  readonly #settings: BackingSettings;
  /** The one that is to be there once the switches that are under way are done; undefined: none. */
  #wanted: Attachment | undefined;
  /** Why nothing is to be there. */
  #reason: string;
  /** Settles when the latest switch is done. */
  #switching: Promise<void> | undefined;
  #connection: Connection | undefined;
  #keeper: Keeper | undefined;

  constructor(settings: BackingSettings, reason: string) {
    this.#settings = settings;
    this.#reason = reason;
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Whether something is to be there. */
  get enabled(): boolean {
    return this.#wanted !== undefined;
  }

  /** The way to it, if it is there to be used now. */
  current(): Link | undefined {
    return this.#switching ? undefined : this.#connection?.current();
  }

  /** Waits for it. @throws Unavailable, DeadlineExceeded; the signal's reason */
  async connect(options: GetOptions): Promise<Link> {
    const { name } = this.#settings;
    while (this.#switching && this.#wanted) {
      if (options.impatient) throw unavailable(`plugin "${name}" does not answer: it is being replaced`);
      await (options.signal ? waitFor(this.#switching, options.signal) : this.#switching);
    }
    const connection = this.#wanted && this.#connection;
    if (!connection) throw this.#absence();
    return await connection.connect(options);
  }

  /** Puts it there as soon as what was there before has gone. */
  attach(attachment: Attachment): void {
    this.#wanted = attachment;
    this.#settings.on.attached(attachment);
    if (!this.#switching) this.#use(attachment);
    else void this.#switch(async () => this.#wanted === attachment && this.#use(attachment));
  }

  /**
   * Puts another one in its place: calls wait meanwhile, those under way have so long to end.
   * @throws Conflict when it was taken away or replaced again meanwhile: then `next` was not started
   */
  replace(next: Attachment, drainMs: number): Promise<void> {
    const { name, log, on } = this.#settings;
    this.#wanted = next;
    return this.#switch(async () => {
      if (this.#connection && this.#wanted === next) {
        on.replacing();
        // A connection that is taken away meanwhile ends its calls at once.
        await endsWithin(drainMs, this.#connection.idle());
      }
      await this.#release('it was replaced').catch((error: unknown) => {
        log.warn('could not stop what was replaced', { error: messageOf(error) });
      });
      if (this.#wanted !== next) throw conflict(`extension ${name} was changed again meanwhile`);
      on.attached(next);
      this.#use(next);
    });
  }

  /** Takes it away: calls under way end with that reason. @throws what its source's end threw */
  detach(reason: string): Promise<void> {
    this.#wanted = undefined;
    this.#reason = reason;
    this.#keeper?.close();
    const ended = this.#connection?.end(this.#absence());
    return this.#switch(async () => {
      await ended;
      await this.#release(reason);
    });
  }

  /** One after the other. */
  #switch(work: () => Promise<unknown>): Promise<void> {
    const before = this.#switching;
    const done = (async () => {
      await before;
      await work();
    })();
    const settled: Promise<void> = done
      .catch(() => {}) // The caller hears of it.
      .then(() => {
        if (this.#switching === settled) this.#switching = undefined;
        this.#settings.on.switched();
      });
    this.#switching = settled;
    return done;
  }

  async #release(reason: string): Promise<void> {
    this.#keeper?.close();
    this.#keeper = undefined;
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.end(unavailable(reason));
    await connection?.source.close?.();
  }

  #use({ source, kinds, strict, ready, kept }: Attachment): void {
    const { name, on } = this.#settings;
    const connection = new Connection({ name, source, promised: strict ? kinds : [], on });
    this.#connection = connection;
    source.start?.(ready ?? (async () => {}));
    if (!kept) return;
    const activate = async () => {
      await connection.connect({});
    };
    this.#keeper = new Keeper(source, activate, () => {
      connection.lost();
      on.vanished(connection.absence()?.reason ?? '');
    });
  }

  #absence(): CleatError {
    return unavailable(`plugin "${this.#settings.name}" is not there: ${this.#reason}`);
  }
}
