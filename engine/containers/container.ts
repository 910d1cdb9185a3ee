import type { Collection } from '../store/service.js';
import { Mutex } from './mutex.js';
import { type ContainerRecord, isRunning } from './record.js';
import { Waiters } from './waiters.js';

/** A container in memory: its record, and what belongs to this engine's life only. */
export class Container {
  readonly record: ContainerRecord;
  /** Held by whatever changes the container; readers do not take it. */
  readonly lock = new Mutex();
  readonly waiters = new Waiters();
  /** IDs of its exec sessions, for inspect. */
  readonly execIds = new Set<string>();
  readonly #collection: Collection<ContainerRecord>;

  constructor(record: ContainerRecord, collection: Collection<ContainerRecord>) {
    this.record = record;
    this.#collection = collection;
  }

  get id(): string {
    return this.record.id;
  }

  get running(): boolean {
    return isRunning(this.record.state);
  }

  /** Writes the record as it is now. A container that was removed stays removed. */
  save(): void {
    if (this.record.state.status !== 'removing' || this.#collection.get(this.id)) {
      this.#collection.put(this.id, this.record);
    }
  }

  forget(): void {
    this.#collection.delete(this.id);
  }
}
