import type { Collection } from '../store/service.js';
import { parseTime } from '../time.js';
import type { Pending } from './service.js';

/** The pending calls of one queue, on disk. */
export class Entries<Call extends object> {
  readonly #all: Collection<Pending<Call>>;
  readonly #queue: string;

  constructor(all: Collection<Pending<Call>>, queue: string) {
    this.#all = all;
    this.#queue = queue;
  }

  get(id: string): Pending<Call> | undefined {
    return this.#all.get(this.#key(id));
  }

  put(entry: Pending<Call>): void {
    this.#all.put(this.#key(entry.id), entry);
  }

  delete(id: string): void {
    if (this.get(id)) this.#all.delete(this.#key(id));
  }

  /** In the order in which they came up. */
  list(): Pending<Call>[] {
    const own = this.#all.entries().filter(([key]) => key.startsWith(this.#key('')));
    const dated = own.map(([, entry]) => ({ entry, since: parseTime(entry.since) ?? 0n }));
    return dated.sort((a, b) => Number(a.since - b.since)).map(({ entry }) => entry);
  }

  #key(id: string): string {
    return `${this.#queue} ${id}`;
  }
}
