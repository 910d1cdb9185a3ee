import type { ContainerSummary } from '@cleat/protocol/api/container';
import type { ImageSummary } from '@cleat/protocol/api/image';
import type { VolumeResource } from '@cleat/protocol/api/volume';
import type { BuildCacheRecord } from '@cleat/protocol/kinds/builder';

/** The engine's facts about itself. */
export interface System {
  /** Answer of `GET /info`, newest shape. Never waits for an extension. */
  info(): Promise<Record<string, unknown>>;
  /** Answer of `GET /version`, without `ApiVersion`/`MinAPIVersion`, which the api room adds. */
  version(): VersionInfo;
  /** Answer of `GET /system/df` up to API 1.51. `types`: container, image, volume, build-cache; empty: all. */
  diskUsage(types: string[]): Promise<DiskUsage>;
}

/** Types that were not asked for are missing. */
export interface DiskUsage {
  /** Bytes of all images together. */
  LayersSize?: number;
  Images?: ImageSummary[];
  Containers?: ContainerSummary[];
  Volumes?: VolumeResource[];
  BuildCache?: BuildCacheRow[];
}

/** A record of a builder's cache, with the members that Docker's always have (moby `api/types/build`). */
export type BuildCacheRow = Omit<BuildCacheRecord, 'Image' | 'LastUsedAt'> &
  Required<
    Pick<BuildCacheRecord, 'Type' | 'Description' | 'InUse' | 'Shared' | 'Size' | 'CreatedAt' | 'UsageCount'>
  > & {
    LastUsedAt: string | null;
  };

export interface VersionInfo {
  /** The engine's version as Docker-compatible tools may compare it. */
  Version: string;
  Platform: { Name: string };
  Components: { Name: string; Version: string; Details: Record<string, string> }[];
  GitCommit: string;
  Os: string;
  Arch: string;
  KernelVersion: string;
  BuildTime: string;
  Experimental: boolean;
}
