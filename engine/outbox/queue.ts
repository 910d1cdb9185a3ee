import { absenceOf } from '@cleat/extensions/absence';
import { Backoff } from '@cleat/protocol/async/backoff';
import { within } from '@cleat/protocol/async/deadline';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { CallOptions } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { saysUnknown } from '../driver-prose.js';
import { goTime, nowNanos } from '../time.js';
import type { Entries } from './entries.js';
import type { Message, Outcome, Pending, Queue, Rules } from './service.js';

/** How long a caller that gives something back waits for an extension, in ms; then the calls go on without it. */
const patienceMs = 5_000;
const pauses = { firstMs: 1_000, longestMs: 15_000 };
const silent: Outcome = { state: 'pending', reason: 'it does not answer' };

/** A message on its way. */
interface Sending<Call extends object> {
  readonly entry: Pending<Call>;
  readonly outcome: Promise<Outcome>;
  cancelled: boolean;
}

interface Retry {
  readonly backoff: Backoff;
  timer?: NodeJS.Timeout | undefined;
}

/** See {@link Queue}. */
export class OutboxQueue<Call extends object> implements Queue<Call> {
  readonly #entries: Entries<Call>;
  readonly #rules: Rules<Call>;
  readonly #log: Logger;
  /** By the message's ID. */
  readonly #underWay = new Map<string, Sending<Call>>();
  /** By extension. */
  readonly #retries = new Map<string, Retry>();
  #isStarted = false;
  #closed = false;

  constructor(entries: Entries<Call>, rules: Rules<Call>, log: Logger) {
    this.#entries = entries;
    this.#rules = rules;
    this.#log = log;
  }

  /** See {@link Outbox.start}. */
  start(): void {
    this.#isStarted = true;
    for (const { extension } of this.#entries.list()) this.#later(extension);
  }

  list(): Pending<Call>[] {
    return this.#entries.list();
  }

  has(id: string): boolean {
    return this.#entries.get(id) !== undefined;
  }

  note(messages: readonly Message<Call>[]): void {
    for (const message of messages) if (message.calls.length > 0) this.#entries.put(fresh(message));
  }

  async send(message: Message<Call>, options: CallOptions = { impatient: true }): Promise<Outcome> {
    if (message.calls.length === 0) return { state: 'done', unknown: false };
    return await this.#patiently(fresh(message), options);
  }

  postpone(message: Message<Call>, reason: string, since?: string): void {
    const entry = fresh(message);
    this.#keep({ ...entry, since: since ?? entry.since }, reason);
  }

  async settle(extension: string, only: (pending: Pending<Call>) => boolean = () => true): Promise<void> {
    this.#entries.write();
    const mine = this.list().filter((entry) => entry.extension === extension && only(entry));
    const again = (entry: Pending<Call>) => this.#patiently(entry, { impatient: true });
    if (this.#rules.independent) {
      await Promise.all(mine.map(again));
    } else {
      for (const entry of mine) {
        // It arrived meanwhile, before something that had to wait for it.
        if (!this.has(entry.id)) continue;
        if ((await again(entry)).state === 'pending') return;
      }
    }
    if (!this.list().some((entry) => entry.extension === extension)) this.#forgetRetry(extension);
  }

  /** The same for a caller that does not wait. What cannot be put on record now (a full disk) is tried again. */
  settleSoon(extension: string): void {
    this.settle(extension).catch((error: unknown) => {
      if (this.#closed) return;
      this.#log.warn('what is pending could not be told now', { extension, error: messageOf(error) });
      this.#later(extension);
    });
  }

  async cancel(id: string): Promise<void> {
    const sending = this.#underWay.get(id);
    if (sending) sending.cancelled = true;
    this.#entries.delete(id);
    await sending?.outcome;
  }

  close(): void {
    this.#entries.write();
    this.#closed = true;
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
  }

  async #patiently(entry: Pending<Call>, options: CallOptions): Promise<Outcome> {
    const sending = this.#sending(entry, options);
    const outcome = await within(patienceMs, sending.outcome, silent);
    if (outcome.state === 'pending' && !sending.cancelled) this.#keep(sending.entry, outcome.reason);
    return outcome;
  }

  #sending(entry: Pending<Call>, options: CallOptions): Sending<Call> {
    const known = this.#underWay.get(entry.id);
    if (known) return known;
    const outcome = this.#deliver(entry, options).finally(() => this.#underWay.delete(entry.id));
    const sending = { entry, outcome, cancelled: false };
    this.#underWay.set(entry.id, sending);
    return sending;
  }

