import { existsSync } from 'node:fs';
import { Backoff, type Pauses } from '@cleat/protocol/async/backoff';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { TransportError } from '../carriers/carrier.js';
import { SocketCarrier } from '../carriers/socket.js';
import type { Place, Source } from '../source.js';
import type { ProcessStatus } from '../status.js';
import type { Launched, Launcher } from './launcher.js';

/** A process that ends is started again almost at once, and within the longest, however often it has ended before. */
export const restartPauses = { firstMs: 100, longestMs: 10_000 };
/**
 * So many ends in a row have the shortest pause: a process may be killed several times and be well. One that answered before
 * has more of them; it may also be the first call that it dies of, each time.
 */
const quickRestarts = { unanswered: 5, answered: 15 };
/** A process that ran this long is not in a crash loop. */
const settledMs = 3_000;
const graceMs = 5_000;
/** How often one that cannot be started, because what it needs does not answer, is tried again. */
const readyMs = 500;
/** How long one that is being started is waited for, and one that ended several times in a row. */
const patience = { startingMs: 15_000, crashingMs: 500 };

export interface SupervisorSettings {
  launcher: Launcher;
  /** Where the extension listens once it runs. */
  socket: string;
  /** For people: where it comes from. */
  origin: string;
  log: Logger;
  restartPauses?: Pauses;
}

type Ready = (signal: AbortSignal) => Promise<void>;

/**
 * Keeps one extension running as a process of its own: starts it once what it needs answers, restarts it when it ends,
 * finds it again after the engine was killed, and stops it with the engine. It never gives up, and tells why it waits.
 */
export class Supervisor implements Source {
  readonly #settings: SupervisorSettings;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #ready: Ready = async () => {};
  #launched: Launched | undefined;
  readonly #listeners = new Set<() => void>();
  #generation = 0;
  #crashes = 0;
  /** Whether the process that runs has answered its activation. */
  #answers = false;
  /** The same of the one before it. */
  #answered = false;
  #since = new Date();
  #lastEnd = '';
  #timer: NodeJS.Timeout | undefined;
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** Whether what a former engine left running was looked for. */
  #adopted = false;
  /** Why it is not started yet. */
  #waits: string | undefined;
  /** Why it could not be started the last time. */
  #fault: string | undefined;

  constructor(settings: SupervisorSettings) {
    this.#settings = settings;
    this.#backoff = new Backoff(settings.restartPauses ?? restartPauses);
  }

  /** Starts it, or finds it running. Does not wait until it answers: the first call does. */
  start(ready?: Ready): void {
    if (ready) this.#ready = ready;
    if (this.#closing) return;
    this.#starting ??= this.#begin()
      .catch((error: unknown) => {
        if (this.#closing) return;
        this.#fault = messageOf(error);
        this.#settings.log.error('cannot start the extension', { error: this.#fault });
        this.#tell();
        this.#again();
      })
      .finally(() => {
        this.#starting = undefined;
      });
  }

  locate(): Place {
    const { origin, socket } = this.#settings;
    return {
      id: `${this.#generation}`,
      origin: `${origin}, ${socket}`,
      open: async () => {
        if (this.#waits !== undefined) throw unavailable(this.#waits);
        // A look costs a hundredth of a refused connection, and several processes may be starting.
        const missing = this.missing();
        if (missing !== undefined) throw new TransportError(missing, { fault: 'absent', sent: false });
        return new SocketCarrier({ type: 'unix', path: socket });
      },
    };
  }

  patienceMs(): number {
    return this.#restartsQuickly ? patience.startingMs : patience.crashingMs;
  }

  answered(): void {
    if (this.#launched) this.#answers = true;
  }

  process(): ProcessStatus {
    const restarts = Math.max(this.#generation - 1, 0);
    return { pid: this.#launched?.pid, since: this.#since, restarts, lastEnd: this.#lastEnd };
  }

  absence(): string | undefined {
    if (this.#launched) return undefined;
    if (this.#waits !== undefined) return this.#waits;
    if (this.#fault !== undefined) return `it cannot be started: ${this.#fault}`;
    return this.#lastEnd ? `its process ended (${this.#lastEnd}) and is started again` : 'it is not started yet';
  }

  missing(): string | undefined {
    const { socket } = this.#settings;
    return this.absence() ?? (existsSync(socket) ? undefined : `there is no socket at ${socket}`);
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  get #restartsQuickly(): boolean {
    return this.#crashes <= (this.#answers || this.#answered ? quickRestarts.answered : quickRestarts.unanswered);
  }

  async #begin(): Promise<void> {
    const { launcher, log } = this.#settings;
    if (!this.#adopted) {
      const found = await launcher.adopt();
      this.#adopted = true;
      if (found) {
        log.debug('found the extension running', { pid: found.pid });
        this.#begun(found);
        return;
      }
    }
    if (!(await this.#isReady()) || this.#closing) return;
    this.#begun(await launcher.launch(this.#stop.signal));
  }

  /** Whether it may be started now; otherwise it is tried again. */
  async #isReady(): Promise<boolean> {
    try {
      await this.#ready(this.#stop.signal);
      this.#waits = undefined;
      return true;
    } catch (error) {
      if (this.#closing) return false;
      const reason = messageOf(error);
      const isNew = this.#waits !== reason;
      this.#waits = reason;
      if (isNew) {
        this.#settings.log.warn('the extension is not started yet', { reason });
        this.#tell();
      }
      this.#timer = setTimeout(() => this.start(), readyMs).unref();
      return false;
    }
  }

  #begun(launched: Launched): void {
    const startedAt = Date.now();
    this.#launched = launched;
    this.#fault = undefined;
    this.#generation++;
    this.#since = new Date();
    this.#tell();
    void launched.ended.then((how) => {
      this.#launched = undefined;
      this.#answered = this.#answers;
      this.#answers = false;
      this.#since = new Date();
      this.#lastEnd = how;
      if (this.#closing) return;
      this.#tell();
      if (Date.now() - startedAt > settledMs) {
        this.#crashes = 0;
        this.#backoff.reset();
      }
      this.#settings.log.warn('the extension ended and is started again', { how });
      this.#again();
    });
  }

  #again(): void {
    this.#crashes++;
    const pauseMs = this.#restartsQuickly ? this.#backoff.nextMs : this.#backoff.next();
    this.#timer = setTimeout(() => this.start(), pauseMs).unref();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    // A start that is under way ends by itself: its failure is nobody's any longer.
    await this.#starting;
    try {
      await this.#launched?.stop(graceMs);
    } finally {
      this.#launched = undefined;
      await this.#settings.launcher.close();
    }
  }
}
