import { absenceOf } from '@cleat/extensions/absence';
import type { Extensions } from '@cleat/extensions/service';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { CallOptions } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import type { Collection } from '../store/service.js';
import { goTime, nowNanos, parseTime } from '../time.js';
import type { Drivers } from './drivers.js';

type EndpointIds = { NetworkID: string; EndpointID: string };

/** A call by which something is given back to a network driver. */
export type NetworkCall =
  | { method: 'RevokeExternalConnectivity' | 'Leave' | 'DeleteEndpoint'; request: EndpointIds }
  | { method: 'DeleteNetwork'; request: { NetworkID: string } };

/**
 * A call by which something is given back to an IPAM driver. An empty ID or address: what the holder has, whom the
 * options name.
 */
export type AddressCall =
  | { method: 'ReleaseAddress'; request: { PoolID: string; Address: string; Options?: Record<string, string> } }
  | { method: 'ReleasePool'; request: { PoolID: string; Options?: Record<string, string> } };

/** What one driver is to be told, in this order. */
export type Debt = {
  id: string;
  driver: string;
  /** What it is about, for people. */
  about: string;
  since: string;
  reason: string;
  /** How often the driver said no. */
  refusals: number;
} & ({ kind: 'network'; calls: NetworkCall[] } | { kind: 'ipam'; calls: AddressCall[] });

/** A debt that comes up: what it is about and the calls. */
export type Due = Pick<Debt, 'id' | 'driver' | 'about'> &
  ({ kind: 'network'; calls: NetworkCall[] } | { kind: 'ipam'; calls: AddressCall[] });

/** How long whoever tears something down waits for a driver, in ms; then it goes on without them. */
const patienceMs = 5_000;
const firstPauseMs = 1_000;
const longestPauseMs = 15_000;
/** A driver that says no so many times is not asked again. */
const maxRefusals = 5;

export interface OwedDeps {
  readonly debts: Collection<Debt>;
  readonly drivers: Drivers;
  readonly extensions: Extensions;
  readonly log: Logger;
  /** Whether somebody has that address or pool again: then it must not be given back. */
  readonly taken: (driver: string, call: AddressCall) => boolean;
}

/**
 * What drivers are to be told when something is torn down. One that is away or hangs holds nobody up: what it missed is
 * owed, on disk, and it is told as soon as it is back, also after a restart of the engine.
 */
export class OwedCalls {
  readonly #deps: OwedDeps;
  /** Debts that are being paid, by ID. */
  readonly #paying = new Map<string, { debt: Debt; paid: Promise<string | undefined> }>();
  /** Requests for addresses whose end nobody waits for any more, by driver and pool. */
  readonly #onTheWay = new Map<string, Set<Promise<unknown>>>();
  readonly #pauses = new Map<string, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #offChange: () => void;
  #closed = false;

