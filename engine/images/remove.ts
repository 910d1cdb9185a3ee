import type { ImageDeleteItem } from '@cleat/protocol/api/image';
import { type CleatError, conflict, invalidParameter } from '@cleat/protocol/errors';
import type { Platform } from '../content/platform.js';
import { familiar, parseReference, type Reference, repositoryOf } from '../content/references.js';
import { shortId } from '../ids.js';
import { chainIds } from '../layers/layers.js';
import type { Image } from './catalog.js';
import type { Context } from './context.js';
import { findExactly, imagesOf } from './select.js';
import type { RemoveOptions } from './service.js';

/**
 * `DELETE /images/{name}`, by Docker's rules (moby `daemon/images/image_delete.go`): a name is untagged, and the image
 * goes with its last name; an ID removes the image when it has one name at most, or by force. The images for other
 * platforms go with the name; with `platforms`, those alone.
 * @throws NotFound, Conflict with Docker's text
 */
export async function remove(context: Context, text: string, options: RemoveOptions): Promise<ImageDeleteItem[]> {
  await context.collectHeld();
  const { catalog } = context;
  const records: ImageDeleteItem[] = [];
  const how = { force: options.force, prune: !options.noPrune };
  if (options.platforms?.length && (await removePlatforms(context, text, options.platforms, records, how)))
    return records;
  const image = catalog.find(text);
  const companions = catalog.companions(image.id);
  const references = catalog.references(image.id);
  let untagged = false;
  if (!isIdPrefix(image.id, text)) {
    if (!options.force && isSingle(references)) refuseWhileUsed(context, image, text);
    if (untagByName(context, image, parseReference(text), records)) {
      await removeOrphans(context, companions, records, how);
      return records;
    }
    untagged = true;
  } else if (isSingle(references)) {
    const problem = conflictOf(context, [image, ...companions], { references: false, stopped: !options.force });
    if (problem) throw problem.error;
    untagAll(context, image, records);
  }
  await removeImage(context, image, records, { ...how, quiet: untagged }, companions);
  return records;
}

interface How {
  force: boolean;
  prune: boolean;
}

/**
 * Removes the images for some of a name's platforms.
 * @returns false when these are all that are here: the name goes, too
 * @throws NotFound for a platform that it has not, before anything is done; InvalidParameter
 */
async function removePlatforms(
  context: Context,
  text: string,
  platforms: readonly Platform[],
  records: ImageDeleteItem[],
  how: How,
): Promise<boolean> {
  const { catalog } = context;
  const { target } = catalog.found(text);
  const chosen = new Set(platforms.map((platform) => findExactly(context, text, platform)));
  const all = imagesOf(context, catalog.found(text));
  if (!target || all.length <= chosen.size) return false;
  if (!how.force && catalog.tagsOf(target).length > 1) {
    // moby's words, whose dash is one of each kind. Other clients' scripts look for them.
    throw invalidParameter(
      'Content will be removed from all images referencing this variant. Use —-force to force delete.',
    );
  }
  for (const image of chosen) {
    const problem = conflictOf(context, [image], { references: false, stopped: !how.force });
    if (problem) throw problem.error;
  }
  for (const image of chosen) {
    catalog.leave(target, image.id);
    for (const { image: id, digest } of target.manifests) if (id === image.id) records.push({ Deleted: digest });
    await removeOrphans(context, [image], records, how);
  }
  return true;
}

/** Removes images that nothing names any longer, nor another image is shown with, and no container uses. */
async function removeOrphans(
  context: Context,
  images: readonly Image[],
  records: ImageDeleteItem[],
  how: How,
): Promise<void> {
  const { catalog } = context;
  for (const { id } of images) {
    const image = catalog.get(id);
    if (!image || catalog.references(id).length > 0 || catalog.isCompanion(id)) continue;
    await removeImage(context, image, records, { ...how, quiet: true }, []);
  }
}

function isIdPrefix(id: string, text: string): boolean {
  return id.startsWith(text) || id.slice('sha256:'.length).startsWith(text);
}

/** One tag, with at most digests of the same repository beside it. */
function isSingle(references: readonly Reference[]): boolean {
  if (references.length <= 1) return references.length === 1;
  const tags = references.filter((reference) => !reference.digest);
  if (tags.length > 1) return false;
  const digestRepositories = new Set(references.filter((reference) => reference.digest).map(repositoryOf));
  const [single = references[0]] = tags;
  return digestRepositories.size === 1 && single !== undefined && digestRepositories.has(repositoryOf(single));
}

function refuseWhileUsed(context: Pick<Context, 'catalog' | 'usage'>, image: Image, text: string): void {
  const [user] = [image, ...context.catalog.companions(image.id)].flatMap(({ id }) => context.usage(id));
  if (!user) return;
  throw conflict(
    `conflict: unable to remove repository reference "${text}" (must force) - container ${shortId(user.containerId)} is using its referenced image ${shortId(image.id)}`,
  );
}

