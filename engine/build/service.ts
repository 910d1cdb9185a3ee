import type { Readable } from 'node:stream';
import type { BuildCacheRecord, BuildLine, BuildRequest, Question } from '@cleat/protocol/kinds/builder';

import type { StoredBlob } from '../content/service.js';
import type { LayerSource } from '../images/service.js';
import type { Download } from './download.js';
import type { TreeSync } from './sync/service.js';

export type { BuildCacheRecord, BuildLine } from '@cleat/protocol/kinds/builder';

/** The API's half of building. Who builds is an extension; the engine brings it context and socket, and keeps its result. */
export interface Builds {
  /**
   * Unpacks a context into a directory of the data root: gzip, bzip2, xz, zstd or none.
   * @throws InvalidParameter for what is no archive
   */
  contextFromTar(archive: Readable, options: ContextOptions): Promise<BuildContext>;
  /** The text is all there is: a context with nothing but a Dockerfile. */
  contextFromDockerfile(text: Uint8Array): Promise<BuildContext>;
  /** A URL of a tar or of a Dockerfile, or a git repository (`https://….git#ref:directory`). */
  contextFromRemote(url: string, options: ContextOptions): Promise<BuildContext>;
  /** For builders: a file from a web server. @throws InvalidParameter, Unavailable, Forbidden */
  download(url: string, signal: AbortSignal): Promise<Download>;
  /** For builders: the caches that a build under way reads and writes. */
  readonly caches: {
    /** Opens the cache `CacheFrom[index]` of a build. @throws NotFound for no such build; the errors of reading it */
    open(build: string, index: number): Promise<OpenedCache>;
    /** A layer of it. @throws NotFound when it has none of that content */
    layer(build: string, index: number, diffId: string): Promise<LayerSource>;
    /** Writes the cache `CacheTo[index]` of a build. @throws the errors of writing it */
    write(build: string, index: number, text: string, diffIds: readonly string[]): Promise<StoredBlob>;
  };
  /** A directory that is kept between builds, for files that a client sends only when they have changed. */
  contextDirectory(key: string): Promise<BuildContext>;

  /** Keeps such a directory as its client has it. */
  readonly trees: TreeSync;

  /**
   * Builds by the builder that is chosen, tags the result, and returns it. Lines of the builder are handed on as they
   * come, each awaited; `Result` and `Error` are not among them: they are what is returned, and what is thrown.
   * @throws BuildFailure; NotFound, Unavailable, InvalidParameter where no builder was asked; the signal's reason
   */
  build(order: BuildOrder, sink: BuildSink, signal: AbortSignal): Promise<BuildResult>;
  /**
   * Asks the builder about a Dockerfile.
   * @throws NotImplemented for a question that it does not know, or a builder that knows none
   */
  ask(
    question: Omit<Question, 'Engine'> & Pick<BuildOrder, 'driver'>,
    signal: AbortSignal,
  ): Promise<Map<string, string>>;
  /** Path of the BuildKit that the chosen builder names; undefined where it names none, or does not answer. */
  buildkit(signal: AbortSignal): Promise<string | undefined>;
  /**
   * Keeps what such a BuildKit has made: an archive with one image, maybe for several platforms, under these names
   * and no others. @throws InvalidParameter, System
   */
  keep(archive: Readable, names: readonly string[], signal: AbortSignal): Promise<void>;
  /** Makes an ordinary image of one that was hidden, with these names. @throws NotFound, InvalidParameter, System for a name */
  publish(image: string, tags: readonly string[]): void;
  /** Cancels the build of that ID. @returns false when there is none */
  cancel(id: string): boolean;

  /** The records of builders' caches, and build records. */
  usage(): Promise<BuildCacheRecord[]>;
  /** @throws InvalidParameter for a filter that is not known */
  prune(options: PruneBuildOptions): Promise<{ CachesDeleted: string[]; SpaceReclaimed: number }>;
  /** An image, also one that is hidden, as `docker save` writes it, under these names. */
  save(image: string, names: readonly string[]): Promise<Readable>;
  /** The root file system of an image as one tar, for the exporters tar and local. */
  rootfs(image: string, signal: AbortSignal): Promise<Readable>;
}

/** The half of other rooms. */
export interface BuildHost {
  /** Makes the directories that builders in sandboxes have mounted. */
  makePlaces(): void;
  /** Removes what an engine before this one left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface ContextOptions {
  readonly signal: AbortSignal;
  /** Told what is done meanwhile: bytes that a download has brought. */
  readonly onProgress?: (progress: { current: number; total?: number }) => void;
}

/** Files to build from. Disposing of it removes them, unless they are kept. */
export interface BuildContext extends AsyncDisposable {
  /** Absolute path. */
  readonly directory: string;
  /** The context itself is a Dockerfile (from a URL or alone): this is its path. */
  readonly dockerfile?: string;
  /**
   * A file of the context as a copy outside of it, which no link can lead elsewhere.
   * @param path within the context @throws InvalidParameter when it lies outside, NotFound when it is not there
   */
  file(path: string): Promise<string>;
  /** Puts a file beside the context, not into it. @returns its absolute path */
  beside(name: string, content: Uint8Array): Promise<string>;
  /** The text of a file of the context. @throws NotFound, InvalidParameter */
  read(path: string): Promise<string>;
  /**
   * Removes the Dockerfile and `.dockerignore` where the latter says so: classic clients send both in any case. All
   * else they have left out themselves.
   */
  hideIgnored(dockerfile: string): Promise<void>;
}

/** The contract's request, without the members that the engine adds. */
export interface BuildOrder extends Omit<BuildRequest, 'ID' | 'Engine'> {
  /** For {@link Builds.cancel}; made up where it is missing. */
  readonly id?: string;
  /** Names of the result, checked before it is built: `app`, `registry/app:1`. */
  readonly tags: readonly string[];
  /** The builder's name; the engine's default where it is missing. */
  readonly driver?: string;
  /** Directories of the client, by their names there: for caches of `type=local`. */
  readonly clientStore?: (directory: string) => ClientStore;
  /** Nobody is to see the image: it is kept as a build record, for exporters, until they have it. */
  readonly hidden?: { readonly until: Promise<unknown> };
}

/** A cache that somebody has written; only its digests are verified. */
export interface OpenedCache {
  /** Digest of the whole cache. */
  Digest: string;
  /** In the words of the builder that wrote it. */
  Cache: string;
  /** Diff IDs of the layers that it has. */
  Layers: string[];
}

/** A directory of blobs at a client. */
export interface ClientStore {
  /** Not yet compared with the digest. @throws NotFound */
  read(digest: string, signal: AbortSignal): AsyncIterable<Buffer>;
  write(content: AsyncIterable<Buffer>, signal: AbortSignal): Promise<StoredBlob>;
}

export interface BuildResult {
  /** `sha256:…` */
  readonly image: string;
  /** As users see them. */
  readonly tags: readonly string[];
  /** Manifests of the caches that were written. */
  readonly caches: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
}

/** One member of {@link BuildLine}. */
export type BuildSink = (line: Omit<BuildLine, 'Result' | 'Error'>) => void | Promise<void>;

export interface PruneBuildOptions {
  readonly all: boolean;
  readonly filters: Readonly<Record<string, readonly string[]>>;
  readonly reservedSpace?: number;
  readonly maxUsedSpace?: number;
  readonly minFreeSpace?: number;
}

/** In the `details` of the error that a failed build throws. */
export interface BuildFailure {
  /** The exit code of a `RUN`. */
  readonly code?: number;
  readonly vertex?: string;
  /** In the Dockerfile. */
  readonly line?: number;
}
