import Type, { go, type Static } from '../schema.js';

/** The Engine API's volume objects. */
const StringMap = Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]));

/** Body of `POST /volumes/create`. */
export const VolumeCreateRequest = Type.Object(
  {
    Name: Type.Optional(Type.String()),
    Driver: Type.Optional(Type.String()),
    DriverOpts: StringMap,
    Labels: StringMap,
    ClusterVolumeSpec: Type.Optional(Type.Unknown()),
  },
  go('volume.CreateOptions'),
);
export type VolumeCreateRequest = Static<typeof VolumeCreateRequest>;

export interface VolumeResource {
  CreatedAt?: string;
  Driver: string;
  Labels: Record<string, string> | null;
  Mountpoint: string;
  Name: string;
  Options: Record<string, string> | null;
  Scope: string;
  Status?: Record<string, unknown>;
  UsageData?: { RefCount: number; Size: number };
}

export interface VolumeList {
  Volumes: VolumeResource[];
  Warnings: string[] | null;
}
