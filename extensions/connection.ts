import { waitFor } from '@cleat/protocol/async/deadline';
import type { CleatError } from '@cleat/protocol/errors';
import { activate, type Link } from './activation.js';
import { Patience } from './patience.js';
import { Presence } from './presence.js';
import type { Outgoing } from './send.js';
import type { GetOptions } from './service.js';
import type { Source } from './source.js';
import type { ExtensionStatus } from './status.js';

/** How long it stays good where an extension is, in ms: one request of a client asks several times. */
const placeMs = 5;

export interface ConnectionSettings {
  name: string;
  source: Source;
  /** Capability names without which it is not taken as activated. */
  promised: readonly string[];
  on: ConnectionEvents;
}

/** Told of a connection's life, until it is ended. */
export interface ConnectionEvents {
  looking(): void;
  /** Nobody was there, and it is waited for until then; undefined when it is not any longer. */
  absent(error: CleatError, until: Date | undefined): void;
  activated(link: Link, ms: number): void;
  failed(error: unknown, ms: number): void;
}

interface Activating {
  done: Promise<Link>;
  /** Fails as soon as one attempt found nobody; never resolves. */
  absent: Promise<never>;
}

/** The way to one source of an extension. An extension that is replaced gets another one. */
export class Connection {
  readonly source: Source;
  readonly #settings: ConnectionSettings;
  readonly #patience = new Patience();
  readonly #presence = new Presence();
  readonly #stop = new AbortController();
  /** Calls that wait for their answer, oldest first. */
  readonly #sent = new Set<Outgoing>();
  #onIdle: (() => void) | undefined;
  #link: Link | undefined;
  #activating: Activating | undefined;
  #wasActive = false;
  /** The link need not be looked at again before that. */
  #goodUntil = 0;
  #over: CleatError | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.source = settings.source;
  }

  get link(): Link | undefined {
    return this.#link;
  }

  get wasActive(): boolean {
    return this.#wasActive;
  }

  /** Why it was ended; undefined while it was not. */
  get over(): CleatError | undefined {
    return this.#over;
  }

  /** Says why an extension that was in use is not there at this moment; undefined when it is, for all we know. */
  absence(): Pick<ExtensionStatus, 'state' | 'reason' | 'since'> | undefined {
    return this.#presence.look(this.source);
  }

  /** The way to it, while it leads to what is there now. */
  current(): Link | undefined {
    const link = this.#link;
    if (!link || performance.now() < this.#goodUntil) return link;
    if (this.source.locate()?.id !== link.place.id) return undefined;
    this.#goodUntil = performance.now() + placeMs;
    return link;
  }

  /** @throws Unavailable, DeadlineExceeded; the signal's reason; the reason why the connection was ended */
  async connect({ signal, impatient }: GetOptions): Promise<Link> {
    const current = this.current();
    if (current) return current;
    if (this.#over) throw this.#over;
    this.#activating ??= this.#activate();
    const { done, absent } = this.#activating;
    const outcome = impatient ? Promise.race([done, absent]) : done;
    return signal ? await waitFor(outcome, signal) : await outcome;
  }

  /** Notes a call that is sent on it. @returns what notes its end */
  begin(call: Outgoing): () => void {
    this.#sent.add(call);
    return () => {
      this.#sent.delete(call);
      if (this.#sent.size === 0) this.#onIdle?.();
    };
  }

  /**
   * Whether it may be at work on an earlier call that still has time: many do one after the other. If it asks this
   * engine something in the middle of a Mount, it may be asked for its volumes meanwhile, and cannot answer that first.
   */
  isBusyBefore(call: Outgoing): boolean {
    for (const earlier of this.#sent) {
      if (earlier === call) return false;
      if (earlier.giveUpAt > call.giveUpAt) return true;
    }
    return false;
  }

  /** Resolves when no call waits for an answer; asked by one at a time. */
  idle(): Promise<void> {
    if (this.#sent.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Its process has ended: the way to it leads nowhere. */
  lost(): void {
    this.#goodUntil = 0;
  }

  /** Gives up a way that does not work, unless another one was found since. */
  async drop(link: Link): Promise<void> {
    if (this.#link !== link) return;
    this.#link = undefined;
    await link.carrier.close();
  }

  /** For good: calls that wait for an answer break off. The source is left to its owner. */
  async end(reason: CleatError): Promise<void> {
    if (this.#over) return;
    this.#over = reason;
    this.#stop.abort(reason);
    const link = this.#link;
    this.#link = undefined;
    await link?.carrier.close();
  }

  #activate(): Activating {
    let fail: (error: Error) => void = () => {};
    const absent = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const done = this.#open(fail).finally(() => {
      this.#activating = undefined;
    });
    // Each caller hears of its own; perhaps nobody listens.
    for (const promise of [done, absent]) promise.catch(() => {});
    return { done, absent };
  }

  async #open(tellImpatient: (error: Error) => void): Promise<Link> {
    const { name, promised, on } = this.#settings;
    if (this.#link) await this.drop(this.#link);
    on.looking();
    const { source } = this;
    const began = Date.now();
    const beganAt = performance.now();
    // Looked at again each time: one that crashes again and again is not worth the wait that it seemed to be.
    const waitUntil = () => began + this.#patience.of(source, this.#wasActive);
    const onAbsent = (error: CleatError) => {
      if (this.#over) return;
      tellImpatient(error);
      const until = waitUntil();
      on.absent(error, until > Date.now() ? new Date(until) : undefined);
    };
    try {
      const link = await activate({ name, source, promised, waitUntil, signal: this.#stop.signal, onAbsent });
      if (this.#over) {
        await link.carrier.close();
        throw this.#over;
      }
      this.#link = link;
      this.#wasActive = true;
      source.answered?.();
      on.activated(link, performance.now() - beganAt);
      return link;
    } catch (error) {
      // It fails because it was ended: nobody's fault.
      if (this.#over) throw this.#over;
      this.#patience.waitedInVain(source);
      on.failed(error, performance.now() - beganAt);
      throw error;
    }
  }
}
