import { randomBytes } from 'node:crypto';
import { isClass } from '@cleat/protocol/errors';
import type { Images, LayerRecord } from '../api/images.js';
import type { SharedStep } from './steps.js';
import { type Cache, keyOf, type StepFacts } from './store.js';

/** A cache that `--cache-from` names. */
export interface ImportedCache {
  /** Which of the build's it is. */
  readonly from: number;
  /** Digest of the whole cache. */
  readonly digest: string;
  /** Diff IDs of the layers that it has; of other steps it knows the result, and no more. */
  readonly layers: ReadonlySet<string>;
  readonly steps: readonly SharedStep[];
}

interface Found {
  readonly cache: ImportedCache;
  readonly step: SharedStep;
}

/** A layer that is known, and not yet here. */
interface Pending extends Found {
  readonly below: LayerRecord;
  readonly key: string;
  here?: Promise<LayerRecord>;
}

/** A layer cannot be had, although a cache knows it: the step must be done after all, and the build begins anew. */
export class Missing extends Error {
  constructor(
    readonly from: number,
    /** The cache says that it has it. */
    readonly isListed: boolean,
    cause: unknown,
  ) {
    super('a layer of an imported cache cannot be had', { cause });
    this.name = 'Missing';
  }
}

/**
 * Steps of caches from elsewhere, for one build. That a layer is the result of a step is the word of who has written the
 * cache: it counts in builds that name that cache, and is never kept for others. A layer is fetched when its files are
 * needed, so that stages whose result is known cost nothing.
 */
export class Imports {
  readonly #steps = new Map<string, Found>();
  readonly #pending = new Map<string, Pending>();

  constructor(
    readonly build: string,
    readonly images: Pick<Images, 'addCachedLayer'>,
    readonly cache: Cache,
    readonly hold: (one: Disposable) => void,
  ) {}

  /** Steps of a cache that was named before are preferred. */
  add(cache: ImportedCache): void {
    for (const step of cache.steps) {
      for (const key of step.keys) if (!this.#steps.has(key)) this.#steps.set(key, { cache, step });
    }
  }

  /** Forgets what cannot be had: all that caches do not have themselves, or all of a cache that is broken. */
  giveUp({ from, isListed }: Missing): void {
    for (const [key, { cache, step }] of this.#steps) {
      if (isListed ? cache.from === from : step.layer !== '' && !cache.layers.has(step.layer)) this.#steps.delete(key);
    }
  }

  /** The result of the step of that key, on top of the layers below it. */
  take(
    key: string,
    below: LayerRecord,
  ): { record: LayerRecord; facts: StepFacts; keys: readonly string[] } | undefined {
    const found = this.#steps.get(key);
    if (!found) return undefined;
    const { isEmpty, size, created, what, layer } = found.step;
    const facts = { isEmpty, size, created, what };
    const { keys } = found.step;
    if (isEmpty) return { record: below, facts, keys };
    const layers = [...below.layers, layer];
    const kept = this.cache.use(scopedKey(found, key));
    if (kept && kept.layers.join() === layers.join()) {
      this.hold(this.cache.hold(kept.image));
      return { record: { id: kept.image, layers }, facts, keys };
    }
    const id = `${pendingPrefix}${randomBytes(8).toString('hex')}`;
    this.#pending.set(id, { ...found, below, key });
    return { record: { id, layers }, facts, keys };
  }

  /** The record as the engine has it, fetched where it was not here. @throws Missing */
  async real(record: LayerRecord, signal: AbortSignal): Promise<LayerRecord> {
    const pending = this.#pending.get(record.id);
    if (!pending) return record;
    pending.here ??= this.#fetch(pending, signal);
    return await pending.here;
  }

  async #fetch({ cache, step, below, key }: Pending, signal: AbortSignal): Promise<LayerRecord> {
    const { id: parent } = await this.real(below, signal);
    let record: LayerRecord;
    try {
      const { layer } = step;
      record = await this.images.addCachedLayer({ build: this.build, from: cache.from, layer, parent }, signal);
    } catch (error) {
      signal.throwIfAborted();
      // A layer that is not what it says is none: the step is done instead.
      if (isClass(error, 'Cancelled')) throw error;
      throw new Missing(cache.from, cache.layers.has(step.layer), error);
    }
    this.hold(this.cache.hold(record.id));
    const { isEmpty, size, created, what } = step;
    this.cache.keep(scopedKey({ cache }, key), record, { isEmpty, size, created, what });
    return record;
  }
}

const pendingPrefix = 'pending:';

/** A record that is not with the engine yet. */
export function isPending(id: string): boolean {
  return id.startsWith(pendingPrefix);
}

/** A key under which only builds that name the same cache look. */
function scopedKey({ cache }: Pick<Found, 'cache'>, key: string): string {
  return keyOf('imported', cache.digest, key);
}
