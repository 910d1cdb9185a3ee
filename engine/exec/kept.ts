import type { Exec } from './exec.js';

/** Execs that clients never start, or never ask about again, are forgotten from this number on, oldest first. */
const maxCount = 10_000;
const maxBytes = 64 * 1024 * 1024;
/** Memory of an exec besides its texts. */
const ownBytes = 1000;

export interface KeptBounds {
  count: number;
  bytes: number;
}

/**
 * The execs that can be asked for. Stock engines keep one that was never started for as long as its container runs; a
 * client that makes them in a loop would fill the memory.
 */
export class KeptExecs {
  readonly #execs = new Map<string, { exec: Exec; bytes: number }>();
  readonly #bounds: KeptBounds;
  #bytes = 0;

  constructor(bounds: KeptBounds = { count: maxCount, bytes: maxBytes }) {
    this.#bounds = bounds;
  }

  get(id: string): Exec | undefined {
    return this.#execs.get(id)?.exec;
  }

  /** @param forget hears of those that go for it; none of them runs */
  add(exec: Exec, forget: (exec: Exec) => void): void {
    const bytes = ownBytes + textBytes(exec.request);
    this.#execs.set(exec.id, { exec, bytes });
    this.#bytes += bytes;
    for (const { exec: oldest } of this.#execs.values()) {
      if (this.#execs.size <= this.#bounds.count && this.#bytes <= this.#bounds.bytes) return;
      if (oldest === exec || oldest.state === 'running') continue;
      this.delete(oldest.id);
      forget(oldest);
    }
  }

  delete(id: string): void {
    this.#bytes -= this.#execs.get(id)?.bytes ?? 0;
    this.#execs.delete(id);
  }
}

function textBytes(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, each) => sum + textBytes(each), 0);
}
