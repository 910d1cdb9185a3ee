import type { EventType } from '@cleat/protocol/api/event';
import type { Caller } from '@cleat/protocol/caller';
import type { Collection, Store } from '../store/service.js';

/** An event on its way into the journal. */
export interface Announced {
  readonly type: EventType;
  readonly action: string;
  readonly id: string;
  readonly attributes: Record<string, string>;
  /** Nanoseconds since the epoch, as digits. */
  readonly time: string;
  readonly caller?: Caller | undefined;
}

interface Untold {
  v: 1;
  /** Number that the first of them is going to have. */
  event: number;
  events: readonly Announced[];
}

/** There is one: in each transaction that has events they replace those of the one before, which were told by then. */
const key = 'latest';

/**
 * The events of the latest transaction that has any, in the store: written with the records that they tell of, before
 * they are in the journal, which is a file of its own. From it the next engine sees what this one, killed between both,
 * has not told.
 */
export class UntoldEvents {
  readonly #store: Pick<Store, 'collection' | 'together'>;
  readonly #collection: Collection<Untold>;

  constructor(store: Pick<Store, 'collection' | 'together'>) {
    this.#store = store;
    this.#collection = store.collection<Untold>('untold-events');
  }

  /** Does work whose transactions also hold the events that are present at their end. */
  with<T>(work: () => T, present: () => { next: number; events: readonly Announced[] }): T {
    return this.#store.together(work, () => {
      const { next, events } = present();
      if (events.length > 0) this.#collection.put(key, { v: 1, event: next, events });
    });
  }

  /** Has told what the engine before had not. @param holds whether the journal has the event of a number */
  recover(holds: (event: number) => boolean, next: () => number, tell: (event: Announced) => void): void {
    const untold = this.#collection.get(key);
    if (!untold) return;
    const events = untold.events.filter((_, at) => !holds(untold.event + at));
    if (events.length === 0) return;
    // The numbers that they were going to have are gone for good.
    this.#collection.put(key, { v: 1, event: next(), events });
    for (const event of events) tell(event);
  }
}
