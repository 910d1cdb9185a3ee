import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decompress } from '@cleat/linux/archive/compression';
import { syncTree } from '@cleat/linux/files/durable';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { spreadDirectories } from '@cleat/linux/files/spread';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { dataLoss, messageOf } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { BlobUser, Content, Lease, StoredBlob } from '../content/service.js';
import { newId } from '../ids.js';
import type { Collection } from '../store/service.js';
import { archiveOf } from './outline/reader.js';
import type { LayerPlace, LayerRecord } from './record.js';
import type { AddLayer, GrowingLayer, Layers, LayerUser } from './service.js';
import { Growth, type UnpackDone, Unpackers, type UnpackRequest } from './unpack/unpackers.js';

/** Repositories that are remembered of a layer. */
const maxPlaces = 16;

/** A layer whose unpacking has begun. */
interface Started {
  /** Its name in the layers' directory. */
  directory: string;
  /** The file of its outline, for now. */
  outline: string | undefined;
  done: Promise<UnpackDone>;
}

/**
 * Unpacked layers, each a directory with a short random name (many of them must fit into one page of mount options)
 * that holds the changes of one tar, whiteouts in overlayfs's form. The record is written last: a directory without
 * one is what a crash left, and is removed at start-up.
 */
export class UnpackedLayers implements Layers, BlobUser {
  readonly #root: string;
  readonly #records: Collection<LayerRecord>;
  readonly #content: Content;
  readonly #users: readonly LayerUser[];
  readonly #log: Logger;
  readonly #keepsArchives: boolean;
  readonly #unpackers = new Unpackers();
  /** Unpacking under way, by blob: who comes second waits. */
  readonly #unpacking = new Map<string, Promise<LayerRecord>>();
  /** Directories that have no record yet. */
  readonly #growing = new Set<string>();

  constructor(deps: {
    root: string;
    records: Collection<LayerRecord>;
    content: Content;
    users: readonly LayerUser[];
    log: Logger;
    keepArchives: boolean;
  }) {
    this.#root = deps.root;
    this.#records = deps.records;
    this.#content = deps.content;
    this.#users = deps.users;
    this.#log = deps.log;
    this.#keepsArchives = deps.keepArchives;
  }

  get(diffId: string): LayerRecord | undefined {
    return this.#records.get(diffId);
  }

  all(): LayerRecord[] {
    return this.#records.entries().map(([, record]) => record);
  }

  ofBlob(digest: string): LayerRecord | undefined {
    return this.all().find(({ blob }) => blob.digest === digest);
  }

  blobs(): string[] {
    return this.all().flatMap(blobsOf);
  }

