import type { ImageSummary } from '@cleat/protocol/api/image';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { familiar, familiarName, type Reference, repositoryOf } from '../content/references.js';
import type { Filters } from '../events/service.js';
import { booleanFilter, checkFilters, filterValues, matchLabels } from '../filters.js';
import { chainIds } from '../layers/layers.js';
import { parseMoment } from '../time.js';
import type { Image } from './catalog.js';
import { createdSeconds } from './config.js';
import type { Context } from './context.js';
import { globToRegExp } from './glob.js';
import { descriptorOf, manifestsOf, sizeOfAll } from './manifests.js';
import { parentOf } from './use.js';

const acceptedFilters = ['dangling', 'label', 'before', 'since', 'reference', 'until'];

/** Milliseconds since the epoch; undefined when the configuration says nothing readable. */
function createdMillis(image: Image): number | undefined {
  const millis = Date.parse(image.config.created ?? '');
  return Number.isNaN(millis) ? undefined : millis;
}

interface Window {
  before: number;
  since: number;
}

function windowOf(context: Pick<Context, 'catalog'>, filters: Filters): Window {
  let before = Number.POSITIVE_INFINITY;
  let since = Number.NEGATIVE_INFINITY;
  for (const value of filterValues(filters, 'before') ?? []) {
    before = Math.min(before, createdMillis(context.catalog.find(value)) ?? before);
  }
  for (const value of filterValues(filters, 'until') ?? []) {
    try {
      before = Math.min(before, Number(parseMoment(value) / 1_000_000n));
    } catch (cause) {
      throw invalidParameter(`invalid value for 'until' filter: ${messageOf(cause)}`, { cause });
    }
  }
  for (const value of filterValues(filters, 'since') ?? []) {
    since = Math.max(since, createdMillis(context.catalog.find(value)) ?? since);
  }
  return { before, since };
}

function isWithin(image: Image, { before, since }: Window): boolean {
  if (before === Number.POSITIVE_INFINITY && since === Number.NEGATIVE_INFINITY) return true;
  const created = createdMillis(image);
  return created !== undefined && created < before && created > since;
}

/** A pattern fits the name as users write it or in full, with the tag or without. */
function referenceFilter(filters: Filters): ((reference: Reference) => boolean) | undefined {
  const patterns = filterValues(filters, 'reference')?.map(globToRegExp);
  if (!patterns) return undefined;
  return (reference) => {
    const repository = repositoryOf(reference);
    const full = repository + familiar(reference).slice(familiarName(reference).length);
    const targets = [familiar(reference), familiarName(reference), full, repository];
    return patterns.some((pattern) => targets.some((target) => pattern.test(target)));
  };
}

/**
 * `GET /images/json`: newest first. Images without a name are shown unless others were made from them (or `all`).
 * @throws InvalidParameter for an unknown filter, NotFound for an image named by `before` or `since`
 */
export function list(
  context: Context,
  options: { all: boolean; filters: Filters; sharedSize: boolean; manifests?: boolean; identity?: boolean },
): ImageSummary[] {
  const { filters } = options;
  checkFilters(filters, acceptedFilters);
  const dangling = booleanFilter(filters, 'dangling');
  const window = windowOf(context, filters);
  const matchesReference = referenceFilter(filters);
  const summaries: ImageSummary[] = [];
  const shared = options.sharedSize ? sharedChains(context) : undefined;
  for (const image of context.catalog.all()) {
    if (context.catalog.isCompanion(image.id) || !isWithin(image, window)) continue;
    if (!matchLabels(filters, image.config.config?.Labels)) continue;
    const all = context.catalog.references(image.id);
    const references = matchesReference ? all.filter(matchesReference) : all;
    const hasChildren = context.catalog.children(image.id).length > 0;
    const tags = references.filter((reference) => !reference.digest).map(familiar);
    if (dangling && (hasChildren || tags.length > 0 || all.some((reference) => !reference.digest))) continue;
    if (references.length === 0) {
      if (!options.all && hasChildren) continue;
      if (dangling === false || matchesReference) continue;
    }
    const group = [image, ...context.catalog.companions(image.id)];
    const target = context.catalog.targetOf(image.id);
    summaries.push({
      Containers: group.reduce((sum, { id }) => sum + context.usage(id).length, 0),
      Created: createdSeconds(image.config.created),
      Id: image.id,
      Labels: image.config.config?.Labels ?? null,
      ParentId: parentOf(context, image),
      RepoDigests: references.filter((reference) => reference.digest).map(familiar),
      RepoTags: tags,
      SharedSize: shared ? sharedSize(context, image, shared) : -1,
      Size: sizeOfAll(context, group),
      Descriptor: descriptorOf(context, image, target),
      ...(options.manifests && { Manifests: manifestsOf(context, image, target, options.identity) }),
    });
  }
  return summaries.sort((a, b) => b.Created - a.Created);
}

/** Stacks of layers that more than one image has. */
function sharedChains(context: Pick<Context, 'catalog'>): Set<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const image of context.catalog.all()) {
    for (const chain of chainIds(image.config.rootfs.diff_ids)) {
      if (seen.has(chain)) shared.add(chain);
      seen.add(chain);
    }
  }
  return shared;
}

function sharedSize(context: Pick<Context, 'layers'>, image: Image, shared: ReadonlySet<string>): number {
  const { diff_ids: diffIds } = image.config.rootfs;
  let size = 0;
  chainIds(diffIds).forEach((chain, at) => {
    const diffId = diffIds[at];
    if (diffId !== undefined && shared.has(chain)) size += context.layers.get(diffId)?.size ?? 0;
  });
  return size;
}
