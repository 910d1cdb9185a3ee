import { activatePath } from '@cleat/protocol/dispatch';
import { isClass, messageOf } from '@cleat/protocol/errors';
import type { Client, Kind } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { type Attachment, Backing, type BackingEvents, type Facts } from './backing.js';
import { Breaker } from './breaker.js';
import { Calls } from './calls.js';
import { proxy } from './proxy.js';
import type { GetOptions } from './service.js';
import type { Place } from './source.js';
import { Statistics } from './statistics.js';
import type { CallResult, ExtensionState, ExtensionStatus } from './status.js';

export interface ExtensionSettings {
  /** The driver's name, as users say it. */
  name: string;
  /** The manifest's entry; undefined for another one. */
  entry: string | undefined;
  log: Logger;
  onChange: (status: ExtensionStatus) => void;
}

/**
 * One extension: its state, and what is counted of it. Its source may be exchanged, or taken away, while callers hold
 * clients.
 */
export class Extension {
  readonly #settings: ExtensionSettings;
  readonly #clients = new Map<Kind, unknown>();
  readonly #breaker = new Breaker();
  readonly #statistics = new Statistics();
  readonly #backing: Backing;
  readonly #calls: Calls;
  #facts: Facts;
  #kinds: readonly string[];
  #state: ExtensionState = 'disabled';
  #reason: string;
  #since = new Date();
  #waitsUntil: Date | undefined;

  /** Not to be used before {@link attach}, for that reason. */
  constructor(settings: ExtensionSettings, facts: Facts, reason: string) {
    const { name, log } = settings;
    this.#settings = settings;
    this.#facts = facts;
    this.#kinds = facts.kinds;
    this.#reason = reason;
    this.#backing = new Backing({ name, log, on: this.#events() }, reason);
    this.#calls = new Calls({
      name,
      backing: this.#backing,
      breaker: this.#breaker,
      statistics: this.#statistics,
      deadlines: () => this.#facts.deadlines,
      reason: () => this.#reason,
      onAnswer: () => {
        if (this.#state !== 'active') this.#become('active', '');
      },
      onSilence: (why) => this.#become('unreachable', why),
    });
  }

  get name(): string {
    return this.#settings.name;
  }

  /** Its key in a manifest; undefined for another one. */
  get entry(): string | undefined {
    return this.#settings.entry;
  }

  /** Unique among those that can depend on each other. */
  get key(): string {
    return this.entry ?? this.name;
  }

  /** Capability names; empty until activated, unless they are promised. */
  get kinds(): readonly string[] {
    return this.#kinds;
  }

  /** Whether it is to be used at all. */
  get enabled(): boolean {
    return this.#backing.enabled;
  }

  get status(): ExtensionStatus {
    const { carrier, origin, deadlines, aliases, prerequisites } = this.#facts;
    const { connection } = this.#backing;
    // Nobody else is told until somebody calls it: it may be back by then.
    const absence = this.#state === 'active' ? connection?.absence() : undefined;
    return {
      name: this.name,
      ...(aliases && { aliases }),
      entry: this.entry,
      kinds: this.#kinds,
      carrier,
      origin: this.place?.origin ?? connection?.source.locate()?.origin ?? origin,
      ...(absence ?? { state: this.#state, reason: this.#reason, since: this.#since }),
      waitsUntil: this.#waitsUntil,
      health: this.#breaker.open ? 'suspended' : this.#statistics.health,
      suspendedUntil: this.#breaker.until,
      lastError: this.#statistics.lastError,
      process: connection?.source.process?.(),
      underWay: this.#calls.underWay,
      retries: this.#statistics.retries,
      methods: this.#statistics.methods(),
      deadlines,
      ...prerequisites?.(),
    };
  }

  /** Where it was activated; undefined when it was not, or is there no longer. */
  get place(): Place | undefined {
    return this.#backing.connection?.link?.place;
  }

  /** Whether it is activated, and there for all we know. */
  get isReady(): boolean {
    return this.#backing.current() !== undefined;
  }

  /** Whether it can be found at all at this moment. */
  get present(): boolean {
    return this.#backing.connection?.source.locate() !== undefined;
  }

  get wasActive(): boolean {
    return this.#backing.connection?.wasActive ?? false;
  }

  /** The client for a kind; it stays valid when the extension is restarted, replaced, or added again. */
  client<K extends Kind>(kind: K): Client<K> {
    let client = this.#clients.get(kind) as Client<K> | undefined;
    if (!client) {
      client = proxy(kind, (...call) => this.#calls.call(...call));
      this.#clients.set(kind, client);
    }
    return client;
  }

  /** Waits until it answers. @throws Unavailable, DeadlineExceeded; the signal's reason */
  activated(options: GetOptions = {}): Promise<void> {
    return this.#calls.activated(options);
  }

  /** Makes it usable, as soon as what was there before has gone. */
  attach(attachment: Attachment): void {
    this.#backing.attach(attachment);
  }

  /** As {@link Backing.replace}. */
  replace(next: Attachment, drainMs: number): Promise<void> {
    return this.#backing.replace(next, drainMs);
  }

  /** Takes other deadlines; all else stays. */
  setDeadlines(deadlines: Facts['deadlines']): void {
    this.#facts = { ...this.#facts, deadlines };
  }

  /** Not to be used any longer: calls under way end with that reason. @throws what its source's end threw */
  detach(reason: string): Promise<void> {
    const ended = this.#backing.detach(reason);
    this.#become('disabled', reason);
    return ended;
  }

  /** For good, with the engine; nobody is told. */
  close(): Promise<void> {
    return this.#backing.detach('it was stopped: the engine shuts down');
  }

  #events(): BackingEvents {
    const record = (result: CallResult, ms: number, message?: string) =>
      this.#statistics.record(activatePath.slice(1), result, ms, message);
    return {
      attached: (facts) => {
        this.#facts = facts;
        this.#kinds = facts.kinds;
        if (this.#state === 'disabled') this.#become('discovered', '');
      },
      replacing: () => this.#become('activating', 'it is being replaced'),
      vanished: (reason) => this.#become('unreachable', reason),
      // A call that found out for others how it is may have ended with it.
      switched: () => this.#breaker.inconclusive(),
      looking: () => {
        if (this.#state !== 'unreachable') this.#become('activating', '');
      },
      absent: (error, until) => {
        // Nothing hangs there now.
        this.#breaker.inconclusive();
        if (until) this.#become('activating', error.message, until);
      },
      activated: ({ kinds }, ms) => {
        this.#kinds = kinds;
        this.#breaker.succeeded();
        record('ok', ms);
        this.#become('active', '');
      },
      failed: (error, ms) => {
        const hung = isClass(error, 'DeadlineExceeded');
        if (hung) this.#breaker.hung(error.message);
        else this.#breaker.inconclusive();
        record(hung ? 'timeout' : 'unreachable', ms, messageOf(error));
        this.#become('unreachable', messageOf(error));
      },
    };
  }

  #become(state: ExtensionState, reason: string, waitsUntil?: Date): void {
    this.#waitsUntil = waitsUntil;
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.#since = new Date();
    const { log, onChange } = this.#settings;
    if (state === 'unreachable') log.warn('extension is unreachable', { reason });
    else if (waitsUntil) log.info('extension is waited for', { reason, until: waitsUntil.toISOString() });
    else log.debug(`extension is ${state}`, { kinds: this.#kinds });
    onChange(this.status);
  }
}
