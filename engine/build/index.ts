import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Extensions } from '@cleat/extensions/service';
import type { Helper } from '@cleat/linux/helper/helper';
import {
  CleatError,
  cancelled,
  invalidParameter,
  isClass,
  messageOf,
  notFound,
  notImplemented,
  systemError,
  unavailable,
} from '@cleat/protocol/errors';
import { type BuildRequest, builderKind } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';
import { readable } from '@cleat/protocol/untrusted';
import type { BuildersConfig } from '../config.js';
import type { ContainerHost, Containers } from '../containers/service.js';
import { canonical, familiar, parseReference, refuseReserved, withDefaultTag } from '../content/references.js';
import type { Distribution } from '../distribution/service.js';
import type { Events } from '../events/service.js';
import type { ImageHost, Images } from '../images/service.js';
import { buildkitOf } from './buildkit.js';
import { BuildCache } from './cache.js';
import { BuildCaches } from './caches/caches.js';
import { Contexts } from './context/contexts.js';
import { fromRemote } from './context/remote.js';
import { Doors, type ServeBuilder } from './doors.js';
import { downloadOf } from './download.js';
import { linesOf } from './lines.js';
import { Prune } from './prune.js';
import { removeRoots, rootfsOf } from './rootfs.js';
import type { BuildFailure, BuildHost, BuildLine, BuildOrder, BuildResult, BuildSink, Builds } from './service.js';

import { createTreeSync } from './sync/tree-sync.js';

export type { ServeBuilder } from './doors.js';

export interface BuildsDeps {
  readonly config: BuildersConfig;
  readonly log: Logger;
  readonly events: Events;
  readonly extensions: Extensions;
  readonly helper: Helper;
  readonly images: Images & ImageHost;
  readonly distribution: Distribution;
  readonly containers: Containers & ContainerHost;
  /** Without it (an engine without an API) nothing is built. */
  readonly serve?: ServeBuilder;
}

/** Bytes of what a builder says about its failure, for client and log. */
const maxMessage = 64 * 1024;

