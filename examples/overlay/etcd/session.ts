import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@cleat/protocol/errors';
import { Backoff, type DurableMap, type Logger, unavailable } from '@cleat/sdk';
import { type Etcd, LeaseGone } from './etcd.js';

export interface Leases {
  /** For claims of this host: it ends soon after the host has fallen silent. */
  lease: string;
  /** For the memory of them: it ends later. */
  keptLease: string;
}

export interface SessionSettings {
  etcd: Etcd;
  /** The host's own ID. */
  host: string;
  /** For how long etcd must hear nothing of this host until others may have its addresses, in seconds. */
  ttl: number;
  /** And how much longer they are left to who had them. */
  grace: number;
  /** The leases, so that a plugin that is started again goes on with them. */
  journal: DurableMap<Leases>;
  log: Logger;
}

const journalKey = 'leases';

/** This host's leases, which it keeps alive. */
export class Session {
  readonly host: string;
  readonly #settings: SessionSettings;
  readonly #backoff = new Backoff({ firstMs: 100, longestMs: 1_000 });
  #granting: Promise<Leases> | undefined;
  /** Why hosts do not agree now. */
  #complaint: string | undefined;
  #doubtful = false;
  /** Ends the pause until the next turn. */
  #resting = new AbortController();

  constructor(settings: SessionSettings) {
    this.#settings = settings;
    this.host = settings.host;
  }

  /** @throws Unavailable */
  leases(): Promise<Leases> {
    const known = this.#settings.journal.get(journalKey);
    if (known) return Promise.resolve(known);
    this.#granting ??= this.#grant().finally(() => {
      this.#granting = undefined;
    });
    return this.#granting;
  }

  async #grant(): Promise<Leases> {
    const { etcd, ttl, grace, journal } = this.#settings;
    const leases = { lease: await etcd.grant(ttl), keptLease: await etcd.grant(ttl + grace) };
    journal.set(journalKey, leases);
    return leases;
  }

  /**
   * Does something with the leases. If etcd says that they are gone, it is done again with new ones, and hosts agree
   * again: what was attached to the old ones is gone, too.
   * @throws whatever the work throws
   */
  async withLeases<T>(work: (leases: Leases) => Promise<T>): Promise<T> {
    const leases = await this.leases();
    try {
      return await work(leases);
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      this.#lost(leases);
      return await work(await this.leases());
    }
  }

  /** The next question for leases makes others. */
  #lost({ lease }: Leases): void {
    const { journal } = this.#settings;
    this.doubt();
    if (journal.get(journalKey)?.lease === lease) journal.delete(journalKey);
  }

  /** An answer got lost: nobody knows whether it was done, so that hosts have to agree again. */
  doubt(): void {
    this.#doubtful = true;
    this.#resting.abort();
  }

  /** A sentence while this host and the others cannot agree. */
  health(): string | undefined {
    return this.#complaint && `${this.#complaint}. What is there goes on`;
  }

  /**
   * Keeps the leases alive until the signal aborts.
   * @param agree called at first, and after each time in which etcd was silent or the lease ended: until it succeeds
   */
  async run(agree: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { ttl, log } = this.#settings;
    let agreed = false;
    while (!signal.aborted) {
      try {
        await this.#keepAlive();
        if (this.#doubtful) agreed = false;
        this.#doubtful = false;
        if (!agreed) await agree();
        agreed = true;
        if (this.#complaint !== undefined) log.info('this host and the others agree again');
        this.#complaint = undefined;
        this.#backoff.reset();
        this.#resting = new AbortController();
        if (!this.#doubtful) await pause((ttl * 1000) / 3, AbortSignal.any([signal, this.#resting.signal]));
      } catch (error) {
        const complaint = messageOf(error);
        if (this.#complaint === undefined) log.warn('this host and the others do not agree now', { error: complaint });
        this.#complaint = complaint;
        agreed = false;
        await pause(this.#backoff.next(), signal);
      }
    }
  }

  async #keepAlive(): Promise<void> {
    const { etcd, log } = this.#settings;
    const leases = await this.leases();
    try {
      await etcd.keepAlive(leases.lease);
      await etcd.keepAlive(leases.keptLease);
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      log.warn('etcd had not heard of this host for so long that its lease ended');
      this.#lost(leases);
      await this.leases();
    }
  }

  /** At the end of a host that has nothing: it need not be waited for. */
  async end(): Promise<void> {
    const { etcd, journal } = this.#settings;
    const leases = journal.get(journalKey);
    if (!leases) return;
    journal.delete(journalKey);
    for (const lease of [leases.lease, leases.keptLease]) {
      await etcd.revoke(lease).catch((error: unknown) => {
        // It ends by itself.
        if (!(error instanceof LeaseGone)) throw unavailable(messageOf(error));
      });
    }
  }
}

/** Ends early with the signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {}); // Aborted: its caller looks.
}
