import { isClass } from '@cleat/protocol/errors';
import type { LayerRecord } from '../api/images.js';
import { keyOf, layersKey, type StepFacts, type TrailStep } from '../cache/store.js';
import { type BuildContext, Vanished } from './context.js';
import { stepImage } from './image.js';
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
  const end = async (isCached: boolean) => {
    if (context.request.StepImages)
      await stepImage(context, state, { what: step.what, ignoreCache, isLast: vertex.isLast });
    await vertex.done(context.request.StepImages ? state.image : state.layers.id, isCached);
  };
  const takeCached = async (keys: readonly string[]) => {
    if (ignoreCache) return false;
    for (const key of keys) {
      const kept = await taken(context, state, key);
      if (!kept) continue;
      context.holds.use(cache.hold(kept.id));
      state.layers = { id: kept.id, layers: kept.layers };
      describe(state, kept.created, kept.isEmpty);
      const { all = [key] } = kept;
      noteStep(context, state, { keys: all, image: kept.id, layers: kept.layers, ...factsOf(kept) });
      // The next time it need not be looked for so long. What is another's word is not kept for all.
      if (isSlow && kept.isOwn) for (const one of quick) cache.keep(one, state.layers, { ...factsOf(kept), all });
      await end(true);
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
  for (const key of all) cache.keep(key, state.layers, { ...about, all });
  noteStep(context, state, { keys: all, image: state.layers.id, layers: state.layers.layers, ...about });
  describe(state, created, isEmpty);
  await end(false);
}

/** A result of a step, of this host's own cache or of one that the build names. */
interface Taken extends LayerRecord, StepFacts {
  readonly isOwn: boolean;
}

async function taken(
  { cache, sources, imports, signal }: BuildContext,
  state: State,
  key: string,
): Promise<Taken | undefined> {
  if (sources) {
    const found = await sources.take(key, state, signal);
    return found && { ...found, isOwn: false };
  }
  const kept = cache.use(key);
  if (kept) return { ...kept, id: kept.image, isOwn: true };
  const found = imports.take(key, state.layers);
  return found && { ...found.facts, ...found.record, all: found.keys, isOwn: false };
}

function noteStep(context: BuildContext, state: State, step: TrailStep): void {
  context.trail.push(step);
  state.trail.push(step);
}

function describe(state: State, created: string, isEmpty: boolean): void {
  const entry = state.history.at(-1);
  if (!entry) return;
  entry.created = created;
  if (isEmpty) entry.empty_layer = true;
}

function factsOf({ isEmpty, size, created, what, parent }: StepFacts) {
  return { isEmpty, size, created, what, ...(parent && { parent }) };
}
