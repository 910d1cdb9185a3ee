import type { Readable } from 'node:stream';
import type { ContainerConfig } from '@cleat/protocol/api/container';
import type {
  DistributionInspect,
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageSummary,
  Progress,
  RegistryAuth,
} from '@cleat/protocol/api/image';
import type { Emit } from '../async/progress.js';
import type { Platform } from '../content/platform.js';
import type { Content, Lease, StoredBlob } from '../content/service.js';
import type { RegistryClient } from '../distribution/service.js';
import type { Filters } from '../events/service.js';
import type { ImageId } from '../ids.js';

export type { Platform } from '../content/platform.js';

/** The API's half of images. */
export interface Images {
  list(options: {
    all: boolean;
    filters: Filters;
    sharedSize: boolean;
    /** With the manifests of each, and where their images came from. */
    manifests?: boolean;
    identity?: boolean;
  }): Promise<ImageSummary[]>;
  /** @throws NotFound `No such image: X`, or that it is for another platform than the one that is asked for */
  inspect(ref: string, platform?: Platform, options?: { manifests?: boolean }): Promise<ImageInspect>;
  history(ref: string, platform?: Platform): Promise<ImageHistoryItem[]>;
  /** @throws NotFound, InvalidParameter (bad reference) */
  tag(ref: string, repository: string, tag: string): Promise<void>;
  /**
   * @throws Conflict when used by a container, with Docker's text; NotFound, InvalidParameter for platforms that the
   * image has not
   */
  remove(ref: string, options: RemoveOptions): Promise<ImageDeleteItem[]>;
  prune(filters: Filters): Promise<{ ImagesDeleted: ImageDeleteItem[]; SpaceReclaimed: number }>;

  /** Progress lines as Docker's; a failure after the first line is a last line with `error`. */
  pull(options: PullOptions): AsyncIterable<Progress>;
  push(options: PushOptions): AsyncIterable<Progress>;
  /** Whether a registry takes the credentials. @throws Unauthorized, or why nobody could be asked */
  login(auth: RegistryAuth, signal: AbortSignal): Promise<{ Status: string; IdentityToken: string }>;
  /** The image of a name in its registry: digest and platforms. @throws InvalidParameter for what is none; as a pull */
  inspectRemote(name: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<DistributionInspect>;
  /** Only the images of an archive that are for one of `platforms`, or all. @throws NotFound when there are none */
  load(archive: Readable, options: LoadOptions): AsyncIterable<Progress>;
  /**
   * A tar as `docker save` writes it (with OCI layout and manifest.json).
   * @param options.names of the one image, instead of those that it has here
   */
  save(
    refs: string[],
    platforms?: readonly Platform[],
    options?: { readonly names?: readonly string[] },
  ): Promise<Readable>;
  import(options: ImportOptions): AsyncIterable<Progress>;
  /** For builders: an image that is nothing but a parent's layers (none where it is empty), and one more on top. */
  addLayer(parent: string, tar: Readable): Promise<Composed>;
  /** For builders: one more layer, of a content that is known before. @throws DataLoss when it is of another */
  addKnownLayer(parent: string, source: LayerSource): Promise<Composed>;
  /** For builders: an image of layers that are here, with a configuration and history that say all. */
  compose(options: ComposeOptions): Promise<Composed>;
  /** For builders: how an image came to be. @throws NotFound */
  origin(ref: string): Promise<ImageOrigin>;
  /** For builders: lets go of a build record. What has become an image, or is used, stays. */
  removeRecord(id: string): Promise<void>;
}

export interface Composed {
  Id: string;
  /** Diff IDs of all its layers. A layer without any change is none. */
  Layers: string[];
}

/** A layer that is perhaps not here yet. */
export interface LayerSource {
  readonly diffId: string;
  /** Brings its blob here, for the lease. @throws DataLoss for another than it names */
  fetch(to: { content: Pick<Content, 'store'>; lease: Lease }): Promise<StoredBlob>;
}

/** A layer that is here. */
export interface LayerArchive {
  readonly diffId: string;
  /** Bytes of the archive, uncompressed. */
  readonly size: number;
  open(): AsyncIterable<Buffer>;
}

export interface ImageOrigin {
  /** The text that `compose` was given as `cache`; empty where there is none. */
  Cache: string;
  /** The oldest first. */
  History: readonly { created?: string; created_by?: string; empty_layer?: boolean }[];
}

export interface ComposeOptions {
  /** The image whose layers it has; empty: it has none. */
  parent: string;
  /** Only so many of its layers, from the lowest. */
  depth?: number;
  /** Goes with the image's configuration, for the builder of another image. */
  cache?: string;
  /** The image whose history, author and platform it goes on with; empty: none. */
  base: string;
  config: ContainerConfig;
  /** Entries after the base's. */
  history: { created?: string; created_by?: string; author?: string; comment?: string; empty_layer?: boolean }[];
  /** RFC 3339 */
  created: string;
  author?: string;
  platform?: { os: string; architecture: string; variant?: string };
}

/** The half of other rooms: the images of this host, and of the root file systems made of them. */
export interface ImageHost {
  /** A new image of `layer` (a tar of changes, or undefined for none) on top of `parent`. For `docker commit`. */
  commit(options: CommitOptions): Promise<{ Id: string; reference: string }>;

