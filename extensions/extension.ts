import { waitFor, withDeadline } from '@cleat/protocol/async/deadline';
import { activatePath } from '@cleat/protocol/dispatch';
import { CleatError, isClass, messageOf, unavailable } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import { type CallOptions, type Client, type Kind, methodPath } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { markAbsent } from './absence.js';
import { activate, type Link } from './activation.js';
import { Breaker } from './breaker.js';
import { TransportError } from './carriers/carrier.js';
import type { Prerequisites } from './order.js';
import { type Progress, resultOf } from './outcome.js';
import { Patience } from './patience.js';
import { Presence } from './presence.js';
import { proxy } from './proxy.js';
import { type Outgoing, send } from './send.js';
import type { CallResult, ExtensionState, ExtensionStatus, GetOptions } from './service.js';
import type { Place, Source } from './source.js';
import { Statistics } from './statistics.js';

/** How long it stays good where an extension is, in ms: one request of a client asks several times. */
const placeMs = 5;

export interface ExtensionSettings {
  /** The driver's name, as users say it. */
  name: string;
  /** The manifest's entry; undefined for a discovered one. */
  entry: string | undefined;
  carrier: ExtensionStatus['carrier'];
  /** Capability names that the manifest promises; empty when only activation will tell. */
  declaredKinds: readonly string[];
  origin: string;
  source: Source;
  /** ms by `Kind.Method`, by `Method` or `*`. */
  deadlines: Readonly<Record<string, number>>;
  /** It starts after these, as the manifest says. */
  prerequisites?: Prerequisites | undefined;
  log: Logger;
  onChange: (status: ExtensionStatus) => void;
}

interface Activating {
  done: Promise<Link>;
  /** Fails as soon as one attempt found nobody; never resolves. */
  absent: Promise<never>;
}

/** One extension: its state, its activation, and every call to it. */
export class Extension {
  readonly #settings: ExtensionSettings;
  readonly #clients = new Map<Kind, unknown>();
  readonly #breaker = new Breaker();
  readonly #statistics = new Statistics();
  readonly #presence = new Presence();
  /** Calls that wait for their answer, oldest first. */
  readonly #sent = new Set<Outgoing>();
  readonly #patience = new Patience();
  readonly #stop = new AbortController();
  #link: Link | undefined;
  #activating: Activating | undefined;
  #kinds: readonly string[];
  #state: ExtensionState = 'discovered';
  #reason = '';
  #since = new Date();
  #waitsUntil: Date | undefined;
  #wasActive = false;
  /** The link need not be looked at again before that. */
  #goodUntil = 0;
  #underWay = 0;

  constructor(settings: ExtensionSettings) {
    this.#settings = settings;
    this.#kinds = settings.declaredKinds;
  }

  get name(): string {
    return this.#settings.name;
  }

  /** Its key in a manifest; undefined for a discovered one. */
  get entry(): string | undefined {
    return this.#settings.entry;
  }

  /** Capability names; empty until activated, unless the manifest says. */
  get kinds(): readonly string[] {
    return this.#kinds;
  }

