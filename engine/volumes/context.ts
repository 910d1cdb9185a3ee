import type { Extensions } from '@cleat/extensions/service';
import type { Helper } from '@cleat/linux/helper/helper';
import type { Turns } from '@cleat/protocol/async/turns';
import type { Logger } from '@cleat/protocol/log';
import type { Roots, VolumesConfig } from '../config.js';
import type { Events } from '../events/service.js';
import type { Outbox } from '../outbox/service.js';
import type { Collection, Store } from '../store/service.js';
import type { Drivers } from './drivers.js';
import type { HeldMount } from './held.js';
import type { VolumeOutbox } from './outbox.js';
import type { VolumeRecord } from './record.js';

/** Parts that the wiring hands to this context. */
export interface VolumesDeps {
  readonly config: VolumesConfig;
  readonly log: Logger;
  readonly store: Store;
  readonly events: Events;
  readonly extensions: Extensions;
  readonly outbox: Outbox;
  /**
   * Where a path that a driver speaks of lies on this host, for one that has a root file system of its own: a directory of the
   * engine's, and the path in it.
   */
  readonly place?: DriverPlace;
  /** For sizes and mount points: a volume's path is its driver's. */
  readonly helper: Pick<Helper, 'call'>;
  /** IDs of the containers that refer to a volume: those that are on record or are being made. */
  readonly references: (name: string) => string[];
}

export type DriverPlace = (
  driver: string,
  path: string,
) => { readonly root: string; readonly within: string } | undefined;

/** Shared by every file of this room. */
export interface Context {
  readonly defaultDriver: string;
  /** The engine's own directories, without symlinks. */
  readonly roots: Roots;
  readonly log: Logger;
  readonly events: Events;
  readonly helper: Pick<Helper, 'call'>;
  readonly records: Collection<VolumeRecord>;
  readonly place: DriverPlace;
  readonly drivers: Drivers;
  readonly held: Collection<HeldMount>;
  readonly unmounts: VolumeOutbox;
  /** One change to a volume at a time. */
  readonly turns: Turns;
  /** IDs of the containers that refer to a volume. */
  readonly references: (name: string) => string[];
}