  async *archive(record: LayerRecord, isBrief = false): AsyncGenerator<Buffer, void, void> {
    const { blob, outline, diffId } = record;
    if (outline !== undefined && !(await this.#content.has(blob.digest))) {
      yield* archiveOf(owned(this.#content.read(outline)), this.path(record), diffId, isBrief);
      return;
    }
    yield* decompress(owned(this.#content.read(blob.digest)), blob.compression);
  }

  /** Absolute path of a layer's directory. */
  path(record: LayerRecord): string {
    return join(this.#root, record.directory);
  }

  /**
   * Unpacks a blob, unless the layer is here already.
   * @throws DataLoss when it is not `diffId`; whatever `unpack` throws
   */
  async add(request: AddLayer): Promise<LayerRecord> {
    const { blob, lease, diffId } = request;
    if (diffId) lease.keepLayer(diffId);
    const present = diffId === undefined ? undefined : this.get(diffId);
    if (present) return present;
    // A caller that waits for another's unpacking that fails tries again itself: the other may have been cancelled.
    for (let other = this.#unpacking.get(blob.digest); other; other = this.#unpacking.get(blob.digest)) {
      const record = await other.catch(() => undefined);
      if (record) return this.#expected(record, lease, diffId);
    }
    return await this.#once(request, () => this.#start(this.#content.path(blob.digest), request));
  }

  begin(archive: string, signal?: AbortSignal): GrowingLayer {
    const growth = new Growth();
    const stop = new AbortController();
    const started = this.#start(archive, {
      growth,
      signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    });
    const abandon = async (): Promise<void> => {
      stop.abort();
      await started.done.catch(() => {}); // It was stopped, or has failed by itself: nobody wants it.
      await this.#discard(started.directory);
      await removeDraft(started);
      this.#growing.delete(started.directory);
    };
    return {
      grew: () => growth.tell(false),
      finish: async (blob, lease) => {
        growth.tell(true);
        // A plain one is named by its content.
        if (!this.get(blob.digest) && !this.#unpacking.has(blob.digest))
          return await this.#once({ blob, lease }, () => started);
        await abandon();
        return await this.add({ blob, lease });
      },
      abandon,
    };
  }

  /** Others who want the same blob wait for this work. */
  async #once(request: AddLayer, start: () => Started): Promise<LayerRecord> {
    const { blob, lease, diffId } = request;
    const work = this.#keep(start(), request);
    this.#unpacking.set(blob.digest, work);
    try {
      return this.#expected(await work, lease, diffId);
    } finally {
      this.#unpacking.delete(blob.digest);
    }
  }

  #expected(record: LayerRecord, lease: Lease, diffId: string | undefined): LayerRecord {
    if (diffId !== undefined && record.diffId !== diffId) {
      throw dataLoss(`the layer's content is ${record.diffId}, but the image configuration says ${diffId}`);
    }
    lease.keepLayer(record.diffId);
    return record;
  }

  #start(archive: string, how: Pick<UnpackRequest, 'growth' | 'onRead' | 'signal'>): Started {
    const directory = newId().slice(0, 12);
    const target = join(this.#root, directory);
    const outline = this.#keepsArchives ? undefined : this.#content.draft();
    this.#growing.add(directory);
    const unpack = async (): Promise<UnpackDone> => {
      await mkdir(target);
      // Regardless of our umask: this is the container's `/`, and not everybody in it is root.
      await chmod(target, 0o755);
      return await this.#unpackers.unpack({ archive, target, ...(outline !== undefined && { outline }), ...how });
    };
    const done = unpack();
    // A caller that awaits it is told, and may come later.
    done.catch(() => {});
    return { directory, outline, done };
  }

  async #keep(started: Started, { blob, lease, diffId: wanted, isSpent }: AddLayer): Promise<LayerRecord> {
    const { directory, done } = started;
    try {
      const { diffId = blob.digest, ...unpacked } = await done;
      lease.keepLayer(diffId);
      const present = this.get(diffId);
      const wrong = wanted !== undefined && wanted !== diffId;
      const { compression, size, tarSize, hasOutline = false } = unpacked;
      const outline = hasOutline ? await this.#storeOutline(started, blob, lease) : undefined;
      const record: LayerRecord = {
        v: 1,
        diffId,
        directory,
        size,
        tarSize,
        blob: { digest: blob.digest, size: blob.size, compression },
        ...(outline !== undefined && { outline }),
      };
      if (present || wrong) {
        await this.#discard(directory);
        return present ?? record;
      }
      if (isSpent && outline !== undefined) {
        lease.blobs.delete(blob.digest);
        await this.#content.collect([blob.digest]);
      }
      // A record promises all of the layer's files, and its blob, also after a power cut.
      await syncTree(join(this.#root, directory));
      const meanwhile = this.get(diffId);
      if (meanwhile) await this.#discard(directory);
      else this.#records.put(diffId, record);
      return meanwhile ?? record;
    } catch (error) {
      await this.#discard(directory);
      throw error;
    } finally {
      await removeDraft(started);
      this.#growing.delete(directory);
    }
  }

  /** @returns its digest; undefined when the archive itself is hardly larger, and stays */
  async #storeOutline({ outline }: Started, blob: StoredBlob, lease: Lease): Promise<string | undefined> {
    if (outline === undefined) return undefined;
    const { size } = await stat(outline);
    if (size * 2 > blob.size) return undefined;
    return (await this.#content.store(owned(createReadStream(outline)), lease)).digest;
  }

  /** Remembers that a repository has it, and in which form. */
  addPlace(diffId: string, { digest, size, repository }: LayerPlace): void {
    const record = this.get(diffId);
    if (!record) return;
    const known = record.places ?? [];
    const last = known.at(-1);
    if (last?.repository === repository && last.digest === digest) return;
    const others = known.filter((each) => each.repository !== repository);
    this.#records.put(diffId, { ...record, places: [...others, { digest, size, repository }].slice(-maxPlaces) });
  }

  async collect(diffIds: Iterable<string>): Promise<void> {
    for (const diffId of new Set(diffIds)) {
      const record = this.get(diffId);
      if (!record || this.#isUsed(diffId) || this.#content.isLayerLeased(diffId)) continue;
      this.#records.delete(diffId);
      await this.#discard(record.directory);
      // Unless the same layer has come anew meanwhile.
      await this.#content.collect([record.blob.digest, ...blobsOf(record)]);
    }
  }

  async withLease<T>(work: (lease: Lease) => Promise<T>): Promise<T> {
    const lease = this.#content.lease();
    try {
      return await work(lease);
    } finally {
      lease.end();
      await this.collect(lease.layers);
      await this.#content.collect(lease.blobs);
    }
  }

  #isUsed(diffId: string): boolean {
    return this.#users.some((user) => user.usesLayer(diffId));
  }

  /** Start-up: removes what a crash left behind. */
  async recover(): Promise<void> {
    makeDirectories(this.#root, 0o710);
    spreadDirectories(this.#root);
    await this.#forgetLost();
    const records = this.all();
    await this.collect(records.map((record) => record.diffId));
    const known = new Set(this.all().map((record) => record.directory));
    for (const name of await readdir(this.#root)) {
      if (!known.has(name) && !this.#growing.has(name)) await this.#discard(name);
    }
    await this.#content.collectAll();
  }

  /** A layer whose files are gone is not here: pulling or loading its image brings it back. */
  async #forgetLost(): Promise<void> {
    const there = new Set(await readdir(this.#root));
    for (const record of this.all()) {
      const { diffId, directory } = record;
      const [needed = ''] = blobsOf(record);
      if (there.has(directory) && (await this.#content.has(needed))) continue;
      this.#log.error('the files of a layer are gone: pull or load the images that need it again', { layer: diffId });
      this.#records.delete(diffId);
    }
  }

  /** Removes a layer's directory; under another name first, so that a half-removed one is never taken for a layer. */
  async #discard(directory: string): Promise<void> {
    const path = join(this.#root, directory);
    const doomed = directory.startsWith('gone-') ? path : join(this.#root, `gone-${directory}`);
    try {
      if (doomed !== path) await rename(path, doomed);
      await removeTree(doomed);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      // The next start-up tries again; nothing refers to it now.
      this.#log.warn(`a layer's directory could not be removed: ${messageOf(error)}`, { path });
    }
  }
}

/** The blobs that a layer needs: its outline, or else the archive. */
const blobsOf = ({ blob, outline }: LayerRecord): string[] => [outline ?? blob.digest];

async function removeDraft({ outline }: Started): Promise<void> {
  if (outline !== undefined) await rm(outline, { force: true });
}

/** Names a stack of layers, lowest first (OCI image-spec, config.md): what `rmi` prints for the layers it removed. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    const id =
      below === undefined ? diffId : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`;
    chain.push(id);
  }
  return chain;
}