/** Opens the room, and touches nothing: `start()` removes what was left. */
export function openBuilds(deps: BuildsDeps): Builds & BuildHost {
  const { config, log, events, extensions, helper, images, containers } = deps;
  const trees = createTreeSync({ helper, dataRoot: config.dataRoot });
  const onRemoved = (directory: string): void => trees.forget(directory);
  const contexts = new Contexts({ root: join(config.dataRoot, 'builds'), helper, log, onRemoved });
  const doors = new Doors({
    directory: join(config.execRoot, 'build'),
    containers,
    images,
    serve: deps.serve ?? (() => Promise.reject(unavailable('this engine serves no API to builders'))),
  });
  const roots = join(config.execRoot, 'build-roots');
  /** By ID. */
  const running = new Map<string, { builder: string; stop: AbortController; caches: BuildCaches }>();
  const busy = (builder: string): boolean => [...running.values()].some((one) => one.builder === builder);
  const isChosen = (builder: string): boolean => builder === config.defaultBuilder;
  const cache = new BuildCache({ extensions, doors, images, log, busy, isChosen });
  const prune = new Prune({ extensions, doors, cache, contexts, events, log, isChosen });
  /** Builders whose records were looked through by this engine, and those that may have left some since. */
  const swept = new Set<string>();
  const unswept = new Set<string>();
  /** Clearing up that is under way. */
  const background = new Set<Promise<void>>();

  async function build(order: BuildOrder, sink: BuildSink, signal: AbortSignal): Promise<BuildResult> {
    const {
      id = randomBytes(8).toString('hex'),
      tags,
      driver = config.defaultBuilder,
      hidden,
      clientStore: _,
      ...wanted
    } = order;
    const names = tagNames(tags);
    if (running.has(id)) throw invalidParameter(`a build with the ID ${id} is under way`);
    const stop = new AbortController();
    const ended = AbortSignal.any([signal, stop.signal]);
    const view = { ...images, ...images.forBuilder(driver) };
    const caches = new BuildCaches({ distribution: deps.distribution, images: view }, order, ended);
    running.set(id, { builder: driver, stop, caches });
    let isHeld = false;
    let isPublished = false;
    const kept = new KeptContainers(order, (container) => containers.letGo(container));
    const end = (): void => {
      running.delete(id);
      if (!isPublished) unswept.add(driver);
      if (busy(driver)) return;
      const clearing = clearAfter(driver)
        .catch((error: unknown) => log.warn(`what a build has left remains: ${messageOf(error)}`, { builder: driver }))
        .finally(() => background.delete(clearing));
      background.add(clearing);
    };
    try {
      ended.throwIfAborted();
      const client = await builderOf(driver, ended);
      const request: BuildRequest = { ...wanted, ID: id, Engine: await doors.of(driver) };
      const stream = await client.Build(request, { signal: ended });
      const image = await resultOf(driver, stream, async (line) => {
        kept.see(line);
        await sink(line);
      });
      ended.throwIfAborted();
      if (hidden) {
        isHeld = true;
        void hidden.until.catch(() => {}).then(end);
      } else {
        images.publish(image, names.map(canonical));
        isPublished = true;
      }
      return { image, tags: names.map(familiar), caches: caches.written };
    } finally {
      if (!isHeld) end();
    }
  }

  function cachesOf(build: string): BuildCaches {
    const found = running.get(build);
    if (!found) throw notFound(`no build ${build} is under way`);
    return found.caches;
  }

  async function builderOf(driver: string, signal: AbortSignal) {
    try {
      return await extensions.get(builderKind, driver, { signal });
    } catch (error) {
      if (!isClass(error, 'NotFound')) throw error;
      throw notFound(`error looking up builder ${driver}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Removes all that a builder forgot to remove, or could not as it died. */
  async function clearAfter(builder: string): Promise<void> {
    for (const container of containers.madeBy(builder)) {
      if (busy(builder)) return;
      await removeContainer(container);
    }
    // A build that succeeded leaves no record that its builder does not know.
    if (swept.has(builder) && !unswept.delete(builder)) return;
    const { isAll } = await cache.removeOrphans(builder);
    if (isAll) swept.add(builder);
    else unswept.add(builder);
  }

  async function removeContainer(id: string): Promise<void> {
    try {
      await containers.remove(id, { force: true, volumes: true, link: false });
    } catch (error) {
      if (!isClass(error, 'NotFound'))
        log.warn(`a container of a build remains: ${messageOf(error)}`, { container: id });
    }
  }

  return {
    contextFromTar: (archive, options) => contexts.fromTar(archive, options),
    contextFromDockerfile: (text) => contexts.fromDockerfile(text),
    contextFromRemote: (url, options) => fromRemote(contexts, url, options),
    download: downloadOf,
    caches: {
      open: async (build, index) => await cachesOf(build).open(index),
      layer: async (build, index, diffId) => await cachesOf(build).layer(index, diffId),
      write: async (build, index, text, diffIds) => await cachesOf(build).write(index, text, diffIds),
    },
    contextDirectory: (key) => contexts.kept(key),
    trees,
    build,
    async ask({ driver = config.defaultBuilder, ...question }, signal) {
      const client = await builderOf(driver, signal);
      const answer = await client.Ask({ ...question, Engine: await doors.of(driver) }, { signal });
      if (answer) return new Map(Object.entries(answer.Metadata));
      throw notImplemented(
        `the builder ${driver} answers no questions about Dockerfiles: ask another (--builder-driver)`,
      );
    },
    buildkit: (signal) => buildkitOf({ extensions, log }, config.defaultBuilder, signal),
    async keep(archive, tags, signal) {
      const names = tagNames(tags).map(canonical);
      for await (const { error } of images.load(archive, { quiet: true, names, signal })) {
        if (error !== undefined) throw systemError(error);
      }
    },
    publish: (image, tags) => images.publish(image, tagNames(tags).map(canonical)),
    cancel(id) {
      const found = running.get(id);
      found?.stop.abort(cancelled('build cancelled'));
      return found !== undefined;
    },
    async usage() {
      const kept = await contexts.usage();
      const own = kept.map(({ name, bytes, used, inUse }) => ({
        ID: name,
        Type: 'source.local',
        Description: 'files of a context that are kept for the next build',
        InUse: inUse,
        Shared: false,
        Size: bytes,
        CreatedAt: used.toISOString(),
        LastUsedAt: used.toISOString(),
        UsageCount: 1,
      }));
      return [...(await cache.usage()), ...own];
    },
    prune: (options) => prune.run(options),
    save: (image, names) => images.forBuilder('').save([image], undefined, { names }),
    rootfs: (image, signal) => rootfsOf({ containers, images, helper, log, directory: roots }, image, signal),
    makePlaces() {
      doors.start();
      contexts.makePlaces();
    },
    async start() {
      await removeRoots(roots);
      await contexts.start();
      for (const container of containers.madeBy()) await removeContainer(container);
    },
    async close() {
      for (const { stop } of running.values()) stop.abort(cancelled('the engine is shutting down'));
      await Promise.all(background);
      await doors.close();
      await contexts.close();
    },
  };
}

/** Containers that the client wants to stay become ordinary ones as soon as they have done their work. */
class KeptContainers {
  readonly #order: Pick<BuildOrder, 'KeepContainers' | 'KeepFailed'>;
  readonly #letGo: (container: string) => void;

  constructor(order: Pick<BuildOrder, 'KeepContainers' | 'KeepFailed'>, letGo: (container: string) => void) {
    this.#order = order;
    this.#letGo = letGo;
  }

  see({ Vertex: vertex }: BuildLine): void {
    if (!vertex?.Container || !vertex.Completed) return;
    if (vertex.Error ? this.#order.KeepFailed : this.#order.KeepContainers) this.#letGo(vertex.Container);
  }
}

/** As moby's `sanitizeRepoAndTags`. @throws System in its words, as a stock engine answers 500 */
function tagNames(tags: readonly string[]) {
  const names = new Map<string, ReturnType<typeof parseReference>>();
  for (const tag of tags.filter((one) => one !== '')) {
    let reference: ReturnType<typeof parseReference>;
    try {
      reference = parseReference(tag);
    } catch (cause) {
      throw systemError(messageOf(cause), { cause });
    }
    if (reference.digest) throw systemError('build tag cannot contain a digest');
    refuseReserved(reference);
    const named = withDefaultTag(reference);
    names.set(canonical(named), named);
  }
  return [...names.values()];
}

/** Hands on what the builder says. @returns the image @throws what it says at its end */
async function resultOf(builder: string, stream: AsyncIterable<Uint8Array>, sink: BuildSink): Promise<string> {
  let hasStarted = false;
  for await (const { Result, Error: failure, ...line } of linesOf(builder, stream)) {
    if (Result) return Result.Image;
    if (failure) {
      const { Message, Code, Vertex, Line } = failure;
      const details: BuildFailure = {
        ...(Code !== undefined && { code: Code }),
        ...(Vertex !== undefined && { vertex: Vertex }),
        ...(Line !== undefined && { line: Line }),
      };
      // A mistake that is found before anything was begun is the request's: the Dockerfile's, or an option's.
      const message = readable(Message, maxMessage);
      throw new CleatError(hasStarted ? 'System' : 'InvalidParameter', message, { details: { ...details } });
    }
    hasStarted ||= line.Vertex !== undefined;
    await sink(line);
  }
  throw unavailable(`builder "${builder}" ended without a result: its log says why`);
}
