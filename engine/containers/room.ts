import type { Extensions } from '@cleat/extensions/service';
import type { Helper } from '@cleat/linux/helper/helper';
import type { Logger } from '@cleat/protocol/log';
import type { EngineConfig } from '../config.js';
import type { Events } from '../events/service.js';
import type { Images } from '../images/service.js';
import type { Networks } from '../networks/service.js';
import type { Spool } from '../spool/service.js';
import type { Store } from '../store/service.js';
import type { Volumes } from '../volumes/service.js';
import type { Container } from './container.js';
import type { ContainerPaths } from './paths.js';
import type { MountRecord } from './record.js';
import type { Registry } from './registry.js';
import type { Runtimes } from './runtimes.js';
import type { ExecRunner } from './service.js';

/** What the wiring hands to this room. */
export interface ContainersDeps {
  readonly config: EngineConfig;
  readonly log: Logger;
  readonly store: Store;
  readonly events: Events;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly networks: Networks;
  readonly spool: Spool;
  readonly extensions: Extensions;
  /** Killable processes for every path that is not ours; one pool per engine. */
  readonly helper: Helper;
  /** Default: `conmon` from PATH. */
  readonly conmonPath?: string;
}

/** What every file of this room works with. */
export interface Room extends ContainersDeps {
  /** The engine is stopping: no restarts, and what is stopped now was not stopped by a user. */
  stopping: boolean;
  /** The engine has let go of its containers; the next one finds them. */
  closed: boolean;
  /** Since the engine's start. */
  readonly healthChecks: { total: number; failed: number };
  readonly registry: Registry;
  /** Mounts of the containers that are being made, by ID: their volumes are in use already. */
  readonly making: Map<string, readonly MountRecord[]>;
  readonly paths: ContainerPaths;
  readonly runtimes: Runtimes;
  /** Clearing up that is under way. */
  readonly background: Set<Promise<void>>;
  /** Set by the wiring once the exec room is there; health checks run through it. */
  execs: ExecRunner | undefined;
  /** Publishes a container event with the attributes that Docker's carry: labels, image, name, and `more`. */
  emit(container: Container, action: string, more?: Record<string, string>, at?: Date): void;
}
