import type { CallOptions } from '@cleat/protocol/kinds/kind';
import type { Message, Outbox, Outcome, Queue } from '../outbox/service.js';
import type { Store } from '../store/service.js';
import type { Drivers } from './drivers.js';

type EndpointIds = { NetworkID: string; EndpointID: string };

/** A call by which something is given back to a network driver. */
export type NetworkCall =
  | { method: 'RevokeExternalConnectivity' | 'Leave' | 'DeleteEndpoint'; request: EndpointIds }
  | { method: 'DeleteNetwork' | 'FreeNetwork'; request: { NetworkID: string } };

/**
 * A call by which something is given back to an IPAM driver. An empty ID or address: what the holder has, whom the
 * options name.
 */
export type AddressCall =
  | { method: 'ReleaseAddress'; request: { PoolID: string; Address: string; Options?: Record<string, string> } }
  | { method: 'ReleasePool'; request: { PoolID: string; Options?: Record<string, string> } };

export type DriverCall = NetworkCall | AddressCall;
/** A call to one driver when something is torn down. */
export type DriverMessage = Message<DriverCall>;

/** Their calls name what they give back, and drivers refuse for reasons that pass: a leak would last. */
const attempts = 5;

export interface NetworkOutboxDeps {
  readonly outbox: Outbox;
  readonly store: Store;
  readonly drivers: Drivers;
  /** Whether somebody has that address or pool again: then it must not be given back. */
  readonly taken: (driver: string, call: AddressCall) => boolean;
}

/**
 * Calls to drivers when something is torn down: a pool goes back after its addresses, a network after its
 * endpoints.
 */
export class NetworkOutbox {
  readonly #queue: Queue<DriverCall>;
  /** Requests for addresses whose end nobody waits for any longer, by driver and pool. */
  readonly #onTheWay = new Map<string, Set<Promise<unknown>>>();

  constructor({ outbox, store, drivers, taken }: NetworkOutboxDeps) {
    this.#queue = outbox.queue<DriverCall>('networks', {
      attempts,
      call: (driver, call, options) => make(drivers, driver, call, options),
      isMoot: (driver, call) => isAddressCall(call) && taken(driver, call),
      ready: async (driver, call) => {
        if (call.method === 'ReleasePool') {
          await Promise.allSettled(this.#onTheWay.get(`${driver} ${call.request.PoolID}`) ?? []);
        }
      },
      comesBefore,
    });
    takeOver(store, this.#queue);
  }

  list(): DriverMessage[] {
    return this.#queue.list();
  }

  /** See {@link Queue.note}. */
  note(messages: readonly DriverMessage[]): void {
    this.#queue.note(messages);
  }

  /** One after another, in this order. Never fails. */
  async send(messages: readonly DriverMessage[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const message of messages) outcomes.push(await this.#queue.send(message));
    return outcomes;
  }

  /** See {@link Queue.settle}. */
  settle(driver: string): Promise<void> {
    return this.#queue.settle(driver);
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
}

const isAddressCall = (call: DriverCall): call is AddressCall =>
  call.method === 'ReleaseAddress' || call.method === 'ReleasePool';

const isNetworkCall = (call: DriverCall): call is Extract<NetworkCall, { method: 'DeleteNetwork' | 'FreeNetwork' }> =>
  call.method === 'DeleteNetwork' || call.method === 'FreeNetwork';

async function make(drivers: Drivers, driver: string, call: DriverCall, options: CallOptions): Promise<unknown> {
  switch (call.method) {
    case 'ReleaseAddress':
      return (await drivers.ipam(driver, options)).ReleaseAddress(call.request, options);
    case 'ReleasePool':
      return (await drivers.ipam(driver, options)).ReleasePool(call.request, options);
    case 'DeleteNetwork':
    case 'FreeNetwork':
      return (await drivers.network(driver, options))[call.method](call.request, options);
    default:
      return (await drivers.network(driver, options))[call.method](call.request, options);
  }
}

/** Whether that message gives back a part of what the call does: an address of the pool, an endpoint of the network. */
function comesBefore({ calls }: DriverMessage, call: DriverCall): boolean {
  if (call.method === 'ReleasePool') {
    const { PoolID } = call.request;
    const isPart = calls.every(({ method }) => method === 'ReleaseAddress');
    return isPart && calls.some((part) => isAddressCall(part) && part.request.PoolID === PoolID);
  }
  if (!isNetworkCall(call)) return false;
  const { NetworkID } = call.request;
  const isPart = calls.every((part) => !isAddressCall(part) && !isNetworkCall(part));
  return isPart && calls.some((part) => !isAddressCall(part) && part.request.NetworkID === NetworkID);
}

/** As versions before the outbox kept it, in a collection of its own. */
interface Debt {
  id: string;
  driver: string;
  about: string;
  since: string;
  reason: string;
  calls: DriverCall[];
}

function takeOver(store: Store, queue: Queue<DriverCall>): void {
  const former = store.collection<Debt>('networks-owed');
  for (const [key, { id, driver, about, since, reason, calls }] of former.entries()) {
    store.transaction(() => {
      queue.postpone({ id, extension: driver, about, calls }, reason, since);
      former.delete(key);
    });
  }
}
