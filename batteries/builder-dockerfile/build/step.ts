import { isClass } from '@cleat/protocol/errors';
import type { LayerRecord } from '../api/images.js';
import { type Kept, keyOf, layersKey } from '../cache/store.js';
import { type BuildContext, Vanished } from './context.js';
import type { State } from './state.js';
import { rightNow, type StepView } from './step-view.js';

/** An instruction that may make a layer. */
export interface Step {
  /** The instruction, for people. */
  readonly what: string;
  /** Keys that are known without looking at files. */
  readonly quickKeys?: readonly string[];
  prepare(): Promise<Prepared>;
}

export interface Prepared {
  readonly keys: readonly string[];
  make(signal: AbortSignal): Promise<{ record: LayerRecord; size: number }>;
}

/**
 * Does a step, or takes what the cache has of it; the state's last line of history is its own.
 * @param ignoreCache whatever the cache has, it is done
 */
export async function perform(
  context: BuildContext,
  state: State,
  step: Step,
  vertex: StepView,
  ignoreCache: boolean,
): Promise<void> {
  const { cache } = context;
  const below = layersKey(state.layers.layers);
  const own = (keys: readonly string[]) => keys.map((key) => keyOf('step', below, key));
  const quick = own(step.quickKeys ?? []);
  let isSlow = false;
  const takeCached = async (keys: readonly string[]) => {
    if (ignoreCache) return false;
    for (const key of keys) {
      const kept = cache.use(key);
      if (!kept) continue;
      context.holds.use(cache.hold(kept.image));
      state.layers = { id: kept.image, layers: kept.layers };
      describe(state, kept.created, kept.isEmpty);
      context.trail.push({ keys: [key], image: kept.image, layers: kept.layers, ...factsOf(kept) });
      // The next time it need not be looked for so long.
      if (isSlow) for (const one of quick) cache.keep(one, state.layers, factsOf(kept));
      await vertex.done(kept.image, true);
      return true;
    }
    return await takeImported(keys);
  };
  /** A result from elsewhere is not kept for other builds: those that name no such cache do not believe it. */
  const takeImported = async (keys: readonly string[]) => {
    for (const key of keys) {
      const found = context.imports.take(key, state.layers);
      if (!found) continue;
      state.layers = found.record;
      describe(state, found.facts.created, found.facts.isEmpty);
      context.trail.push({ keys: found.keys, image: found.record.id, layers: found.record.layers, ...found.facts });
      await vertex.done(found.record.id, true);
      return true;
    }
    return false;
  };
  if (await takeCached(quick)) return;
  const prepared = await step.prepare();
  const keys = own(prepared.keys);
  isSlow = true;
  if (await takeCached(keys)) return;
  state.layers = await context.imports.real(state.layers, context.signal);
  const release = await context.slots.take(context.signal);
  let made: { record: LayerRecord; size: number };
  try {
    made = await prepared.make(context.signal);
  } catch (error) {
    // The layers below came from the cache, and the engine no longer has them.
    if (isClass(error, 'NotFound') && state.layers.id !== '' && error.message.includes(state.layers.id)) {
      throw new Vanished(state.layers.id);
    }
    throw error;
  } finally {
    release();
  }
  const isEmpty = made.record.layers.length === state.layers.layers.length;
  const created = rightNow();
  state.layers = isEmpty ? { ...state.layers, id: made.record.id } : made.record;
  context.holds.use(cache.hold(made.record.id));
  const about = { isEmpty, size: isEmpty ? 0 : made.size, created, what: step.what, parent: below };
  const all = [...keys, ...quick];
  for (const key of all) cache.keep(key, state.layers, about);
  context.trail.push({ keys: all, image: state.layers.id, layers: state.layers.layers, ...about });
  describe(state, created, isEmpty);
  await vertex.done(state.layers.id);
}

function describe(state: State, created: string, isEmpty: boolean): void {
  const entry = state.history.at(-1);
  if (!entry) return;
  entry.created = created;
  if (isEmpty) entry.empty_layer = true;
}

function factsOf({ isEmpty, size, created, what, parent }: Kept) {
  return { isEmpty, size, created, what, ...(parent && { parent }) };
}
