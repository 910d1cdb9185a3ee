import { Semaphore } from '@cleat/protocol/async/semaphore';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { Offer } from './answers.js';
import type { DhcpClient, Wanted } from './client.js';
import type { Clock } from './clock.js';
import { dueAt, type Lease, onClock, type Phase, phaseOf } from './lease.js';

/** Where leases are kept; a `DurableMap` is one, a `Map` another. */
export interface LeaseState {
  entries(): Iterable<readonly [key: string, lease: Lease]>;
  get(key: string): Lease | undefined;
  set(key: string, lease: Lease): unknown;
  delete(key: string): unknown;
  readonly size: number;
}

/** A lease with its timer. */
interface Watch {
  /** In this phase, and when the last one ended. */
  attempts: number;
  attempted: number;
  cancel: () => void;
  readonly stop: AbortController;
}

/** How long servers have for each attempt; there are many, so it need not be long. */
const attemptMs = 8_000;
/** How many leases are renewed at once: after a night's sleep of the host all are due. */
const atOnce = 16;

/**
 * The leases of containers, each renewed for as long as it is not released. A lease is in the state before anybody has the
 * address, so that a process that is killed goes on where it was.
 *
 * A lease that its server refuses, or that ends because no server answers, stays: nobody can take a running container's
 * address away. It is told in the log, and asked for until it is given again.
 */
export class Leases {
  readonly #state: LeaseState;
  readonly #client: DhcpClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #watches = new Map<string, Watch>();
  readonly #turns = new Semaphore(atOnce);

  constructor(state: LeaseState, client: DhcpClient, clock: Clock, log: Logger) {
    this.#state = state;
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /** Goes on with those that were there before. */
  resume(): void {
    for (const [key, lease] of [...this.#state.entries()]) {
      const now = this.#clock.now();
      const resumed = onClock(lease, now);
      if (resumed !== lease) this.#state.set(key, resumed);
      this.#watch(key, resumed.lost ? now : resumed.since);
    }
  }

  get size(): number {
    return this.#state.size;
  }

  at(pool: string, address: string): Lease | undefined {
    return this.#state.get(keyOf(pool, address));
  }

  find(matches: (lease: Lease) => boolean): Lease | undefined {
    return this.#all().find(matches);
  }

  /** Keeps a lease that was just given. */
  keep(lease: Lease): void {
    const key = keyOf(lease.pool, lease.address);
    this.#forget(key);
    this.#state.set(key, lease);
    this.#watch(key, lease.since);
  }

  /** Gives leases back to their servers. One whose server cannot be told ends by itself. */
  release(matches: (lease: Lease) => boolean): void {
    for (const lease of this.#all().filter(matches)) {
      const key = keyOf(lease.pool, lease.address);
      this.#forget(key);
      // A lost one is not this client's to give back.
      if (!lease.lost) this.#tell(lease);
      this.#state.delete(key);
    }
  }

  close(): void {
    for (const key of [...this.#watches.keys()]) this.#forget(key);
  }

  #all(): Lease[] {
    return [...this.#state.entries()].map(([, lease]) => lease);
  }

  #tell(lease: Lease): void {
    try {
      this.#client.release(lease, lease);
    } catch (error) {
      this.#log.warn('a lease could not be given back; it ends by itself', about(lease, { error: messageOf(error) }));
    }
  }

  #watch(key: string, attempted: number): void {
    const watch: Watch = { attempts: 0, attempted, cancel() {}, stop: new AbortController() };
    this.#watches.set(key, watch);
    this.#schedule(key, watch);
  }

  #schedule(key: string, watch: Watch): void {
    const lease = this.#state.get(key);
    const due = lease && dueAt(lease, watch.attempted, watch.attempts);
    if (due === undefined) return;
    watch.cancel = this.#clock.at(due, () =>
      this.#turns
        .run(() => this.#attempt(key, watch), watch.stop.signal)
        .catch((error: unknown) => {
          // A lease that is gone needs nothing more.
          if (watch.stop.signal.aborted) return;
          this.#log.error('a lease could not be looked after; it is tried again', { key, error: messageOf(error) });
          this.#later(key, watch);
        }),
    );
  }

  #later(key: string, watch: Watch): void {
    watch.attempts++;
    watch.attempted = this.#clock.now();
    this.#schedule(key, watch);
  }

  #forget(key: string): void {
    const watch = this.#watches.get(key);
    watch?.cancel();
    watch?.stop.abort();
    this.#watches.delete(key);
  }

  async #attempt(key: string, watch: Watch): Promise<void> {
    const lease = this.#state.get(key);
    if (!lease) return;
    const phase = phaseOf(lease, this.#clock.now());
    if (phase === 'expired') return this.#lose(key, lease, 'no DHCP server answered until it ended');
    const asked = this.#clock.now();
    const patience = { ms: attemptMs, signal: watch.stop.signal };
    let answer: Awaited<ReturnType<DhcpClient['request']>>;
    try {
      answer = await this.#ask(lease, phase, patience);
    } catch (error) {
      if (watch.stop.signal.aborted) return;
      const level = phase === 'renewing' ? 'debug' : 'warn';
      this.#log[level](`a lease was not renewed (${phase})`, about(lease, { error: messageOf(error) }));
      return this.#later(key, watch);
    }
    if (watch.stop.signal.aborted) return;
    if ('reason' in answer) {
      if (phase === 'lost') return this.#later(key, watch);
      return this.#lose(key, lease, `server ${answer.server} refused it${answer.reason && `: ${answer.reason}`}`);
    }
    if (lease.lost) this.#log.info('a lease is the container’s again', about(lease));
    this.keep(renewed(lease, answer, asked));
  }

  async #ask(lease: Lease, phase: Phase, patience: { ms: number; signal: AbortSignal }) {
    const { address, subnet, server } = lease;
    const wanted: Wanted = { address, subnet, server: phase === 'renewing' ? server : '' };
    if (phase !== 'lost') return await this.#client.request(lease, wanted, patience, 'had');
    const offer = await this.#client.discover(lease, { address, subnet }, patience);
    if (offer.address !== address) {
      this.#client.release(lease, offer);
      throw unavailable(`the DHCP server ${offer.server} offers ${offer.address}, and not ${address}`);
    }
    return await this.#client.request(lease, { ...wanted, server: offer.server }, patience, 'offered');
  }

  /** The container keeps its address, which the server may give to another host. */
  #lose(key: string, lease: Lease, why: string): void {
    this.#log.error(
      'a running container’s address is no longer leased to it, and may be given to another host: restart the container, or see to the DHCP server',
      about(lease, { why }),
    );
    this.#forget(key);
    this.#state.set(key, { ...lease, lost: true });
    this.#watch(key, this.#clock.now());
  }
}

/** @param since when it was asked for: the server may have counted from then on */
function renewed(lease: Lease, given: Offer, since: number): Lease {
  const { lost: _, ...kept } = lease;
  const { server, serverMac, seconds, renewAfter, rebindAfter } = given;
  return { ...kept, server, serverMac, seconds, renewAfter, rebindAfter, since };
}

const keyOf = (pool: string, address: string): string => `${pool} ${address}`;

const about = ({ link, address, mac, hostName, server }: Lease, more: Record<string, unknown> = {}) => ({
  link,
  address,
  mac,
  hostName,
  server,
  ...more,
});
