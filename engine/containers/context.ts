import type { Extensions } from '@cleat/extensions/service';
import type { Helper } from '@cleat/linux/helper/helper';
import type { Logger } from '@cleat/protocol/log';
import type { ContainersConfig } from '../config.js';
import type { Events } from '../events/service.js';
import type { ImageHost, Images } from '../images/service.js';
import type { NetworkHost, Networks } from '../networks/service.js';
import type { RuntimePlugins, Runtimes } from '../oci/runtimes.js';
import type { Spool } from '../spool/service.js';
import type { VolumeHost, Volumes } from '../volumes/service.js';
import type { ContainerPaths } from './paths.js';
import type { Told } from './state/announce.js';
import type { Registry } from './state/registry.js';
import type { RunWatchers } from './watchers.js';

/** Parts that the wiring hands to this room. */
export interface ContainersDeps {
  readonly config: ContainersConfig;
  readonly log: Logger;
  readonly registry: Registry;
  readonly events: Events;
  readonly images: Images & ImageHost;
  readonly volumes: Volumes & VolumeHost;
  readonly networks: Networks & NetworkHost;
  readonly spool: Spool;
  readonly extensions: Extensions;
  /** Killable processes for every path that is not ours; one pool per engine. */
  readonly helper: Helper;
  /** Runtimes that came as plugins. */
  readonly runtimePlugins?: RuntimePlugins;
  /** Default: `conmon` from PATH. */
  readonly conmonPath?: string;
}

/** Shared by every file of this room. */
export interface Context extends ContainersDeps {
  /** The engine is stopping: no restarts, and what is stopped now was not stopped by a user. */
  stopping: boolean;
  /** The engine has let go of its containers; the next one finds them. */
  closed: boolean;
  readonly paths: ContainerPaths;
  readonly runtimes: Runtimes;
  readonly watchers: RunWatchers;
  /** Clearing up that is under way. */
  readonly background: Set<Promise<void>>;
  /** Publishes a container event with the attributes that Docker's carry: labels, image, name, and `more`. */
  emit(container: Told, action: string, more?: Record<string, string>, at?: Date): void;
}