/** @returns whether other references remain, so that the image stays */
function untagByName(
  context: Pick<Context, 'catalog' | 'publish' | 'together'>,
  image: Image,
  given: Reference,
  records: ImageDeleteItem[],
): boolean {
  const reference = untag(context, image, given);
  records.push({ Untagged: familiar(reference) });
  let rest = context.catalog.references(image.id);
  const repository = repositoryOf(reference);
  const ofRepository = rest.filter((other) => repositoryOf(other) === repository);
  if (!reference.digest && !ofRepository.some((other) => !other.digest)) {
    // A repository's digests go with its last tag.
    for (const other of ofRepository) {
      context.catalog.untag(other);
      records.push({ Untagged: familiar(other) });
    }
    rest = context.catalog.references(image.id);
  }
  return rest.length > 0;
}

function untag(context: Pick<Context, 'catalog' | 'publish' | 'together'>, image: Image, given: Reference): Reference {
  return context.together(() => {
    context.publish('untag', image.id);
    return context.catalog.untag(given);
  });
}

function untagAll(
  context: Pick<Context, 'catalog' | 'publish' | 'together'>,
  image: Image,
  records: ImageDeleteItem[],
): void {
  for (const reference of context.catalog.references(image.id)) {
    untag(context, image, reference);
    records.push({ Untagged: familiar(reference) });
  }
}

async function removeImage(
  context: Context,
  image: Image,
  records: ImageDeleteItem[],
  options: How & { quiet: boolean },
  companions: readonly Image[],
): Promise<void> {
  const stops = { references: !options.force, stopped: !options.force };
  const problem = conflictOf(context, [image, ...companions], stops);
  if (problem) {
    const dangling =
      context.catalog.references(image.id).length === 0 && context.catalog.children(image.id).length === 0;
    if (options.quiet && (!dangling || problem.isUsed)) return;
    throw problem.error;
  }
  const parent = image.record.parent === undefined ? undefined : context.catalog.get(image.record.parent);
  untagAll(context, image, records);
  const needed = layerStacks(context, image.id);
  context.together(() => {
    context.publish('delete', image.id);
    context.catalog.remove(image.id, context.usage(image.id).length > 0);
  });
  records.push({ Deleted: image.id });
  const { diff_ids: diffIds } = image.config.rootfs;
  for (const chain of chainIds(diffIds).reverse()) {
    if (needed.has(chain)) break;
    records.push({ Deleted: chain });
  }
  await context.layers.collect(diffIds);
  await removeOrphans(context, companions, records, options);
  if (options.prune && parent) {
    const ofParent = context.catalog.companions(parent.id);
    await removeImage(context, parent, records, { force: false, prune: true, quiet: true }, ofParent);
  }
}

function layerStacks(context: Pick<Context, 'catalog'>, except: string): Set<string> {
  const chains = new Set<string>();
  const { catalog } = context;
  for (const image of [...catalog.all(), ...catalog.held(), ...catalog.buildRecords()]) {
    if (image.id === except) continue;
    for (const chain of chainIds(image.config.rootfs.diff_ids)) chains.add(chain);
  }
  return chains;
}

interface Problem {
  error: CleatError;
  isUsed: boolean;
}

/**
 * The obstacles: children and running containers always, references and stopped containers unless forced.
 * @param images the image, and those that would go with it
 */
function conflictOf(
  context: Pick<Context, 'catalog' | 'usage'>,
  images: readonly [Image, ...Image[]],
  check: { references: boolean; stopped: boolean },
): Problem | undefined {
  const [image] = images;
  const problem = (reason: string, isHard: boolean, isUsed: boolean): Problem => ({
    error: conflict(
      `conflict: unable to delete ${shortId(image.id)} (${isHard ? 'cannot' : 'must'} be forced) - ${reason}`,
    ),
    isUsed,
  });
  const hasChildren = images.some(({ id }) => context.catalog.children(id).length > 0);
  if (hasChildren) return problem('image has dependent child images', true, false);
  const users = images.flatMap(({ id }) => context.usage(id));
  const running = users.find((user) => user.running);
  if (running) {
    return problem(`image is being used by running container ${shortId(running.containerId)}`, true, true);
  }
  if (check.references && context.catalog.references(image.id).length > 0) {
    return problem('image is referenced in multiple repositories', false, false);
  }
  const stopped = users.find((user) => !user.running);
  if (check.stopped && stopped) {
    return problem(`image is being used by stopped container ${shortId(stopped.containerId)}`, false, true);
  }
  return undefined;
}
