import { withDeadline } from '@cleat/protocol/async/deadline';
import { CleatError, isClass, messageOf, unavailable } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import { type CallOptions, type Kind, methodPath } from '@cleat/protocol/kinds/kind';
import { markAbsent } from './absence.js';
import type { Link } from './activation.js';
import type { Backing } from './backing.js';
import type { Breaker } from './breaker.js';
import { TransportError } from './carriers/carrier.js';
import type { Connection } from './connection.js';
import { type Progress, resultOf } from './outcome.js';
import { type Outgoing, send } from './send.js';
import type { GetOptions } from './service.js';
import type { Statistics } from './statistics.js';
import type { CallResult } from './status.js';

export interface CallsSettings {
  name: string;
  backing: Backing;
  breaker: Breaker;
  statistics: Statistics;
  /** The operator's, in ms by `Kind.Method`, `Method` or `*`. */
  deadlines: () => Readonly<Record<string, number>>;
  /** Why it is in the state that it is in; empty when there is nothing to say. */
  reason: () => string;
  onAnswer: () => void;
  /** It did not answer, and is there no longer for all we know. */
  onSilence: (why: string) => void;
}

/** Every call to one extension: sent under a deadline, once more where that is harmless, counted by how it ended. */
export class Calls {
  readonly #settings: CallsSettings;
  #underWay = 0;

  constructor(settings: CallsSettings) {
    this.#settings = settings;
  }

  /** How many wait for an answer now. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Waits until the extension answers. @throws Unavailable, DeadlineExceeded; the signal's reason */
  async activated(options: GetOptions): Promise<void> {
    const { backing } = this.#settings;
    if (!backing.current()) this.#refuseIfBlocked();
    await backing.connect(options);
  }

  /** One call, counted by how it ended. */
  async call(kind: Kind, name: string, request: unknown, options: CallOptions): Promise<unknown> {
    const { statistics } = this.#settings;
    const began = performance.now();
    const record = (result: CallResult, message?: string) =>
      statistics.record(methodPath(kind, name).slice(1), result, performance.now() - began, message);
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
      throw answered ? error : markAbsent(error, { kind: kind.name, name: this.#settings.name });
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
    const { backing, breaker, statistics, onSilence } = this.#settings;
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
      const { connection, link } = this.#connected() ?? (await this.#connectBefore(giveUpAt, options));
      const call: Outgoing = { kind, name, method, body, deadlineMs, giveUpAt, signal, upload: options.body };
      const ended = connection.begin(call);
      try {
        const answer = await send(this.#settings.name, link.carrier, call);
        if (!connection.over) this.#answered();
        return answer;
      } catch (error) {
        if (!(error instanceof TransportError)) {
          progress.answered = true;
          throw this.#judged(error, call, connection);
        }
        const why = this.#withoutAnswer(methodPath(kind, name).slice(1), error, connection);
        if (!connection.over) {
          breaker.inconclusive();
          await connection.drop(link);
          onSilence(why);
        }
        // Once more when it cannot do harm: it never arrived, or twice is as good as once.
        // A body that is a stream may have been read.
        const isRepeatable = !options.body && (!error.sent || method.idempotent);
        const worthIt = error.fault !== 'misbehaving' && isRepeatable;
        if (attempt === 1 && worthIt && backing.enabled) {
          statistics.retried();
          continue;
        }
        throw unavailable(why, { cause: error, details: { arrived: error.sent } });
      } finally {
        ended();
      }
    }
  }

  #withoutAnswer(call: string, { fault, message }: TransportError, { over }: Connection): string {
    const { name } = this.#settings;
    if (over) return `plugin "${name}" did not answer ${call}: ${over.message}`;
    return fault === 'misbehaving'
      ? `plugin "${name}" answered ${call} with ${message}`
      : `plugin "${name}" did not answer ${call}: ${message}`;
  }

  #connected(): { connection: Connection; link: Link } | undefined {
    const { backing } = this.#settings;
    const link = backing.current();
    const { connection } = backing;
    return link && connection?.link === link ? { connection, link } : undefined;
  }

  /** Waits for one that is not there, but not beyond the caller's deadline. */
  async #connectBefore(
    giveUpAt: number,
    { signal, impatient }: CallOptions,
  ): Promise<{ connection: Connection; link: Link }> {
    const { name, backing, breaker, reason } = this.#settings;
    const late = () => unavailable(`plugin "${name}" does not answer: ${reason() || 'it is still starting'}`);
    for (;;) {
      const link =
        backing.current() ??
        (await withDeadline(Math.max(giveUpAt - Date.now(), 1), signal, late, (inner) =>
          backing.connect({ signal: inner, impatient }),
        ));
      const { connection } = backing;
      if (connection?.link === link) return { connection, link };
      // It was exchanged, or lost, in this very moment.
      breaker.inconclusive();
    }
  }

  #deadline(kind: Kind, name: string): number | undefined {
    const deadlines = this.#settings.deadlines();
    return deadlines[methodPath(kind, name).slice(1)] ?? deadlines[name] ?? deadlines['*'];
  }

  #refuseIfBlocked(): void {
    const { name, breaker } = this.#settings;
    const reason = breaker.blocked();
    if (reason !== undefined) throw unavailable(`plugin "${name}" is not asked for now: ${reason}`);
  }

  #answered(): void {
    this.#settings.breaker.succeeded();
    this.#settings.onAnswer();
  }

  /** An error that came as an answer proves that the extension lives; a deadline that passed is counted against it. */
  #judged(error: unknown, call: Outgoing, connection: Connection): unknown {
    const { breaker, onSilence } = this.#settings;
    // A source that was exchanged says nothing about its successor.
    if (connection.over) return error;
    if (isClass(error, 'DeadlineExceeded') && connection.isBusyBefore(call)) {
      breaker.inconclusive();
    } else if (isClass(error, 'DeadlineExceeded')) {
      breaker.hung(error.message);
      onSilence(error.message);
    } else if (error instanceof CleatError && error.class !== 'Cancelled') {
      this.#answered();
    } else {
      breaker.inconclusive();
    }
    return error;
  }
}

function isMisbehaviour(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof TransportError && cause.fault === 'misbehaving';
}
