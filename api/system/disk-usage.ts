import type { DiskUsage } from '@cleat/engine/system/service';
import type { ImageSummary } from '@cleat/protocol/api/image';
import { invalidParameter } from '@cleat/protocol/errors';
import { rowFor } from '../containers/list.js';
import type { Exchange } from '../http/exchange.js';

const known = ['container', 'image', 'volume', 'build-cache'];

/** The `type` parameters; empty: everything. @throws InvalidParameter */
export function diskUsageTypes(x: Exchange): string[] {
  const types = x.query.all('type');
  for (const type of types) if (!known.includes(type)) throw invalidParameter(`unknown object type: ${type}`);
  return types;
}

/** `GET /system/df` in the shape of the client's version. */
export function diskUsageFor(x: Exchange, usage: DiskUsage, verbose: boolean): object {
  if (!x.before('1.52')) {
    // Clients that ask for details know the new fields. Others may still read the old ones (moby `getDiskUsage`).
    return verbose ? usages(usage) : { ...usage, ...usages(usage) };
  }
  const rows = usage.Containers && { Containers: usage.Containers.map((row) => rowFor(x, row)) };
  const images = usage.Images && { Images: usage.Images.map((image) => imageFor(x, image)) };
  if (!x.before('1.44')) return { ...usage, ...rows, ...images };
  return { ...usage, ...rows, ...images, ...(x.before('1.42') ? olderCache(usage.BuildCache ?? []) : {}) };
}

function imageFor(x: Exchange, { Descriptor, ...image }: ImageSummary): ImageSummary {
  return {
    ...image,
    ...(Descriptor && !x.before('1.48') && { Descriptor }),
    ...(x.before('1.44') && { VirtualSize: image.Size }),
  };
}

/** Until API 1.42 a record names one parent, and their size is told as a sum (moby `daemon/server/router/system`). */
function olderCache(records: NonNullable<DiskUsage['BuildCache']>): object {
  return {
    BuilderSize: records.reduce((bytes, { Size }) => bytes + Size, 0),
    BuildCache: records.map(({ Parents, ...record }) => ({ ...record, Parent: Parents?.[0] ?? '' })),
  };
}

/** Numbers of all objects of a type; as in Go, those that are 0 and empty lists are left out. */
interface TypeUsage<T> {
  ActiveCount?: number;
  Items?: readonly T[];
  /** Bytes. */
  Reclaimable?: number;
  TotalCount?: number;
  /** Bytes. */
  TotalSize?: number;
}

/** The objects of API 1.52, counted as moby `daemon/disk_usage.go` does. */
function usages({ LayersSize, Images, Containers, Volumes, BuildCache }: DiskUsage): object {
  return {
    ...(Images && {
      ImageUsage: usageOf(Images, LayersSize ?? 0, {
        isActive: (image) => image.Containers > 0,
        size: (image) => (image.Size === -1 || image.SharedSize === -1 ? 0 : image.Size - image.SharedSize),
      }),
    }),
    ...(Containers && {
      ContainerUsage: usageOf(Containers, undefined, {
        isActive: ({ State }) => ['running', 'paused', 'restarting'].includes(State),
        size: ({ SizeRw = 0 }) => SizeRw,
      }),
    }),
    ...(Volumes && {
      VolumeUsage: usageOf(Volumes, undefined, {
        // A volume whose size nobody knows is not promised to be reclaimed.
        isActive: ({ UsageData }) => UsageData?.RefCount !== 0 || UsageData.Size === -1,
        size: ({ UsageData }) => Math.max(UsageData?.Size ?? 0, 0),
      }),
    }),
    ...(BuildCache && {
      BuildCacheUsage: usageOf(BuildCache, undefined, {
        isActive: ({ InUse }) => InUse,
        isKept: ({ Shared }) => Shared,
        size: ({ Size }) => Size,
      }),
    }),
  };
}

/** @param total bytes; undefined: the sum of the items */
function usageOf<T>(
  items: readonly T[],
  total: number | undefined,
  of: { isActive: (item: T) => boolean; isKept?: (item: T) => boolean; size: (item: T) => number },
): TypeUsage<T> {
  const idle = items.filter((item) => !of.isActive(item));
  const sum = (list: readonly T[]) => list.reduce((bytes, item) => bytes + of.size(item), 0);
  const usage: TypeUsage<T> = {
    ActiveCount: items.length - idle.length,
    Reclaimable: sum(idle.filter((item) => !of.isKept?.(item))),
    TotalCount: items.length,
    TotalSize: total ?? sum(items),
  };
  const said = Object.fromEntries(Object.entries(usage).filter(([, number]) => number !== 0));
  return { ...said, ...(items.length > 0 && { Items: items }) };
}
