import type { Extensions } from '@cleat/extensions/service';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { CallOptions } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import type { Events } from '../events/service.js';
import type { Collection } from '../store/service.js';
import { goTime, nowNanos } from '../time.js';
import { type Driver, type Drivers, shortMs } from './drivers.js';
import type { HeldMount } from './held.js';

/** How long whoever stops or removes a container waits for a driver, in ms; then the Unmount goes on without them. */
const patienceMs = 5_000;
const firstPauseMs = 1_000;
const longestPauseMs = 15_000;

export interface OwedDeps {
  readonly held: Collection<HeldMount>;
  readonly drivers: Drivers;
  readonly extensions: Extensions;
  readonly events: Events;
  readonly log: Logger;
}

type AskOptions = Pick<CallOptions, 'impatient' | 'deadlineMs'>;

/**
 * Unmounts, and those that are owed: a driver that is away or hangs holds nobody up. It gets its Unmount as soon as it
 * is back, also after a restart of the engine, until it has answered or the volume is forgotten by force.
 */
export class OwedUnmounts {
  readonly #deps: OwedDeps;
  /** Unmounts that are on their way, by ID. */
  readonly #asking = new Map<string, Promise<string | undefined>>();
  readonly #pauses = new Map<string, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #offChange: () => void;
  /** What the former engine held and nobody has claimed yet. */
  readonly #unclaimed: Set<string>;
  #closed = false;

  constructor(deps: OwedDeps) {
    this.#deps = deps;
    this.#unclaimed = new Set(deps.held.entries().map(([id]) => id));
    this.#offChange = deps.extensions.onChange(({ name, state }) => {
      if (state === 'active') this.#payAll(name);
    });
  }

  /** All that are owed, of one volume or of all. */
  list(volume?: string): HeldMount[] {
    const all = this.#deps.held.entries().map(([, held]) => held);
    return all.filter((held) => held.owed !== undefined && (volume === undefined || held.volume === volume));
  }

  /** Its container runs: it is not to be unmounted. */
  claim(held: HeldMount): void {
    this.#unclaimed.delete(held.id);
    if (this.#deps.held.get(held.id) === undefined) this.#deps.held.put(held.id, held);
  }

  /** Whatever the former engine held for containers that do not run is owed. */
  reconcile(): void {
    for (const id of this.#unclaimed) {
      const held = this.#deps.held.get(id);
      if (held) this.owe(held, held.owed?.reason ?? 'the engine was killed');
    }
    this.#unclaimed.clear();
  }

  /**
   * Resolves when the driver has unmounted it, or when it is owed because the driver is away or takes too long.
   * @throws what the driver says when it refuses: then it is not asked again
   */
  async unmount(held: HeldMount): Promise<void> {
    this.#unclaimed.delete(held.id);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('it does not answer'), patienceMs);
    });
    const asked = this.#ask(held, {});
    // It may still refuse when nobody waits for it any more.
    asked.catch((error: unknown) => this.#deps.log.debug('an Unmount was refused', { error: messageOf(error) }));
    const reason = await Promise.race([asked, late]).finally(() => clearTimeout(timer));
    if (reason !== undefined) this.owe(held, reason);
  }

  /** Its driver gets the Unmount when it can be asked. */
  owe(held: HeldMount, reason: string): void {
    const { log } = this.#deps;
    const since = held.owed?.since ?? goTime(nowNanos());
    this.#deps.held.put(held.id, { ...held, owed: { since, reason } });
    const { volume, driver } = held;
    log.warn('an Unmount is owed to a volume driver', { volume, driver, container: held.containerId, reason });
    this.#later(driver);
  }

  /** Whatever is owed for a volume is tried once more, before its driver is asked for something else. */
  async settle(volume: string): Promise<void> {
    await Promise.all(this.list(volume).map((held) => this.#pay(held, patienceMs)));
  }

  /** Forgets what is owed for a volume that is forgotten itself. */
  forget(volume: string): void {
    for (const { id } of this.list(volume)) this.#deps.held.delete(id);
  }

  close(): void {
    this.#closed = true;
    this.#offChange();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** @returns why the driver could not be asked, or undefined when it is done. @throws what it says when it refuses */
  #ask(held: HeldMount, options: AskOptions): Promise<string | undefined> {
    const under = this.#asking.get(held.id);
    if (under) return under;
    const asked = this.#send(held, options).finally(() => this.#asking.delete(held.id));
    this.#asking.set(held.id, asked);
    return asked;
  }

  async #send(held: HeldMount, options: AskOptions): Promise<string | undefined> {
    let driver: Driver;
    try {
      driver = await this.#deps.drivers.get(held.driver, options.impatient ? shortMs : undefined);
    } catch (error) {
      return messageOf(error);
    }
    try {
      await driver.Unmount({ Name: held.volume, ID: held.id }, options);
    } catch (error) {
      if (isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded')) return messageOf(error);
      this.#settled(held, false);
      throw error;
    }
    this.#settled(held, held.mounted);
    return undefined;
  }

  #settled({ id, volume, driver, containerId }: HeldMount, published: boolean): void {
    if (this.#closed) return;
    this.#deps.held.delete(id);
    if (!published) return;
    const attributes = { driver, container: containerId };
    this.#deps.events.publish({ type: 'volume', action: 'unmount', id: volume, attributes });
  }

  #later(driver: string): void {
    if (this.#closed || this.#timers.has(driver)) return;
    const pauseMs = this.#pauses.get(driver) ?? firstPauseMs;
    this.#pauses.set(driver, Math.min(pauseMs * 2, longestPauseMs));
    const timer = setTimeout(() => this.#payAll(driver), pauseMs);
    this.#timers.set(driver, timer.unref());
  }

  #payAll(driver: string): void {
    clearTimeout(this.#timers.get(driver));
    this.#timers.delete(driver);
    const owed = this.list().filter((held) => held.driver === driver);
    if (owed.length === 0) this.#pauses.delete(driver);
    for (const held of owed) void this.#pay(held);
  }

  /** @param deadlineMs default: the contract's */
  async #pay(held: HeldMount, deadlineMs?: number): Promise<void> {
    const { log } = this.#deps;
    const fields = { volume: held.volume, driver: held.driver, container: held.containerId };
    try {
      const reason = await this.#ask(held, { impatient: true, deadlineMs });
      if (reason === undefined) log.info('an Unmount that was owed is done', fields);
      else this.#later(held.driver);
    } catch (error) {
      log.warn('an Unmount that was owed is refused', { ...fields, error: messageOf(error) });
    }
  }
}