  /**
   * For containers: what `ref` (name, ID, short ID, digest) resolves to.
   * @throws NotFound `No such image: X:tag`
   */
  resolve(ref: string, platform?: string): ResolvedImage;
  /** Lower directories of the image's layers, top first, absolute, under our data root. */
  layerPaths(imageId: ImageId): string[];
  /** Disk usage, for `system df`. */
  diskUsage(): Promise<{ layersSize: number; images: ImageSummary[] }>;
  /** Loads the code of `load` and `save` before it is needed. */
  warm(): Promise<void>;
  /** Images as a builder sees them: build records among them, and what comes without a name is one. */
  forBuilder(builder: string): Images;
  /** Brings layers, gzipped, to a registry. @returns their blobs there, in the same order @throws DataLoss for one that is not here */
  pushLayers(diffIds: readonly string[], task: PushTask): Promise<StoredBlob[]>;
  /** Layers that are here, as archives, for as long as `work` needs them. @throws DataLoss for one that is not here */
  withLayers<T>(diffIds: readonly string[], work: (layers: readonly LayerArchive[]) => Promise<T>): Promise<T>;
  /** Build records, by whom they were made. */
  buildRecords(): BuildRecord[];
  /** Makes an ordinary image of a build record, with these names. @throws NotFound, InvalidParameter */
  publish(id: string, references: readonly string[]): void;
  /** Removes build records, those that others are made of last; what a container uses stays. @returns those that went */
  removeRecords(ids: readonly string[], mayGo?: () => boolean): Promise<string[]>;
  /** Number of images, for `info`. */
  count(): number;
  close(): Promise<void>;
}

/** Where layers go. */
export interface PushTask {
  readonly client: RegistryClient;
  /** `registry.example/team/app` */
  readonly repository: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** An image that a builder has made, and no build has had as its result. */
export interface BuildRecord {
  readonly id: ImageId;
  readonly builder: string;
  /** RFC 3339. */
  readonly stored: string;
  readonly parent?: ImageId;
  /** Bytes of its own layer. */
  readonly size: number;
}

export interface ResolvedImage {
  id: ImageId;
  config: ContainerConfig;
  os: string;
  architecture: string;
  /** A repository tag for display, if there is one. */
  tag?: string;
}

export interface RemoveOptions {
  force: boolean;
  noPrune: boolean;
  /** Only the images for these; empty or missing: for all. */
  platforms?: readonly Platform[];
}

export interface LoadOptions {
  readonly quiet: boolean;
  readonly platforms?: readonly Platform[];
  /** Instead of the names in the archive, which holds one image then. Empty: it gets none. */
  readonly names?: readonly string[];
  readonly signal: AbortSignal;
}

export interface PushOptions {
  ref: string;
  tag?: string;
  platform?: Platform;
  auth?: RegistryAuth;
  signal: AbortSignal;
}

export interface PullOptions {
  image: string;
  /** Tag or digest; empty, and none in `image` either: all tags of the repository (`docker pull -a`). */
  tag: string;
  platform?: string;
  auth?: RegistryAuth;
  signal: AbortSignal;
}

export interface ImportOptions {
  /** A tar, or the URL of one. */
  source: Readable | string;
  repository: string;
  tag: string;
  /** Empty: where it came from. */
  message: string;
  /** Dockerfile instructions. */
  changes: string[];
  platform?: string;
  signal: AbortSignal;
}

export interface CommitOptions {
  /** Image ID; empty: none. */
  parent: string;
  /**
   * An OCI layer: a tar of what was added and changed, deletions as `.wh.NAME` entries. Opened once all else is valid.
   */
  layer?: () => Promise<Readable>;
  config: ContainerConfig;
  /** Dockerfile instructions that are applied to `config`. */
  changes?: readonly string[];
  repository: string;
  tag: string;
  comment: string;
  author: string;
  /** The command that made the changes, for the history (Docker: the container's `Cmd`, joined by spaces). */
  createdBy?: string;
  /** RFC 3339; now where it is missing. */
  created?: string;
  /** It is a build record of this builder. */
  builder?: string;
}

/** A container, as far as images care. */
export interface ImageUser {
  containerId: string;
  name: string;
  running: boolean;
}
