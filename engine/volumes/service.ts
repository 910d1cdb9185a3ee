import type { HeldPath } from '@cleat/linux/helper/held-path';
import type { VolumeCreateRequest, VolumeList, VolumeResource } from '@cleat/protocol/api/volume';
import type { MountContext } from '@cleat/protocol/kinds/volume';
import type { Filters } from '../events/service.js';

/** The API's half of volumes: names, labels and references are the engine's, data is the driver's. */
export interface Volumes {
  /** Idempotent by name. @throws Conflict (same name, other driver), InvalidParameter (bad name), NotFound (driver) */
  create(request: VolumeCreateRequest): Promise<VolumeResource>;
  /** @throws NotFound `get X: no such volume` */
  inspect(name: string): Promise<VolumeResource>;
  /** All drivers are asked at once under a short deadline; who did not answer is named in `Warnings`. */
  list(filters: Filters): Promise<VolumeList>;
  /** @throws Conflict `remove X: volume is in use - [ids]`; with `force` an orphan is forgotten. */
  remove(name: string, options: { force: boolean }): Promise<void>;
  prune(filters: Filters): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }>;
}

/** The half of other rooms: the volumes of this host. */
export interface VolumeHost {
  /**
   * One driver Mount for one container start. Events: volume mount. What the driver answered with is held: `source`
   * is what to use of it, by helpers and runtimes only, until the caller releases it.
   */
  mount(name: string, use: VolumeUse, signal?: AbortSignal): Promise<HeldVolume>;
  /**
   * The matching Unmount. A driver that is away or takes too long gets it later: it is pending, durably, and a caller
   * that lists volumes is told. @throws what the driver says when it refuses
   */
  unmount(use: VolumeUse): Promise<void>;
  /** After a restart of the engine: this mount exists still; nothing is asked of a driver. */
  adopt(name: string, use: VolumeUse, mounted: MountedVolume): void;
  /** Unmounts what was mounted before a restart of the engine, and neither adopted nor unmounted since. */
  reconcile(): void;

  /** Names of the volumes on record that are a driver's. */
  ofDriver(driver: string): string[];
  /** The default driver's name. */
  readonly defaultDriver: string;
  diskUsage(): Promise<VolumeResource[]>;
}

export interface VolumeUse {
  containerId: string;
  /** The ID of this mount towards the driver: one per container start. */
  mountId: string;
  destination: string;
  readOnly: boolean;
  propagation: string;
  /** Only this, inside the volume. */
  subpath?: string;
  /** A path of the engine's own that does not exist yet, to hold what is mounted. */
  holdAt: string;
  /** For a driver that asks for whom it mounts. */
  context(): MountParty;
}

export type MountParty = Pick<MountContext, 'Container' | 'Options'>;

export interface MountedVolume {
  /** The driver's, to be shown. */
  path: string;
  driver: string;
}

export interface HeldVolume extends MountedVolume {
  source: HeldPath;
}
