import { diskUsageRequest, diskUsageResponse, pruneRequest, usageRecord } from '@cleat/protocol/buildkit/control';
import { invalidParameter } from '@cleat/protocol/errors';
import { parseDuration } from '@cleat/protocol/go-duration';
import type { GrpcClient } from '@cleat/protocol/grpc/client';
import { fromTimestamp } from '@cleat/protocol/grpc/common';
import type { BuildCacheRecord } from '@cleat/protocol/kinds/builder';
import { control } from './connection.js';

export interface PruneOrder {
  readonly All?: boolean;
  readonly Filters?: Readonly<Record<string, readonly string[]>>;
  readonly ReservedSpace?: number;
  readonly MaxUsedSpace?: number;
  readonly MinFreeSpace?: number;
}

/** How long buildkitd may look for what it has, in ms; the engine waits a little longer. */
const usageMs = 25_000;

/** The records of buildkitd's cache. */
export async function usageOf(client: GrpcClient): Promise<BuildCacheRecord[]> {
  const types = [diskUsageRequest, diskUsageResponse] as const;
  const { record } = await client.call(control('DiskUsage'), [...types], {}, { deadlineMs: usageMs });
  return record.map((one) => {
    const parents = one.Parents?.length ? one.Parents : [one.Parent ?? ''];
    return {
      ID: one.ID ?? '',
      Type: one.RecordType || 'regular',
      Description: one.Description ?? '',
      InUse: one.InUse ?? false,
      Shared: one.Shared ?? false,
      Size: one.Size ?? 0,
      CreatedAt: fromTimestamp(one.CreatedAt),
      LastUsedAt: fromTimestamp(one.LastUsedAt),
      UsageCount: one.UsageCount ?? 0,
      Parents: parents.filter((id) => id !== ''),
    };
  });
}

/** Lets buildkitd remove what it keeps. @throws InvalidParameter for a filter */
export async function pruneCache(
  client: GrpcClient,
  order: PruneOrder,
  signal: AbortSignal,
): Promise<{ Removed: string[]; SpaceReclaimed: number }> {
  const { All = false, Filters = {}, ReservedSpace = 0, MaxUsedSpace = 0, MinFreeSpace = 0 } = order;
  const call = client.stream(control('Prune'), [pruneRequest, usageRecord], { signal });
  await call.send({
    all: All,
    filter: filterOf(Filters),
    keepDuration: keptFor(Filters.until ?? Filters['unused-for'] ?? []),
    reservedSpace: ReservedSpace,
    maxUsedSpace: MaxUsedSpace,
    minFreeSpace: MinFreeSpace,
  });
  call.end();
  const answer = { Removed: [] as string[], SpaceReclaimed: 0 };
  for await (const { ID, Size } of call.messages) {
    answer.Removed.push(ID);
    answer.SpaceReclaimed += Size;
  }
  return answer;
}

const known = ['until', 'unused-for', 'id', 'parent', 'type', 'description', 'inuse', 'shared', 'private'];

/** @throws InvalidParameter */
export function checkFilters(filters: PruneOrder['Filters'] = {}): void {
  const strange = Object.keys(filters).find((name) => !known.includes(name));
  if (strange !== undefined) throw invalidParameter(`invalid filter '${strange}'`);
}

/** The filters in the words of BuildKit, as moby puts them (`daemon/internal/builder-next/builder.go`). */
function filterOf(filters: NonNullable<PruneOrder['Filters']>): string[] {
  const parts = Object.entries(filters).flatMap(([name, values]) => {
    if (name === 'until' || name === 'unused-for') return [];
    return values.map((value) => `${name}${name === 'id' ? '~=' : '=='}${value}`);
  });
  return parts.length === 0 ? [] : [parts.join(',')];
}

/** Nanoseconds since the last use of what goes. @throws InvalidParameter */
function keptFor([text]: readonly string[]): number {
  if (text === undefined) return 0;
  const duration = parseDuration(text);
  if (duration !== undefined) return Number(duration);
  const moment = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(moment)) throw invalidParameter(`invalid value ${JSON.stringify(text)} of the filter until`);
  return Math.max(0, Date.now() - moment) * 1e6;
}
