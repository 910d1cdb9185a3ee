import { setTimeout } from '@cleat/protocol/guard';
import type { ObjectKind } from './kinds.js';
import type { EngineEvent } from './message.js';

/** An object that has to be looked at, with what told of it. */
export interface ObjectLook {
  readonly kind: ObjectKind;
  readonly id: string;
  readonly event?: EngineEvent;
}

/** A list that has to be looked at, with what told of its objects, by their IDs. */
export interface ListLook {
  readonly kind: ObjectKind;
  readonly events: ReadonlyMap<string, EngineEvent>;
}

/** More than this, and a list is cheaper. */
const mostObjects = 1_000;
/** An engine may tell of a change a moment before it shows it. */
const settledMs = 1_000;

/**
 * The objects of the picture that are not up to date. However many events come while the consumer is busy, an object is
 * in here once, and too many objects are their kind's list.
 */
export class Outdated {
  readonly #kinds: readonly ObjectKind[];
  readonly #lists = new Map<ObjectKind, Map<string, EngineEvent>>();
  readonly #objects = new Map<string, ObjectLook>();
  readonly #settling = new Map<string, NodeJS.Timeout>();
  #wake = () => {};

  constructor(kinds: readonly ObjectKind[]) {
    this.#kinds = kinds;
  }

  everything(): void {
    for (const kind of this.#kinds) this.list(kind);
  }

  list(kind: ObjectKind, event?: EngineEvent): void {
    const events = this.#lists.get(kind) ?? new Map<string, EngineEvent>();
    this.#lists.set(kind, events);
    for (const [key, look] of this.#objects) {
      if (look.kind !== kind) continue;
      if (look.event) events.set(look.id, look.event);
      this.#objects.delete(key);
    }
    if (event && events.size < mostObjects) events.set(event.Actor.ID, event);
    this.#wake();
  }

  object(kind: ObjectKind, id: string, event: EngineEvent): void {
    if (this.#lists.has(kind) || this.#objects.size >= mostObjects) {
      this.list(kind, event);
      return;
    }
    this.#add({ kind, id, event });
  }

  /** Has an object looked at once more, a moment later. */
  settle({ kind, id, event }: ObjectLook): void {
    const key = `${kind} ${id}`;
    if (event === undefined || this.#settling.has(key)) return;
    const timer = setTimeout(() => {
      this.#settling.delete(key);
      if (!this.#lists.has(kind)) this.#add({ kind, id });
    }, settledMs);
    this.#settling.set(key, timer);
  }

  /** Lists first; objects in the order in which they changed. */
  take(): ObjectLook | ListLook | undefined {
    for (const [kind, events] of this.#lists) {
      this.#lists.delete(kind);
      return { kind, events };
    }
    for (const [key, look] of this.#objects) {
      this.#objects.delete(key);
      return look;
    }
    return undefined;
  }

  /** The reason why an object has to be looked at. */
  eventOf(kind: ObjectKind, id: string): EngineEvent | undefined {
    return this.#lists.get(kind)?.get(id) ?? this.#objects.get(`${kind} ${id}`)?.event;
  }

  get hasLists(): boolean {
    return this.#lists.size > 0;
  }

  /** Waits until there may be something. */
  async more(): Promise<void> {
    if (this.#lists.size + this.#objects.size > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Lets go those who wait for more. */
  wake(): void {
    this.#wake();
  }

  close(): void {
    for (const timer of this.#settling.values()) clearTimeout(timer);
    this.#settling.clear();
    this.#wake();
  }

  #add(look: ObjectLook): void {
    const key = `${look.kind} ${look.id}`;
    const event = look.event ?? this.#objects.get(key)?.event;
    this.#objects.set(key, { ...look, event });
    this.#wake();
  }
}