  get status(): ExtensionStatus {
    const { name, entry, carrier, origin, source, deadlines, prerequisites } = this.#settings;
    // Nobody else is told until somebody calls it: it may be back by then.
    const absence = this.#state === 'active' ? this.#presence.look(source) : undefined;
    return {
      name,
      entry,
      kinds: this.#kinds,
      carrier,
      origin: this.#link?.place.origin ?? source.locate()?.origin ?? origin,
      ...(absence ?? { state: this.#state, reason: this.#reason, since: this.#since }),
      waitsUntil: this.#waitsUntil,
      health: this.#breaker.open ? 'suspended' : this.#statistics.health,
      suspendedUntil: this.#breaker.until,
      lastError: this.#statistics.lastError,
      process: source.process?.(),
      underWay: this.#underWay,
      retries: this.#statistics.retries,
      methods: this.#statistics.methods(),
      deadlines,
      ...prerequisites,
    };
  }

  /** Where it was activated; undefined when it was not, or is there no longer. */
  get place(): Place | undefined {
    return this.#link?.place;
  }

  /** Whether it can be found at all at this moment. */
  get present(): boolean {
    return this.#settings.source.locate() !== undefined;
  }

  get wasActive(): boolean {
    return this.#wasActive;
  }

  /** The client for a kind; it stays valid when the extension is restarted or replaced. */
  client<K extends Kind>(kind: K): Client<K> {
    let client = this.#clients.get(kind) as Client<K> | undefined;
    if (!client) {
      client = proxy(kind, (...call) => this.#call(...call));
      this.#clients.set(kind, client);
    }
    return client;
  }

  /** Waits until it answers. @throws Unavailable, DeadlineExceeded; the signal's reason */
  async activated(options: GetOptions = {}): Promise<void> {
    if (!this.#current()) this.#refuseIfBlocked();
    await this.#connect(options);
  }

  async close(): Promise<void> {
    this.#stop.abort(unavailable(`plugin "${this.name}" was stopped: the engine shuts down`));
    const link = this.#link;
    this.#link = undefined;
    await link?.carrier.close();
    await this.#settings.source.close?.();
  }

  /** The way to it, while it leads to what is there now. */
  #current(): Link | undefined {
    const link = this.#link;
    if (!link || performance.now() < this.#goodUntil) return link;
    if (this.#settings.source.locate()?.id !== link.place.id) return undefined;
    this.#goodUntil = performance.now() + placeMs;
    return link;
  }

  async #connect({ signal, impatient }: GetOptions): Promise<Link> {
    const current = this.#current();
    if (current) return current;
    this.#activating ??= this.#activate();
    const { done, absent } = this.#activating;
    const outcome = impatient ? Promise.race([done, absent]) : done;
    return signal ? await waitFor(outcome, signal) : await outcome;
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
    await this.#drop();
    if (this.#state !== 'unreachable') this.#become('activating', '');
    const { source } = this.#settings;
    const waitUntil = Date.now() + this.#patience.of(source, this.#wasActive);
    const onAbsent = (error: CleatError, leftMs: number) => {
      tellImpatient(error);
      // Nothing hangs there now.
      this.#breaker.inconclusive();
      if (leftMs > 0) this.#become('activating', error.message, new Date(waitUntil));
    };
    const began = performance.now();
    const record = (result: CallResult, message?: string) =>
      this.#statistics.record(activatePath.slice(1), result, performance.now() - began, message);
    try {
      const link = await activate({ name: this.name, source, waitUntil, signal: this.#stop.signal, onAbsent });
      this.#link = link;
      this.#kinds = link.kinds;
      this.#wasActive = true;
      this.#breaker.succeeded();
      record('ok');
      this.#become('active', '');
      return link;
    } catch (error) {
      const hung = isClass(error, 'DeadlineExceeded');
      if (hung) this.#breaker.hung(error.message);
      else this.#breaker.inconclusive();
      this.#patience.waitedInVain(source);
      record(hung ? 'timeout' : 'unreachable', messageOf(error));
      this.#become('unreachable', messageOf(error));
      throw error;
    }
  }

  async #drop(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    await link?.carrier.close();
  }

  /** One call, counted by how it ended. */
  async #call(kind: Kind, name: string, request: unknown, options: CallOptions): Promise<unknown> {
    const began = performance.now();
    const record = (result: CallResult, message?: string) =>
      this.#statistics.record(methodPath(kind, name).slice(1), result, performance.now() - began, message);
    // The one who was turned away and the one who found nobody both get Unavailable; so does who got a strange answer.
    const progress: Progress = { asked: false, answered: false };
    this.#underWay++;
    try {
      const answer = await this.#attempt(kind, name, request, options, progress);
      record('ok');
      return answer;
    } catch (error) {
      const result = resultOf(error, progress, options.signal);
      record(result, messageOf(error));
      // An extension that answers, if only nonsense, is there.
      const answered = result === 'error' || result === 'cancelled' || isMisbehaviour(error);
      throw answered ? error : markAbsent(error, { kind: kind.name, name: this.name });
    } finally {
      this.#underWay--;
    }
  }

  async #attempt(
    kind: Kind,
    name: string,
    request: unknown,
    options: CallOptions,
    progress: Progress,
  ): Promise<unknown> {
    const method = kind.methods[name];
    if (!method) throw new TypeError(`${kind.name} has no method ${name}`);
    const body = stringify(request);
    const { signal } = options;
    const deadlineMs = options.deadlineMs ?? this.#deadline(kind, name) ?? method.deadlineMs;
    const giveUpAt = Date.now() + deadlineMs;
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      this.#refuseIfBlocked();
      progress.asked = true;
      const link = await this.#connectBefore(giveUpAt, options);
      const call: Outgoing = { kind, name, method, body, deadlineMs, giveUpAt, signal };
      this.#sent.add(call);
      try {
        const answer = await send(this.name, link.carrier, call);
        this.#answered();
        return answer;
      } catch (error) {
        if (!(error instanceof TransportError)) {
          progress.answered = true;
          throw this.#judged(error, call);
        }
        this.#breaker.inconclusive();
        if (this.#link === link) await this.#drop();
        const why = this.#withoutAnswer(methodPath(kind, name).slice(1), error);
        this.#become('unreachable', why);
        // Once more when it cannot do harm: it never arrived, or twice is as good as once.
        const worthIt = error.fault !== 'misbehaving' && (!error.sent || method.idempotent);
        if (attempt === 1 && worthIt) {
          this.#statistics.retried();
          continue;
        }
        throw unavailable(why, { cause: error, details: { arrived: error.sent } });
      } finally {
        this.#sent.delete(call);
      }
    }
  }

  /**
   * Whether it may be at work on an earlier call that still has time: many do one after the other. One that asks this
   * engine something in the middle of a Mount may be asked for its volumes because of it, and cannot answer that first.
   */
  #isBusyBefore(call: Outgoing): boolean {
    for (const earlier of this.#sent) {
      if (earlier === call) return false;
      if (earlier.giveUpAt > call.giveUpAt) return true;
    }
    return false;
  }

  #withoutAnswer(call: string, { fault, message }: TransportError): string {
    return fault === 'misbehaving'
      ? `plugin "${this.name}" answered ${call} with ${message}`
      : `plugin "${this.name}" did not answer ${call}: ${message}`;
  }

  /** Waits for one that is not there, but not beyond the caller's deadline. */
  #connectBefore(giveUpAt: number, { signal, impatient }: CallOptions): Promise<Link> {
    const current = this.#current();
    if (current) return Promise.resolve(current);
    const late = () => unavailable(`plugin "${this.name}" does not answer: ${this.#reason || 'it is still starting'}`);
    return withDeadline(Math.max(giveUpAt - Date.now(), 1), signal, late, (inner) =>
      this.#connect({ signal: inner, impatient }),
    );
  }

  #deadline(kind: Kind, name: string): number | undefined {
    const { deadlines } = this.#settings;
    return deadlines[methodPath(kind, name).slice(1)] ?? deadlines[name] ?? deadlines['*'];
  }

  #refuseIfBlocked(): void {
    const reason = this.#breaker.blocked();
    if (reason !== undefined) throw unavailable(`plugin "${this.name}" is not asked for now: ${reason}`);
  }

  #answered(): void {
    this.#breaker.succeeded();
    if (this.#state !== 'active') this.#become('active', '');
  }

  /** An error that came as an answer proves that the extension lives; a deadline that passed is counted against it. */
  #judged(error: unknown, call: Outgoing): unknown {
    if (isClass(error, 'DeadlineExceeded') && this.#isBusyBefore(call)) {
      this.#breaker.inconclusive();
    } else if (isClass(error, 'DeadlineExceeded')) {
      this.#breaker.hung(error.message);
      this.#become('unreachable', error.message);
    } else if (error instanceof CleatError && error.class !== 'Cancelled') {
      this.#answered();
    } else {
      this.#breaker.inconclusive();
    }
    return error;
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

function isMisbehaviour(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof TransportError && cause.fault === 'misbehaving';
}
