import type { ImageDeleteItem } from '@cleat/protocol/api/image';
import { type CleatError, conflict } from '@cleat/protocol/errors';
import { familiar, parseReference, type Reference, repositoryOf } from '../content/references.js';
import { shortId } from '../ids.js';
import { chainIds } from '../layers/layers.js';
import type { Image } from './catalog.js';
import type { Context } from './context.js';
import { findFor, onlyPlatform } from './select.js';
import type { RemoveOptions } from './service.js';

/**
 * `DELETE /images/{name}`, by Docker's rules (moby `daemon/images/image_delete.go`): a name is untagged, and the image
 * goes with its last name; an ID removes the image when it has one name at most, or by force.
 * @throws NotFound, Conflict with Docker's text
 */
export async function remove(context: Context, text: string, options: RemoveOptions): Promise<ImageDeleteItem[]> {
  const wanted = onlyPlatform(options.platforms);
  await context.collectHeld();
  const image = findFor(context, text, wanted);
  const records: ImageDeleteItem[] = [];
  const prune = !options.noPrune;
  const references = context.catalog.references(image.id);
  let untagged = false;
  if (!isIdPrefix(image.id, text)) {
    if (!options.force && isSingle(references)) refuseWhileUsed(context, image, text);
    if (untagByName(context, image, parseReference(text), records)) return records;
    untagged = true;
  } else if (isSingle(references)) {
    const problem = conflictOf(context, image, { references: false, stopped: !options.force });
    if (problem) throw problem.error;
    untagAll(context, image, records);
  }
  await removeImage(context, image, records, { force: options.force, prune, quiet: untagged });
  return records;
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

function refuseWhileUsed(context: Pick<Context, 'usage'>, image: Image, text: string): void {
  const [user] = context.usage(image.id);
  if (!user) return;
  throw conflict(
    `conflict: unable to remove repository reference "${text}" (must force) - container ${shortId(user.containerId)} is using its referenced image ${shortId(image.id)}`,
  );
}

/** @returns whether other references remain, so that the image stays */
function untagByName(
  context: Pick<Context, 'catalog' | 'publish'>,
  image: Image,
  given: Reference,
  records: ImageDeleteItem[],
): boolean {
  const reference = context.catalog.untag(given);
  context.publish('untag', image.id);
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

function untagAll(context: Pick<Context, 'catalog' | 'publish'>, image: Image, records: ImageDeleteItem[]): void {
  for (const reference of context.catalog.references(image.id)) {
    context.catalog.untag(reference);
    context.publish('untag', image.id);
    records.push({ Untagged: familiar(reference) });
  }
}

async function removeImage(
  context: Context,
  image: Image,
  records: ImageDeleteItem[],
  options: { force: boolean; prune: boolean; quiet: boolean },
): Promise<void> {
  const problem = conflictOf(context, image, { references: !options.force, stopped: !options.force });
  if (problem) {
    const dangling =
      context.catalog.references(image.id).length === 0 && context.catalog.children(image.id).length === 0;
    if (options.quiet && (!dangling || problem.isUsed)) return;
    throw problem.error;
  }
  const parent = image.record.parent === undefined ? undefined : context.catalog.get(image.record.parent);
  untagAll(context, image, records);
  const needed = layerStacks(context, image.id);
  // Docker's delete event carries no labels: the image is gone by then.
  context.catalog.remove(image.id, context.usage(image.id).length > 0);
  context.publish('delete', image.id);
  records.push({ Deleted: image.id });
  const { diff_ids: diffIds } = image.config.rootfs;
  for (const chain of chainIds(diffIds).reverse()) {
    if (needed.has(chain)) break;
    records.push({ Deleted: chain });
  }
  await context.layers.collect(diffIds);
  if (options.prune && parent) await removeImage(context, parent, records, { force: false, prune: true, quiet: true });
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

/** The obstacles: children and running containers always, references and stopped containers unless forced. */
function conflictOf(
  context: Pick<Context, 'catalog' | 'usage'>,
  image: Image,
  check: { references: boolean; stopped: boolean },
): Problem | undefined {
  const problem = (reason: string, isHard: boolean, isUsed: boolean): Problem => ({
    error: conflict(
      `conflict: unable to delete ${shortId(image.id)} (${isHard ? 'cannot' : 'must'} be forced) - ${reason}`,
    ),
    isUsed,
  });
  if (context.catalog.children(image.id).length > 0) return problem('image has dependent child images', true, false);
  const users = context.usage(image.id);
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
