import type { Extensions } from '@cleat/extensions/service';
import { messageOf } from '@cleat/protocol/errors';
import { type BuildCacheRecord, builderKind } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';
import type { ImageHost } from '../images/service.js';
import type { Doors } from './doors.js';

interface CacheDeps {
  readonly extensions: Extensions;
  readonly doors: Doors;
  readonly images: ImageHost;
  readonly log: Logger;
  /** Builders that build at present: what they make is not known to them yet. */
  readonly busy: (builder: string) => boolean;
  /** Builds go to this builder. */
  readonly isChosen: (builder: string) => boolean;
}

/** The caches of builders, and the build records in them. */
export class BuildCache {
  readonly #deps: CacheDeps;

  constructor(deps: CacheDeps) {
    this.#deps = deps;
  }

  /** All builders that are known, and those that have left records. */
  builders(): string[] {
    const known = this.#deps.extensions.names(builderKind);
    return [...new Set([...known, ...this.#deps.images.buildRecords().map(({ builder }) => builder)])];
  }

  /** A builder's own list; an empty one of a builder that keeps nothing; undefined when it does not answer. */
  async recordsOf(builder: string): Promise<BuildCacheRecord[] | undefined> {
    const { extensions, doors, log, isChosen } = this.#deps;
    if (!extensions.names(builderKind).includes(builder)) return [];
    try {
      const client = await extensions.get(builderKind, builder, { impatient: true });
      const answer = await client.DiskUsage(
        { Engine: await doors.of(builder), Chosen: isChosen(builder) },
        { impatient: true },
      );
      return answer?.Records ?? [];
    } catch (error) {
      log.warn(`builder "${builder}" does not say what it keeps: ${messageOf(error)}`);
      return undefined;
    }
  }

  async usage(): Promise<BuildCacheRecord[]> {
    const all = await Promise.all(
      this.builders().map(async (builder) => {
        const own = (await this.recordsOf(builder)) ?? [];
        return [...own, ...this.#recordsBeyond(builder, own)];
      }),
    );
    return all.flat();
  }

  /**
   * Removes build records that their builder does not know, as it was killed, or is gone.
   * @returns those that were removed, and whether all were: none are while it builds or does not answer
   */
  async removeOrphans(builder: string): Promise<{ removed: BuildCacheRecord[]; isAll: boolean }> {
    if (this.#recordsBeyond(builder, []).length === 0) return { removed: [], isAll: true };
    const own = this.#deps.busy(builder) ? undefined : await this.recordsOf(builder);
    if (own === undefined || this.#deps.busy(builder)) return { removed: [], isAll: false };
    const orphans = this.#recordsBeyond(builder, own);
    // A build that begins meanwhile may come to make the same image.
    const mayGo = () => !this.#deps.busy(builder);
    const ids = orphans.map(({ ID }) => ID);
    const removed = new Set(await this.#deps.images.removeRecords(ids, mayGo));
    return { removed: orphans.filter(({ ID }) => removed.has(ID)), isAll: mayGo() };
  }

  #recordsBeyond(builder: string, own: readonly BuildCacheRecord[]): BuildCacheRecord[] {
    const known = new Set(own.map(({ Image }) => Image));
    return this.#deps.images
      .buildRecords()
      .filter((record) => record.builder === builder && !known.has(record.id))
      .map((record) => ({
        ID: record.id,
        Image: record.id,
        Type: 'regular',
        Description: `build record of ${builder}`,
        InUse: this.#deps.busy(builder),
        Shared: false,
        Size: record.size,
        CreatedAt: record.stored,
        UsageCount: 1,
        Parents: record.parent === undefined ? [] : [record.parent],
      }));
  }
}
