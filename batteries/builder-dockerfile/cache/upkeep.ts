import { readFileSync } from 'node:fs';
import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { parseDuration } from '@cleat/protocol/go-duration';
import type { BuildCacheRecord } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';
import { writeFileDurably } from '@cleat/sdk';
import { Client } from '../api/client.js';
import { Containers } from '../api/containers.js';
import { Images } from '../api/images.js';
import type { Settings } from '../options.js';
import type { CacheMounts } from '../run/cache-mounts.js';
import type { Cache, Kept } from './store.js';

/** Entries that say when an image was first built, and hold nothing. */
const onlyTime = 'time';

export interface PruneRequest {
  readonly Engine?: string;
  readonly All?: boolean;
  readonly Filters?: Readonly<Record<string, readonly string[]>>;
  readonly ReservedSpace?: number;
  readonly MaxUsedSpace?: number;
  readonly MinFreeSpace?: number;
}

interface Entry {
  readonly record: BuildCacheRecord;
  /** Keys of all steps that are one record of the engine. */
  readonly keys: readonly string[];
  readonly remove: () => Promise<boolean>;
}

/** Keeps the cache within its bounds, tells of it, and finds what builds of a killed engine have left. */
export class Upkeep {
  readonly #settings: Settings;
  readonly #cache: Cache;
  readonly #mounts: CacheMounts;
  readonly #log: Logger;
  readonly #builds = new Set<string>();
  #swept: Promise<void> | undefined;
  #keeping: Promise<void> | undefined;
  #engine: string;

  constructor(settings: Settings, cache: Cache, mounts: CacheMounts, log: Logger) {
    this.#settings = settings;
    this.#cache = cache;
    this.#mounts = mounts;
    this.#log = log;
    this.#engine = engineIn(this.#engineFile);
  }

