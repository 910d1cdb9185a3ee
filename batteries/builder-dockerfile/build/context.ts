import type { Semaphore } from '@cleat/protocol/async/semaphore';
import { messageOf } from '@cleat/protocol/errors';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';
import type { Client } from '../api/client.js';
import type { Containers } from '../api/containers.js';
import type { Images, Platform } from '../api/images.js';
import type { Imports } from '../cache/imports.js';
import type { CacheSources } from '../cache/sources.js';
import type { Cache, TrailStep } from '../cache/store.js';
import type { Dockerfile } from '../language/dockerfile.js';
import type { Variables } from '../plan/arguments.js';
import type { Plan } from '../plan/stages.js';
import type { CacheMounts } from '../run/cache-mounts.js';
import type { Bases } from './base.js';
import type { Checks } from './checks.js';
import type { Lines } from './lines.js';
import type { State } from './state.js';
import type { Workspace } from './workspace.js';

/** Shared by the parts of one build. */
export interface BuildContext {
  readonly request: BuildRequest;
  readonly log: Logger;
  readonly client: Client;
  readonly images: Images;
  readonly containers: Containers;
  readonly bases: Bases;
  readonly workspace: Workspace;
  readonly cache: Cache;
  /** Missing for the classic builder's clients. */
  readonly checks: Checks | undefined;
  /** Steps of caches from elsewhere. */
  readonly imports: Imports;
  /** If there are any, only what they have is taken from the cache. */
  readonly sources: CacheSources | undefined;
  readonly cacheMounts: CacheMounts;
  readonly lines: Lines;
  readonly dockerfile: Dockerfile;
  readonly plan: Plan;
  readonly globals: Variables;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Names of further contexts. */
  readonly contexts: ReadonlySet<string>;
  /** Undefined: whatever the base images are for. */
  readonly platform: Platform | undefined;
  /** SOURCE_DATE_EPOCH, in seconds. */
  readonly epoch: number | undefined;
  /** How many steps work at once. */
  readonly slots: Semaphore;
  readonly signal: AbortSignal;
  /** Steps that this build has made or taken, for a cache that is to be exported. */
  readonly trail: TrailStep[];
  /** Disposed of when the build has ended: what must not be pruned before. */
  readonly holds: { use(one: Disposable): void };
  /** Awaited when the build has ended. */
  later(work: Promise<void>): void;
}

/** The images of stages, for steps that copy from them. */
export interface StageResults {
  /** @throws the failure of that stage, or of one that it needs */
  result(index: number): Promise<State>;
}

/** The failure of a step. */
export class StepFailure extends Error {
  constructor(
    override readonly cause: unknown,
    readonly vertex: string,
    readonly line: number,
  ) {
    super(messageOf(cause));
    this.name = 'StepFailure';
  }
}

/** A record of the cache is no longer with the engine: what was built on it must be built again. */
export class Vanished extends Error {
  constructor(readonly image: string) {
    super(`a record of the build cache is gone: ${image}`);
    this.name = 'Vanished';
  }
}