  /** Each call that is made leaves the message. */
  async #deliver(entry: Pending<Call>, options: CallOptions): Promise<Outcome> {
    let end: Outcome = { state: 'done', unknown: false };
    for (let call = entry.calls[0]; call !== undefined; call = entry.calls[0]) {
      const outcome = (await this.#first(entry, call)) ?? (await this.#make(entry, call, options));
      if (outcome.state === 'pending') return outcome;
      if (outcome.state === 'refused' || (end.state === 'done' && outcome.unknown)) end = outcome;
      entry.calls.shift();
    }
    this.#settled(entry, end);
    return end;
  }

  /** Waits for what must arrive before that call, and sends what of it is pending. @returns why the call has to wait */
  async #first(entry: Pending<Call>, call: Call): Promise<Outcome | undefined> {
    const { ready, comesBefore } = this.#rules;
    await ready?.(entry.extension, call);
    if (!comesBefore) return undefined;
    const known = [...this.#underWay.values()].map((sending) => sending.entry);
    for (const other of [...known, ...this.list()]) {
      if (other.id === entry.id || other.extension !== entry.extension || !comesBefore(other, call)) continue;
      const sending = this.#sending(other, { impatient: true });
      const outcome = await sending.outcome;
      if (outcome.state !== 'pending') continue;
      if (!sending.cancelled) this.#keep(sending.entry, outcome.reason);
      return { state: 'pending', reason: `${other.about} goes back first: ${outcome.reason}` };
    }
    return undefined;
  }

  async #make(entry: Pending<Call>, call: Call, options: CallOptions): Promise<Outcome> {
    const { extension } = entry;
    try {
      if (!this.#rules.isMoot?.(extension, call)) await this.#rules.call(extension, call, options);
      return { state: 'done', unknown: false };
    } catch (error) {
      const reason = messageOf(error);
      if (isAway(error)) return { state: 'pending', reason };
      if (saysUnknown(error)) return { state: 'done', unknown: true };
      entry.refusals++;
      if (entry.refusals < this.#rules.attempts) return { state: 'pending', reason };
      const { about, refusals } = entry;
      this.#log.warn('an extension refuses to take something back; it is not asked again', {
        extension,
        about,
        refusals,
        reason,
      });
      return { state: 'refused', error };
    }
  }

  #settled(entry: Pending<Call>, outcome: Outcome): void {
    if (this.#closed) return;
    const { extension, about } = entry;
    if (this.has(entry.id) && outcome.state === 'done') {
      this.#log.info('an extension heard what was pending', { extension, about });
    }
    this.#entries.delete(entry.id);
    this.#rules.onSettled?.(entry, outcome);
  }

  #keep(entry: Pending<Call>, reason: string): void {
    if (this.#closed) return;
    const { extension, about } = entry;
    const isNew = !this.has(entry.id);
    if (isNew) {
      this.#log.warn('an extension was not told of something; it is told later', { extension, about, reason });
    }
    // Also one that the disk has no room for is told later, by this engine.
    this.#later(extension);
    const unwritten = this.#entries.keep({ ...entry, reason });
    if (unwritten !== undefined && isNew) {
      this.#log.error('what is pending is in memory only', { extension, about, reason: unwritten });
    }
  }

  #later(extension: string): void {
    const retry: Retry = this.#retries.get(extension) ?? { backoff: new Backoff(pauses) };
    this.#retries.set(extension, retry);
    if (!this.#isStarted || this.#closed || retry.timer) return;
    retry.timer = setTimeout(() => {
      retry.timer = undefined;
      this.settleSoon(extension);
    }, retry.backoff.next()).unref();
  }

  #forgetRetry(extension: string): void {
    clearTimeout(this.#retries.get(extension)?.timer);
    this.#retries.delete(extension);
  }
}

function fresh<Call extends object>({ id, extension, about, calls }: Message<Call>): Pending<Call> {
  return {
    v: 1,
    id,
    extension,
    about,
    calls: structuredClone(calls),
    since: goTime(nowNanos()),
    reason: '',
    refusals: 0,
  };
}

/** Nobody was there to say anything, or what was said was lost. */
const isAway = (error: unknown): boolean =>
  absenceOf(error) !== undefined ||
  (error instanceof Error && error.name === 'TimeoutError') ||
  isClass(error, 'Unavailable') ||
  isClass(error, 'DeadlineExceeded') ||
  isClass(error, 'Cancelled');