  /** A build begins: what earlier ones have left goes first. */
  async begin(engine: string, id: string): Promise<void> {
    this.#builds.add(id);
    this.#know(engine);
    this.#swept ??= this.#sweep().catch((error: unknown) => {
      // The build itself will tell whether the engine answers.
      this.#log.warn(`containers of earlier builds may remain: ${messageOf(error)}`);
      this.#swept = undefined;
    });
    await this.#swept;
  }

  ended(id: string): void {
    this.#builds.delete(id);
    this.#keeping ??= this.#keepBounds()
      .catch((error: unknown) => this.#log.warn(`the build cache may be too large: ${messageOf(error)}`))
      .finally(() => {
        this.#keeping = undefined;
      });
  }

  async close(): Promise<void> {
    await this.#keeping;
  }

  async usage(): Promise<BuildCacheRecord[]> {
    return (await this.#entries()).map(({ record }) => record).filter(({ Type }) => Type !== onlyTime);
  }

  /** @throws InvalidParameter for a filter that is not known */
  async prune(request: PruneRequest): Promise<{ Removed: string[]; SpaceReclaimed: number }> {
    const fits = filterOf(request.Filters ?? {});
    if (request.Engine) this.#know(request.Engine);
    const { ReservedSpace = 0, MaxUsedSpace = 0, MinFreeSpace = 0 } = request;
    const { bavail, bsize } = await statfs(this.#settings.stateDir);
    let free = bavail * bsize;
    const entries = await this.#entries();
    let total = sum(entries);
    const candidates = entries.filter(({ record }) => !record.InUse && fits(record)).sort(byUse);
    const removed: string[] = [];
    let reclaimed = 0;
    for (const { record, remove } of candidates) {
      if (MaxUsedSpace > 0 && total <= MaxUsedSpace) break;
      if (ReservedSpace > 0 && total <= ReservedSpace) break;
      if (MinFreeSpace > 0 && free >= MinFreeSpace) break;
      if (!(await remove())) continue;
      removed.push(record.ID);
      reclaimed += record.Size ?? 0;
      total -= record.Size ?? 0;
      free += record.Size ?? 0;
    }
    return { Removed: removed, SpaceReclaimed: reclaimed };
  }

  #know(engine: string): void {
    if (engine === this.#engine) return;
    this.#engine = engine;
    writeFileDurably(this.#engineFile, engine);
  }

  get #engineFile(): string {
    return join(this.#settings.stateDir, 'engine');
  }

  /** Removes containers of builds that have ended. */
  async #sweep(): Promise<void> {
    using client = new Client(this.#engine);
    const containers = new Containers(client);
    for (const { id, build } of await containers.left()) if (!this.#builds.has(build)) await containers.remove(id);
  }

  async #keepBounds(): Promise<void> {
    const { cacheBytes, cacheMs } = this.#settings;
    const oldest = new Date(Date.now() - cacheMs).toISOString();
    const entries = (await this.#entries()).sort(byUse);
    let total = sum(entries);
    for (const { record, remove } of entries) {
      const isOld = (record.LastUsedAt ?? '') < oldest;
      if ((!isOld && total <= cacheBytes) || record.InUse) continue;
      if (await remove()) total -= record.Size ?? 0;
    }
  }

  async #entries(): Promise<Entry[]> {
    const byImage = new Map<string, [key: string, kept: Kept][]>();
    const times: Entry[] = [];
    for (const [key, kept] of this.#cache.entries()) {
      if (kept.image === '') times.push(this.#timeEntry(key, kept));
      else byImage.set(kept.image, [...(byImage.get(kept.image) ?? []), [key, kept]]);
    }
    const steps = [...byImage].map(([image, steps]) => this.#stepEntry(image, steps));
    return [...steps, ...times, ...(await this.#mountEntries())];
  }

  /** Only when an image was first built. */
  #timeEntry(key: string, kept: Kept): Entry {
    const record = recordOf(key, onlyTime, kept, false);
    const remove = async () => {
      this.#cache.drop(key);
      return true;
    };
    return { record, keys: [key], remove };
  }

  #stepEntry(image: string, steps: readonly [key: string, kept: Kept][]): Entry {
    const [key, kept] = steps.reduce((one, other) => (other[1].used > one[1].used ? other : one));
    const keys = steps.map(([one]) => one);
    const remove = async () => {
      if (this.#cache.isInUse(image)) return false;
      using client = new Client(this.#engine);
      // The engine keeps a record that an image is made of, and removes it with that: it is no longer taken, though.
      await new Images(client).remove(image);
      for (const one of keys) this.#cache.drop(one);
      return true;
    };
    return { record: recordOf(key, 'regular', kept, this.#cache.isInUse(image)), keys, remove };
  }

  async #mountEntries(): Promise<Entry[]> {
    return await Promise.all(
      this.#mounts.entries().map(async ({ key, path, made, isInUse }) => ({
        record: {
          ID: key,
          Type: 'exec.cachemount',
          Description: `cached mount ${made.name}`,
          InUse: isInUse,
          Shared: false,
          Size: await sizeOf(path),
          CreatedAt: made.created,
          LastUsedAt: made.used,
          UsageCount: made.uses,
        },
        keys: [key],
        remove: () => this.#mounts.remove(key),
      })),
    );
  }
}

function recordOf(key: string, type: string, kept: Kept, isInUse: boolean): BuildCacheRecord {
  return {
    ID: key,
    Type: type,
    Description: kept.what,
    ...(kept.image !== '' && { Image: kept.image }),
    InUse: isInUse,
    Shared: false,
    Size: kept.size,
    CreatedAt: kept.created,
    LastUsedAt: kept.used,
    UsageCount: kept.uses,
    ...(kept.parent && { Parents: [kept.parent] }),
  };
}

function sum(entries: readonly Entry[]): number {
  return entries.reduce((total, { record }) => total + (record.Size ?? 0), 0);
}

/** Least recently used first. */
function byUse(one: Entry, other: Entry): number {
  return (one.record.LastUsedAt ?? '') < (other.record.LastUsedAt ?? '') ? -1 : 1;
}

/** @throws InvalidParameter */
function filterOf(filters: NonNullable<PruneRequest['Filters']>): (record: BuildCacheRecord) => boolean {
  const tests = Object.entries(filters).map(([name, values]): ((record: BuildCacheRecord) => boolean) => {
    const some = (test: (value: string, record: BuildCacheRecord) => boolean) => (record: BuildCacheRecord) =>
      values.some((value) => test(value, record));
    const truth = (text: string) => !['false', '0', 'f'].includes(text.toLowerCase());
    if (name === 'until' || name === 'unused-for') {
      const bounds = values.map(momentOf);
      return (record) => bounds.every((bound) => (record.LastUsedAt ?? '') < bound);
    }
    if (name === 'id') return some((value, record) => record.ID.startsWith(value));
    if (name === 'parent' || name === 'parents')
      return some((value, record) => record.Parents?.includes(value) ?? false);
    if (name === 'type') return some((value, record) => record.Type === value);
    if (name === 'description') return some((value, record) => record.Description?.includes(value) ?? false);
    if (name === 'inuse') return some((value, record) => (record.InUse ?? false) === truth(value));
    if (name === 'shared') return some((value, record) => (record.Shared ?? false) === truth(value));
    if (name === 'private') return some((value, record) => (record.Shared ?? false) !== truth(value));
    throw invalidParameter(`invalid filter '${name}'`);
  });
  return (record) => tests.every((test) => test(record));
}

/** `24h`, or a time. @throws InvalidParameter */
function momentOf(text: string): string {
  const nanos = /^\d+$/.test(text) ? undefined : parseDuration(text);
  if (nanos !== undefined) return new Date(Date.now() - Number(nanos / 1_000_000n)).toISOString();
  const time = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(time)) throw invalidParameter(`invalid value ${JSON.stringify(text)} of the filter until`);
  return new Date(time).toISOString();
}

/** Bytes below a directory; what goes away meanwhile counts no more. */
async function sizeOf(path: string): Promise<number> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  let total = 0;
  for (const entry of entries) {
    const at = join(path, entry.name);
    total += entry.isDirectory()
      ? await sizeOf(at)
      : await lstat(at).then(
          ({ size }) => size,
          () => 0,
        );
  }
  return total;
}

function engineIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // There was no build yet.
    return '';
  }
}
