import { messageOf } from '@cleat/protocol/errors';
import type { Collection } from '../store/service.js';
import { parseTime } from '../time.js';
import type { Pending } from './service.js';

/** How many messages of a queue may wait in memory until the disk has room for them. */
const maxUnwritten = 1_000;

/**
 * The pending calls of one queue, on disk. What a full disk does not take is here as if it had, and is written with the
 * next change that it takes.
 */
export class Entries<Call extends object> {
  readonly #all: Collection<Pending<Call>>;
  readonly #queue: string;
  readonly #unwritten = new Map<string, Pending<Call>>();
  /** They are on disk still, and count as deleted. */
  readonly #undeleted = new Set<string>();

  constructor(all: Collection<Pending<Call>>, queue: string) {
    this.#all = all;
    this.#queue = queue;
  }

  get(id: string): Pending<Call> | undefined {
    if (this.#undeleted.has(id)) return undefined;
    return this.#unwritten.get(id) ?? this.#all.get(this.#key(id));
  }

  /** @throws System when the disk is full */
  put(entry: Pending<Call>): void {
    this.#all.put(this.#key(entry.id), entry);
    this.#unwritten.delete(entry.id);
    this.#undeleted.delete(entry.id);
  }

  /**
   * The same, but a message that the disk has no room for is kept in memory.
   * @returns why it is not on disk
   * @throws System when the disk is full, and so many are in memory that this one is lost
   */
  keep(entry: Pending<Call>): string | undefined {
    try {
      this.put(entry);
      return undefined;
    } catch (error) {
      if (!this.#unwritten.has(entry.id) && this.#unwritten.size >= maxUnwritten) throw error;
      this.#unwritten.set(entry.id, entry);
      this.#undeleted.delete(entry.id);
      return messageOf(error);
    }
  }

  delete(id: string): void {
    this.#unwritten.delete(id);
    if (!this.#all.get(this.#key(id))) return;
    this.#undeleted.add(id);
    this.write();
  }

  /** Tries to write what the disk did not take before. */
  write(): void {
    try {
      for (const id of this.#undeleted) {
        this.#all.delete(this.#key(id));
        this.#undeleted.delete(id);
      }
      for (const entry of this.#unwritten.values()) this.put(entry);
    } catch {
      // It is full still.
    }
  }

  /** In the order in which they came up. */
  list(): Pending<Call>[] {
    const prefix = this.#key('');
    const known = new Map(
      this.#all
        .entries()
        .flatMap(([key, entry]): [string, Pending<Call>][] => (key.startsWith(prefix) ? [[entry.id, entry]] : [])),
    );
    for (const [id, entry] of this.#unwritten) known.set(id, structuredClone(entry));
    for (const id of this.#undeleted) known.delete(id);
    const dated = [...known.values()].map((entry) => ({ entry, since: parseTime(entry.since) ?? 0n }));
    return dated.sort((a, b) => Number(a.since - b.since)).map(({ entry }) => entry);
  }

  #key(id: string): string {
    return `${this.#queue} ${id}`;
  }
}
