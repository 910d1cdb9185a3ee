import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { writeFileDurably } from '@cleat/sdk';
import type { BuildContext } from '../build/context.js';
import { StepView } from '../build/step-view.js';
import { fault } from '../language/fault.js';
import { hasFacts, inlineSteps, stepsIn } from './inline.js';
import type { TrailStep } from './store.js';

const listName = 'cleat-cache.json';
const archiveName = 'cleat-cache.tar';

/** `type=local,src=/a` as a map. */
function attributesOf(text: string): Map<string, string> {
  return new Map(
    text.split(',').map((part): [string, string] => {
      const at = part.indexOf('=');
      return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
    }),
  );
}

export function isInline(to: readonly string[] | undefined): boolean {
  return to?.some((one) => attributesOf(one).get('type') === 'inline') ?? false;
}

/** Brings in what `--cache-from` names. What cannot be had is told, and the build goes on without. */
export async function importAll(context: BuildContext): Promise<void> {
  for (const [index, from] of (context.request.CacheFrom ?? []).entries()) {
    const vertex = new StepView(context.lines, { ID: `cache-from:${index}`, Name: `importing cache from ${from}` });
    await vertex.start();
    try {
      const attributes = attributesOf(from);
      const type = attributes.get('type');
      if (type === 'local') await importLocal(context, attributes.get('src') ?? '');
      else if (type === undefined || type === 'registry')
        await importImage(context, attributes.get('ref') ?? from, vertex);
      else throw fault(`the cache of type ${type} is not supported: use type=local, or the name of an image`);
      await vertex.done('');
    } catch (error) {
      context.signal.throwIfAborted();
      await vertex.failed(error);
      await context.lines.say({ Warning: { Short: `importing cache from ${from}: ${messageOf(error)}` } });
    }
  }
}

/** Writes what `--cache-to` names. @throws DockerfileFault for what is not supported */
export async function exportAll(context: BuildContext): Promise<void> {
  for (const to of context.request.CacheTo ?? []) {
    const attributes = attributesOf(to);
    const type = attributes.get('type');
    if (type === 'inline') continue;
    const dest = attributes.get('dest') ?? '';
    if (type !== 'local' || !dest.startsWith('/')) {
      throw fault(`the cache ${to} is not supported: use type=inline, or type=local,dest=/absolute`);
    }
    await exportLocal(context, dest);
  }
}

async function exportLocal({ trail, images, signal }: BuildContext, dest: string): Promise<void> {
  mkdirSync(dest, { recursive: true });
  const ids = [...new Set(trail.filter(({ layers }) => layers.length > 0).map(({ image }) => image))];
  if (ids.length > 0) {
    const draft = join(dest, `${archiveName}.new`);
    await pipeline(await images.save(ids, signal), createWriteStream(draft));
    renameSync(draft, join(dest, archiveName));
  }
  // The list comes last: it names only what is there.
  writeFileDurably(join(dest, listName), JSON.stringify({ v: 1, steps: trail }), { mode: 0o644 });
}

async function importLocal({ cache, images, signal }: BuildContext, src: string): Promise<void> {
  if (!src.startsWith('/')) throw fault('type=local needs src=/absolute');
  const steps = stepsIn(readFileSync(join(src, listName), 'utf8')).filter(isTrailStep);
  const fresh = steps.filter(({ keys }) => keys.some((key) => !cache.get(key)));
  if (fresh.length === 0) return;
  const archive = join(src, archiveName);
  if (existsSync(archive)) await images.load(owned(createReadStream(archive)), signal);
  for (const { keys, image, layers, ...about } of fresh) {
    // The engine says which layers it has; the list is somebody else's word.
    const found = await images.find(image);
    if (!found || found.layers.join() !== layers.join()) continue;
    for (const key of keys) if (!cache.get(key)) cache.keep(key, { id: image, layers }, about);
  }
}

async function importImage(context: BuildContext, reference: string, vertex: StepView): Promise<void> {
  const { cache, images, signal } = context;
  const image = await context.bases.get(reference, context.platform, vertex);
  const { text } = await images.origin(image.id);
  if (text === '') throw fault('the image has brought no cache: build it with --cache-to type=inline');
  for (const { keys, depth, ...about } of inlineSteps(text)) {
    const missing = keys.filter((key) => !cache.get(key));
    if (missing.length === 0 || depth > image.layers.length) continue;
    const given = { parent: image.id, base: '', config: {}, history: [], created: '1970-01-01T00:00:00Z' };
    const record = await images.compose({ ...given, depth, platform: image.platform }, signal);
    for (const key of missing) cache.keep(key, record, { ...about, all: keys });
  }
}

function isTrailStep(step: unknown): step is TrailStep {
  if (!hasFacts(step)) return false;
  const { image, layers } = step as Partial<TrailStep>;
  return typeof image === 'string' && Array.isArray(layers) && layers.every((one) => typeof one === 'string');
}
