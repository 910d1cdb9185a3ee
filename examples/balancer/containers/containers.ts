import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/sdk';
import { type Engine, type EngineEvent, events, watch } from '@cleat/sdk/watch';
import { type Container, containerOf, isFarewell } from './container.js';

/** A little longer than a container may take to end. */
const patienceMs = 5_000;

export interface ContainersSettings {
  readonly engine: Engine;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** How often all are listed without a reason. */
  readonly relistMs: number | undefined;
  /** Called after each change. */
  readonly changed: () => void;
  /** Called when a container was told to end, before it has ended where the engine tells so in time. */
  readonly leaving: (id: string) => void;
}

/** The containers that run, and which of them are about to end. */
export class Containers {
  readonly #settings: ContainersSettings;
  readonly #running = new Map<string, Container>();
  readonly #leaving = new Map<string, NodeJS.Timeout>();
  #complete = false;
  #eventCount = 0;

  constructor(settings: ContainersSettings) {
    this.#settings = settings;
  }

  get running(): ReadonlyMap<string, Container> {
    return this.#running;
  }

  /** Whether all were told once: before that, who is missing may still come. */
  get isComplete(): boolean {
    return this.#complete;
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  /** Until the signal. @throws what `watch` throws */
  async follow(): Promise<void> {
    try {
      await Promise.all([this.#followPicture(), this.#followKills()]);
    } finally {
      for (const timer of this.#leaving.values()) clearTimeout(timer);
    }
  }

  async #followPicture(): Promise<void> {
    const { engine, log, signal, relistMs, changed } = this.#settings;
    const running = { status: ['running'] };
    for await (const change of watch(engine, { containers: running, inspect: true, log, signal, relistMs })) {
      if (change.type === 'synced') this.#complete = true;
      else if (change.kind === 'container') {
        if (change.event) this.#eventCount++;
        const container = change.type === 'removed' ? undefined : containerOf(change);
        // After a restart it is as new as another one.
        if (container?.startedAt !== this.#running.get(change.id)?.startedAt) this.#forget(change.id);
        if (container) this.#running.set(change.id, container);
        else this.#running.delete(change.id);
      }
      changed();
    }
  }

  /** The picture is the same before and after a signal. */
  async #followKills(): Promise<void> {
    const { engine, signal } = this.#settings;
    const filters = { type: ['container'], event: ['kill'] };
    for await (const item of events(engine, { filters, signal })) if (item.type === 'event') this.#kill(item.event);
  }

  #kill({ Actor, timeNano }: EngineEvent): void {
    const container = this.#running.get(Actor.ID);
    if (!container || !isFarewell(container, Actor.Attributes.signal ?? '')) return;
    // A late event, of the life before.
    if (Number(timeNano / 1_000_000n) < Date.parse(container.startedAt)) return;
    this.#eventCount++;
    this.leaves(container);
  }

  /** Takes a container for one that is about to end. */
  leaves({ id, stopMs }: Container): void {
    clearTimeout(this.#leaving.get(id));
    // A container that ignores the signal goes on, and is back then.
    this.#leaving.set(
      id,
      setTimeout(() => this.stays(id), stopMs + patienceMs),
    );
    this.#settings.leaving(id);
  }

  /** It is not about to end, or has. */
  stays(id: string): void {
    if (!this.#leaving.has(id)) return;
    this.#forget(id);
    this.#settings.changed();
  }

  /** By its name, its ID, or the beginning of it that no other has. */
  find(reference: string): Container | undefined {
    const all = [...this.#running.values()];
    const named = all.find(({ name, id }) => name === reference.replace(/^\//, '') || id === reference);
    if (named || !/^[0-9a-f]+$/.test(reference)) return named;
    const [first, ...more] = all.filter(({ id }) => id.startsWith(reference));
    return more.length === 0 ? first : undefined;
  }

  #forget(id: string): void {
    clearTimeout(this.#leaving.get(id));
    this.#leaving.delete(id);
  }
}
