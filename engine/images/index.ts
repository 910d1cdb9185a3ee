import type { Progress } from '@cleat/protocol/api/image';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { parseAny } from '../content/references.js';
import type { Content } from '../content/service.js';
import type { Distribution } from '../distribution/service.js';
import type { Events } from '../events/service.js';
import type { ImageId } from '../ids.js';
import type { Layers } from '../layers/service.js';
import { buildRecords, publish, removeRecords } from './build-records.js';
import type { Catalog } from './catalog.js';
import { commit } from './commit.js';
import { addKnownLayer, addLayer, compose, originOf, withLayers } from './compose.js';
import { Context } from './context.js';
import { importImage } from './import.js';
import { history, inspect } from './inspect.js';
import { list } from './list.js';
import { prune } from './prune.js';
import { remove } from './remove.js';
import type { ImageHost, Images, ImageUser } from './service.js';
import { layerPaths, resolve, tag } from './use.js';

export { Catalog } from './catalog.js';
export { applyChanges } from './changes/index.js';
export type { ImageHost, Images, ImageUser } from './service.js';

export interface ImagesDeps {
  log: Logger;
  events: Events;
  /** Opened before the layers, which it keeps. */
  catalog: Catalog;
  content: Content;
  layers: Layers;
  distribution: Distribution;
  /** Which containers use an image: those that are on record, whether they run or not. */
  usage: (imageId: ImageId) => ImageUser[];
}

/** How often images that were removed by force are looked at again, in ms. */
const heldInterval = 60_000;

/** Opens the images of a catalog. */
export function openImages(deps: ImagesDeps): Images & ImageHost {
  const { log, catalog, layers } = deps;
  const context = new Context(deps);
  const timer = setInterval(() => {
    context.collectHeld().catch((error: unknown) => log.warn(`removed images remain: ${messageOf(error)}`));
  }, heldInterval);
  timer.unref();

  return {
    ...imagesOf(context),
    warm: async () => {
      await Promise.all([import('./archive/load.js'), import('./archive/save.js')]);
    },
    commit: (options) => commit(context, options),
    forBuilder(builder) {
      const images = imagesOf(context.forBuilder(builder));
      // Images of a builder are build records until a build gives them their names, whatever an archive says.
      return { ...images, load: (archive, options) => images.load(archive, { ...options, names: [] }) };
    },
    buildRecords: () => buildRecords(context),
    pushLayers: async (diffIds, task) => (await import('./push/layers.js')).pushLayers({ ...task, context, diffIds }),
    withLayers: (diffIds, work) => withLayers(context, diffIds, work),
    publish: (id, references) => publish(context, id, references),
    removeRecords: (ids, mayGo) => removeRecords(context, ids, mayGo),
    // A build record, too, can be looked into by its ID: `docker run` of what a step of a build has left.
    resolve: (ref, platform) => resolve(context.forBuilder(''), ref, platform),
    layerPaths: (imageId) => layerPaths(context, imageId),
    diskUsage: async () => {
      const shown = new Set(catalog.all().flatMap(({ config }) => config.rootfs.diff_ids));
      return {
        // Managed plugins and build records have layers, too.
        layersSize: layers
          .all()
          .filter(({ diffId }) => shown.has(diffId))
          .reduce((sum, layer) => sum + layer.size, 0),
        images: list(context, { all: false, filters: {}, sharedSize: true }),
      };
    },
    count: () => catalog.all().filter(({ id }) => !catalog.isCompanion(id)).length,
    close: async () => clearInterval(timer),
  };
}

function imagesOf(context: Context): Images {
  return {
    list: async (options) => list(context, options),
    inspect: async (ref, platform, options) => inspect(context, ref, platform, options),
    history: async (ref, platform) => history(context, ref, platform),
    tag: async (ref, repository, name) => tag(context, ref, repository, name),
    remove: (ref, options) => remove(context, ref, options),
    prune: (filters) => prune(context, filters),
    pull: (options) => lazily(async () => (await import('./pull/pull.js')).pull(context, options)),
    push: (options) => lazily(async () => (await import('./push/push.js')).push(context, options)),
    inspectRemote: async (name, auth, signal) => {
      const any = parseAny(name);
      if (any.kind === 'id') throw systemError('no manifest found for full image ID');
      return await context.distribution.inspect(any.reference, auth, signal);
    },
    login: (auth, signal) => context.distribution.login(auth, signal),
    load: (archive, options) => lazily(async () => (await import('./archive/load.js')).load(context, archive, options)),
    save: async (refs, platforms, options) =>
      (await import('./archive/save.js')).save(context, refs, platforms, options),
    import: (options) => importImage(context, options),
    addLayer: (parent, tar) => addLayer(context, parent, tar),
    addKnownLayer: (parent, source) => addKnownLayer(context, parent, source),
    compose: (options) => compose(context, options),
    origin: async (ref) => originOf(context, ref),
    removeRecord: async (id) => {
      await removeRecords(context, [id]);
    },
  };
}

/** Loads what a daemon at rest does not need (above all TLS, for registries) with the first use, or by `warm`. */
async function* lazily(open: () => Promise<AsyncIterable<Progress>>): AsyncGenerator<Progress, void, void> {
  yield* await open();
}
