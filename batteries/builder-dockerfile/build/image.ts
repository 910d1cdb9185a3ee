import { isClass } from '@cleat/protocol/errors';
import { isInline } from '../cache/exchange.js';
import { stepsText } from '../cache/steps.js';
import { keyOf, layersKey } from '../cache/store.js';
import { type BuildContext, Vanished } from './context.js';
import type { State } from './state.js';
import { rightNow } from './step-view.js';

/** The image of the target, with its whole configuration and history. @throws Vanished, Missing */
export async function finished(context: BuildContext, state: State): Promise<string> {
  state.layers = await context.imports.real(state.layers, context.signal);
  const { request, cache, epoch } = context;
  const config = { ...state.config };
  if (request.Labels && Object.keys(request.Labels).length > 0) config.Labels = { ...config.Labels, ...request.Labels };
  const history = state.history;
  // An entry without a time of its own has that of the first build.
  const facts = history.map((entry) => [entry.created_by, entry.created ?? '', entry.empty_layer ?? false]);
  const key = keyOf(
    'image',
    state.base,
    state.layers.layers,
    JSON.stringify(config),
    JSON.stringify(facts),
    state.author ?? '',
  );
  const kept = request.NoCache ? undefined : cache.use(key);
  const moment = epoch === undefined ? (kept?.created ?? rightNow()) : timeOf(epoch);
  const created = (given: string | undefined) => (epoch === undefined ? (given ?? moment) : moment);
  const id = await composed(context, state, {
    config,
    history: history.map((entry) => ({ ...entry, created: created(entry.created) })),
    created: created(latest(history) ?? (history.length === 0 ? undefined : moment)),
    ...(isInline(request.CacheTo) && { cache: stepsText(context.trail) }),
  });
  if (!kept && epoch === undefined) {
    cache.keep(key, { id: '', layers: [] }, { isEmpty: true, size: 0, created: moment, what: 'image' });
  }
  return id;
}

/**
 * The image of a step, as the classic builder has it: the state's from now on. The steps that made it go with it, so
 * that `--cache-from` finds them on any host.
 * @returns whether it is the same as in an earlier build @throws Vanished
 */
export async function stepImage(
  context: BuildContext,
  state: State,
  { what, ignoreCache, isLast }: { what: string; ignoreCache: boolean; isLast: boolean },
): Promise<boolean> {
  const { cache, epoch } = context;
  state.layers = await context.imports.real(state.layers, context.signal);
  const { config, layers } = state;
  const entry = state.history.at(-1);
  const key = keyOf(
    'step image',
    state.image,
    layers.layers,
    JSON.stringify(config),
    [entry?.created_by ?? '', entry?.created ?? ''],
    state.author ?? '',
  );
  const kept = ignoreCache ? undefined : cache.use(key);
  const made = context.sources && !ignoreCache ? await context.sources.created(state, layers.layers) : kept?.created;
  if (kept && kept.created === made && epoch === undefined && !isLast) {
    // It is there from the build before; only the result must be for certain.
    if (entry) entry.created ??= kept.created;
    state.image = kept.image;
    return true;
  }
  const created = epoch === undefined ? (entry?.created ?? made ?? rightNow()) : timeOf(epoch);
  if (entry) entry.created = created;
  const history = epoch === undefined ? state.history : state.history.map((one) => ({ ...one, created }));
  const cacheText = stepsText(state.trail, epoch === undefined ? undefined : created);
  state.image = await composed(context, state, { config, history, created, cache: cacheText });
  context.holds.use(cache.hold(state.image));
  if (kept?.image !== state.image) {
    const about = { isEmpty: true, size: 0, created, what, parent: layersKey(layers.layers) };
    cache.keep(key, { id: state.image, layers: layers.layers }, about);
  }
  return made !== undefined;
}

async function composed(
  { images, signal }: BuildContext,
  state: State,
  parts: Pick<Parameters<BuildContext['images']['compose']>[0], 'config' | 'history' | 'created' | 'cache'>,
): Promise<string> {
  const { base, layers, platform, author } = state;
  try {
    const given = { parent: layers.id, base, platform, ...(author !== undefined && { author }), ...parts };
    return (await images.compose(given, signal)).id;
  } catch (error) {
    if (isClass(error, 'NotFound') && layers.id !== base) throw new Vanished(layers.id);
    throw error;
  }
}

/** The time of the last step, if all have one. */
function latest(history: State['history']): string | undefined {
  return history.at(-1)?.created;
}

function timeOf(epoch: number): string {
  return new Date(epoch * 1000).toISOString();
}
