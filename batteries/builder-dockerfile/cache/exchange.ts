import { messageOf } from '@cleat/protocol/errors';
import type { BuildContext } from '../build/context.js';
import type { State } from '../build/state.js';
import { StepView } from '../build/step-view.js';
import { csvFields } from '../language/words.js';
import { stepsIn, stepsText } from './steps.js';

/** `type=local,dest=/a` as a map; the engine has refused what nobody understands. */
function attributesOf(text: string): Map<string, string> {
  return new Map(
    csvFields(text).map((part): [string, string] => {
      const at = part.indexOf('=');
      return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
    }),
  );
}

export function isInline(to: readonly string[] | undefined): boolean {
  return to?.some((one) => attributesOf(one).get('type') === 'inline') ?? false;
}

/**
 * Brings in what `--cache-from` names: the steps, not yet their layers. What cannot be had is told, and the build goes on
 * without.
 */
export async function importAll({ request, lines, images, imports, signal }: BuildContext): Promise<void> {
  if (request.NoCache) return;
  for (const [from, text] of (request.CacheFrom ?? []).entries()) {
    const attributes = attributesOf(text);
    const shown = attributes.get('ref') ?? attributes.get('src') ?? text;
    const vertex = new StepView(lines, { ID: `cache-from:${from}`, Name: `importing cache manifest from ${shown}` });
    await vertex.start();
    try {
      const { digest, text, layers } = await images.openCache(request.ID, from, signal);
      imports.add({ from, digest, layers: new Set(layers), steps: stepsIn(text) });
      await vertex.done('');
    } catch (error) {
      signal.throwIfAborted();
      await vertex.failed(error);
      await lines.say({ Warning: { Short: `importing cache from ${shown}: ${messageOf(error)}` } });
    }
  }
}

/** Writes what `--cache-to` names. @throws what the engine says, unless the order says `ignore-error` */
export async function exportAll(context: BuildContext, result: State): Promise<void> {
  const { request, lines, images, trail, signal } = context;
  for (const [to, text] of (request.CacheTo ?? []).entries()) {
    const attributes = attributesOf(text);
    const type = attributes.get('type');
    if (type === 'inline') continue;
    const name = type === 'local' ? 'exporting cache to client directory' : 'exporting cache to registry';
    const vertex = new StepView(lines, { ID: `cache-to:${to}`, Name: name });
    await vertex.start();
    try {
      const layers = await layersOf(context, result, attributes.get('mode') === 'max');
      await vertex.status('preparing build cache for export', { isDone: true });
      const digest = await images.writeCache({ build: request.ID, to, text: stepsText(trail), layers }, signal);
      for (const layer of layers) await vertex.status(`writing layer ${layer}`, { isDone: true });
      await vertex.status(`writing cache image manifest ${digest}`, { isDone: true });
      await vertex.done('');
    } catch (error) {
      await vertex.failed(error);
      signal.throwIfAborted();
      if (!/^(1|t|true)$/i.test(attributes.get('ignore-error') ?? '')) throw error;
      await lines.say({ Warning: { Short: `exporting cache: ${messageOf(error)}` } });
    }
  }
}

/**
 * Layers of steps: those that the result has, or all of the build. What is not here was not needed: the cache that it came
 * from has it, and it is fetched for this one.
 */
async function layersOf({ trail, imports, signal }: BuildContext, result: State, isAll: boolean): Promise<string[]> {
  const own = new Set(result.layers.layers);
  const layers = new Set<string>();
  for (const { image, layers: all, isEmpty } of trail) {
    const layer = all.at(-1);
    if (isEmpty || layer === undefined || !(isAll || own.has(layer))) continue;
    await imports.real({ id: image, layers: all }, signal);
    layers.add(layer);
  }
  return [...layers];
}