  constructor(deps: OwedDeps) {
    this.#deps = deps;
    this.#offChange = deps.extensions.onChange(({ name, state }) => {
      if (state === 'active') void this.settle(name);
    });
  }

  /** In the order in which they came up. */
  list(): Debt[] {
    const debts = this.#deps.debts.entries().map(([, debt]) => ({ debt, since: parseTime(debt.since) ?? 0n }));
    return debts.sort((a, b) => Number(a.since - b.since)).map(({ debt }) => debt);
  }

  /**
   * Puts down what is to be paid, before whatever would tell that it is due is forgotten: a kill of the engine between
   * that and {@link pay} loses nothing.
   */
  note(dues: readonly Due[]): void {
    for (const due of dues) if (due.calls.length > 0) this.#deps.debts.put(due.id, newDebt(due));
  }

  /** The pool goes back only after that request for one of its addresses, and after what became of it. */
  holdPool(driver: string, pool: string, request: Promise<unknown>): void {
    const key = `${driver} ${pool}`;
    const under = this.#onTheWay.get(key) ?? new Set();
    this.#onTheWay.set(key, under.add(request));
    const ended = () => {
      under.delete(request);
      if (under.size === 0) this.#onTheWay.delete(key);
    };
    request.then(ended, ended);
  }

  /**
   * Tells drivers one after another. Never fails: what one could not be told, or refused, is owed.
   * @returns what is owed from now on, as sentences
   */
  async pay(dues: readonly Due[]): Promise<string[]> {
    const owed: string[] = [];
    for (const due of dues) {
      if (due.calls.length === 0) continue;
      const reason = await this.#patiently(newDebt(due));
      if (reason !== undefined) owed.push(`${due.about}: ${reason}`);
    }
    return owed;
  }

  /** Pays what a driver is owed, in the order in which it came up. For whoever is about to ask it for something new. */
  async settle(driver: string): Promise<void> {
    clearTimeout(this.#timers.get(driver));
    this.#timers.delete(driver);
    for (const debt of this.list().filter((owed) => owed.driver === driver)) {
      // Paid meanwhile, before something that had to wait for it.
      if (!this.#deps.debts.get(debt.id)) continue;
      if ((await this.#patiently(debt)) !== undefined) return;
    }
    this.#pauses.delete(driver);
  }

  /** After a start: what the former engine owed. */
  resume(): void {
    for (const driver of new Set(this.list().map((debt) => debt.driver))) this.#later(driver);
  }

  close(): void {
    this.#closed = true;
    this.#offChange();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** @returns why it is owed still; undefined: it is settled */
  async #patiently(debt: Debt): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('it does not answer'), patienceMs);
    });
    const reason = await Promise.race([this.#paid(debt), late]).finally(() => clearTimeout(timer));
    if (reason !== undefined) this.#owe(debt, reason);
    return reason;
  }

  #paid(debt: Debt): Promise<string | undefined> {
    const under = this.#paying.get(debt.id);
    if (under) return under.paid;
    const paid = this.#tell(debt).finally(() => this.#paying.delete(debt.id));
    this.#paying.set(debt.id, { debt, paid });
    return paid;
  }

  /**
   * Waits for what goes back before that call: a pool's addresses, a network's endpoints. What of it is owed is paid.
   * @returns why the call has to wait
   */
  async #first(debt: Debt, call: NetworkCall | AddressCall): Promise<string | undefined> {
    if (call.method !== 'ReleasePool' && call.method !== 'DeleteNetwork') return undefined;
    if (call.method === 'ReleasePool') {
      await Promise.allSettled(this.#onTheWay.get(`${debt.driver} ${call.request.PoolID}`) ?? []);
    }
    const known = [...this.#paying.values()].map((paying) => paying.debt);
    for (const other of [...known, ...this.list()]) {
      if (other.id === debt.id || other.driver !== debt.driver || !comesBefore(other, call)) continue;
      const reason = await this.#paid(other);
      if (reason === undefined) continue;
      this.#owe(other, reason);
      return `${other.about} goes back first: ${reason}`;
    }
    return undefined;
  }

  /** Each call that is done leaves the debt. @returns why one could not be made */
  async #tell(debt: Debt): Promise<string | undefined> {
    for (let next = debt.calls[0]; next !== undefined; next = debt.calls[0]) {
      const reason = (await this.#first(debt, next)) ?? (await this.#try(debt, next));
      if (reason !== undefined) return reason;
      debt.calls.shift();
    }
    if (!this.#closed && this.#deps.debts.get(debt.id)) this.#deps.debts.delete(debt.id);
    return undefined;
  }

  #try(debt: Debt, call: NetworkCall | AddressCall): Promise<string | undefined> {
    return this.#say(debt, call).then(
      () => undefined,
      (error: unknown) => this.#judge(debt, error),
    );
  }

  async #say(debt: Debt, call: NetworkCall | AddressCall): Promise<unknown> {
    const options: CallOptions = { impatient: true };
    switch (call.method) {
      case 'ReleaseAddress':
        if (this.#deps.taken(debt.driver, call)) return;
        return (await this.#deps.drivers.ipam(debt.driver, options)).ReleaseAddress(call.request, options);
      case 'ReleasePool':
        if (this.#deps.taken(debt.driver, call)) return;
        return (await this.#deps.drivers.ipam(debt.driver, options)).ReleasePool(call.request, options);
      case 'DeleteNetwork':
        return (await this.#deps.drivers.network(debt.driver, options)).DeleteNetwork(call.request, options);
      default:
        return (await this.#deps.drivers.network(debt.driver, options))[call.method](call.request, options);
    }
  }

  /** @returns why the call has to be made again; undefined when that would be of no use */
  #judge(debt: Debt, error: unknown): string | undefined {
    const reason = messageOf(error);
    if (isAway(error)) return reason;
    if (isUnknownThere(error)) return undefined;
    debt.refusals++;
    if (debt.refusals < maxRefusals) return reason;
    const { driver, about, refusals } = debt;
    this.#deps.log.error('a driver refuses to take something back; it is not asked again', {
      driver,
      about,
      refusals,
      reason,
    });
    return undefined;
  }

  #owe(debt: Debt, reason: string): void {
    if (this.#closed) return;
    const { driver, about } = debt;
    if (!this.#deps.debts.get(debt.id)) {
      this.#deps.log.warn('a driver was not told of something; it is told later', { driver, about, reason });
    }
    this.#deps.debts.put(debt.id, { ...debt, reason });
    this.#later(driver);
  }

  #later(driver: string): void {
    if (this.#closed || this.#timers.has(driver)) return;
    const pauseMs = this.#pauses.get(driver) ?? firstPauseMs;
    this.#pauses.set(driver, Math.min(pauseMs * 2, longestPauseMs));
    this.#timers.set(driver, setTimeout(() => void this.settle(driver), pauseMs).unref());
  }
}

const newDebt = (due: Due): Debt => ({ ...structuredClone(due), since: goTime(nowNanos()), reason: '', refusals: 0 });

/** Whether what is owed there is a part of what the call gives back: an address of the pool, an endpoint of the network. */
function comesBefore(debt: Debt, call: NetworkCall | AddressCall): boolean {
  if (call.method === 'ReleasePool') {
    const { PoolID } = call.request;
    const parts = debt.kind === 'ipam' && debt.calls.every(({ method }) => method === 'ReleaseAddress');
    return parts && debt.calls.some(({ request }) => request.PoolID === PoolID);
  }
  if (call.method !== 'DeleteNetwork') return false;
  const { NetworkID } = call.request;
  const parts = debt.kind === 'network' && debt.calls.every(({ method }) => method !== 'DeleteNetwork');
  return parts && debt.calls.some(({ request }) => request.NetworkID === NetworkID);
}

/** Nobody was there to say anything, or what was said was lost. */
const isAway = (error: unknown): boolean =>
  absenceOf(error) !== undefined ||
  isClass(error, 'Unavailable') ||
  isClass(error, 'DeadlineExceeded') ||
  isClass(error, 'Cancelled');

/** What a driver does not know, it need not give up: drivers of others' say so in words of their own. */
function isUnknownThere(error: unknown): boolean {
  return (
    isClass(error, 'NotFound') ||
    /not found|unknown|no such|(does|do) ?n[o']t exist|cannot find/i.test(messageOf(error))
  );
}
