import { createHash } from 'node:crypto';
import type { Logger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';
import type { LayerRecord } from '../api/images.js';

/** Facts of a step beside its result. */
export interface StepFacts {
  /** It has changed no file. */
  readonly isEmpty: boolean;
  /** Bytes of its own layer. */
  readonly size: number;
  /** RFC 3339 */
  readonly created: string;
  /** The instruction. */
  readonly what: string;
  /** The key of the step before it. */
  readonly parent?: string;
  /** All keys of the step, as it was made. */
  readonly all?: readonly string[];
}

interface StepResult extends StepFacts {
  /** The record of the engine that holds its layers; empty for one that has only a time. */
  readonly image: string;
  /** Diff IDs of all layers below and of its own. */
  readonly layers: readonly string[];
}

/** The result of a step. */
export interface Kept extends StepResult {
  readonly v: 1;
  readonly used: string;
  readonly uses: number;
}

/** A step of one build, as another build may take it. */
export interface TrailStep extends Omit<StepResult, 'all'> {
  readonly keys: readonly string[];
}

/** Steps by their keys: an instruction, what it uses, and what it stands on. Survives restarts. */
export class Cache {
  readonly #kept: DurableMap<Kept>;
  readonly #inUse = new Map<string, number>();

  constructor(file: string, log: Pick<Logger, 'warn'>) {
    this.#kept = new DurableMap<Kept>(file, log);
  }

  get(key: string): Kept | undefined {
    return this.#kept.get(key);
  }

  entries(): [key: string, kept: Kept][] {
    return this.#kept.entries();
  }

  /** @returns what it is, with its last use being now */
  use(key: string): Kept | undefined {
    const kept = this.#kept.get(key);
    if (!kept) return undefined;
    const used = { ...kept, used: new Date().toISOString(), uses: kept.uses + 1 };
    this.#kept.set(key, used);
    return used;
  }

  keep(key: string, record: LayerRecord, about: StepFacts): void {
    const { id: image, layers } = record;
    this.#kept.set(key, { v: 1, image, layers, ...about, used: new Date().toISOString(), uses: 0 });
  }

  drop(key: string): void {
    this.#kept.delete(key);
  }

  /** Forgets all that stands on a record which the engine no longer has. */
  dropImage(image: string): void {
    for (const [key, kept] of this.#kept.entries()) if (kept.image === image) this.#kept.delete(key);
  }

  /** Records that builds under way use are not pruned. */
  hold(image: string): Disposable {
    this.#inUse.set(image, (this.#inUse.get(image) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#inUse.get(image) ?? 1) - 1;
        if (left === 0) this.#inUse.delete(image);
        else this.#inUse.set(image, left);
      },
    };
  }

  isInUse(image: string): boolean {
    return this.#inUse.has(image);
  }
}

/** A key of parts, none of which can be taken for another. */
export function keyOf(...parts: readonly (string | readonly string[])[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** The key of an image's files. */
export function layersKey(layers: readonly string[]): string {
  return keyOf('layers', layers);
}
