import type { Readable } from 'node:stream';
import type { Providers } from '@cleat/extensions/service';
import type {
  ContainerConfig,
  ContainerCreateRequest,
  ContainerInspect,
  ContainerSummary,
  ContainerUpdateRequest,
  Health,
  HostConfig,
} from '@cleat/protocol/api/container';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import type { Filters } from '../events/service.js';
import type { ExecTarget } from '../oci/exec-target.js';
import type { AttachSession, TerminalSize } from '../streams/service.js';
import type { Moment } from '../time.js';

/** The API's view of containers. `ref` is a name, an ID or an ID prefix. */
export interface Containers {
  /** @throws InvalidParameter, NotFound (`No such image: X:latest`), Conflict (name in use, Docker's text) */
  create(request: ContainerCreateRequest, options: CreateOptions): Promise<CreatedContainer>;
  list(options: ContainerQuery): Promise<ContainerSummary[]>;
  /** @throws NotFound `No such container: X` (every method with a `ref` does) */
  inspect(ref: string, options?: { size?: boolean }): Promise<ContainerInspect>;

  /** For builders: variables of its first process that go to no disk and into no answer. */
  hideVariables(ref: string, variables: readonly string[]): void;

  /** @throws NotModified when it runs already. */
  start(ref: string, options?: { detachKeys?: string; checkpoint?: string; hostConfig?: HostConfig }): Promise<void>;
  /** `timeout` in seconds; negative: for ever. @throws NotModified when it does not run. */
  stop(ref: string, options: { timeout?: number; signal?: string }): Promise<void>;
  restart(ref: string, options: { timeout?: number; signal?: string }): Promise<void>;
  /** @throws Conflict when it does not run, InvalidParameter for an unknown signal. */
  kill(ref: string, signal: string): Promise<void>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  update(ref: string, request: ContainerUpdateRequest): Promise<{ Warnings: string[] | null }>;
  /** @param options.link only the link `container/alias` goes, and no container. @throws Conflict for another name */
  remove(ref: string, options: { force: boolean; volumes: boolean; link: boolean }): Promise<void>;
  prune(filters: Filters): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }>;

  /** Throws at once for an unknown container or condition; otherwise headers go out before `result` settles. */
  wait(ref: string, condition: WaitCondition, signal: AbortSignal): { result: Promise<WaitResult> };

  /** Before start too: output from its first byte on. */
  attach(ref: string, options: AttachOptions): Promise<AttachSession>;
  /** h, w in characters. @throws Conflict when it does not run. */
  resize(ref: string, size: TerminalSize): Promise<void>;
  /**
   * For `docker logs`: chunks that are ready to be sent as they are (frames with headers, time stamps included; raw
   * bytes when the container has a terminal), because a million lines must not be a million objects. From Spool.logs.
   */
  logs(ref: string, options: LogOptions): Promise<ContainerLogs>;

  /** `psArgs` default `-ef`. @throws Conflict when it does not run. */
  top(ref: string, psArgs: string): Promise<{ Titles: string[]; Processes: string[][] }>;
  /** Objects as in `GET /containers/{id}/stats`; ends after one unless `stream`. */
  stats(
    ref: string,
    options: { stream: boolean; oneShot: boolean; signal: AbortSignal },
  ): Promise<AsyncIterable<object>>;
  /** Kind 0 modified, 1 added, 2 deleted. */
  changes(ref: string): Promise<{ Path: string; Kind: 0 | 1 | 2 }[]>;

  statPath(ref: string, path: string): Promise<PathStat>;
  getArchive(ref: string, path: string): Promise<{ stat: PathStat; tar: Readable }>;
  putArchive(
    ref: string,
    path: string,
    tar: Readable,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  ): Promise<void>;
  export(ref: string): Promise<Readable>;
  commit(ref: string, options: CommitContainerOptions): Promise<{ Id: string }>;

  connectNetwork(network: string, ref: string, endpoint: EndpointSettings): Promise<void>;
  disconnectNetwork(network: string, ref: string, force: boolean): Promise<void>;
}

/** The view of other rooms, and of the engine's own start and stop, on the containers of this host. */
export interface ContainerHost {
  /** @throws NotFound, Conflict when it does not run or is paused (Docker's texts) */
  execTarget(ref: string): ExecTarget;
  /** Calls `watcher` for every run from now on, also for those that recovery finds. */
  watchRuns(watcher: RunWatcher): void;
  /** IDs of the containers that a builder made for its builds. */
  madeBy(builder?: string): string[];
  /** From now on it is an ordinary container. */
  letGo(id: string): void;
  /** Which containers extensions run in, found by their address. */
  readonly providers: Providers;
  /**
   * Start-up is recovery: finds what runs, what ended meanwhile, applies restart policies, removes what is left over.
   */
  recover(): Promise<void>;
  /** For `info`, without I/O. */
  counts(): { total: number; running: number; paused: number; stopped: number };
  /** SIGTERM of the engine: stops containers within `timeout` s unless they are to live on (live-restore). */
  shutdown(options: { liveRestore: boolean; timeout: number }): Promise<void>;
}

/** Is told of runs, in order. Both are called at once, and wait for nothing. */
export interface RunWatcher {
  began(run: WatchedRun): void;
  /** @param id the container's */
  ended(id: string): void;
}

/** A running container as a watcher sees it. */
export interface WatchedRun {
  /** The container's. */
  readonly id: string;
  readonly config: ContainerConfig;
  /** RFC 3339 with nanoseconds. */
  readonly startedAt: string;
  /** Its processes are frozen. */
  paused(): boolean;
  /** As `inspect` shows it; undefined: it has none. */
  health(): Health | undefined;
  /** @param action an event that tells of it */
  saveHealth(health: Health | undefined, action?: string): void;
}

export interface CreateOptions {
  name?: string;
  platform?: string;
  builder?: string;
  /** Mounts below the source of a read-only bind stay writable, as for clients before API 1.44. */
  readOnlyNonRecursive?: boolean;
}

export interface CreatedContainer {
  Id: string;
  Warnings: string[];
}

export interface ContainerQuery {
  all: boolean;
  /** Only the newest n, running or not. */
  limit?: number;
  size: boolean;
  filters: Filters;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  StatusCode: number;
  Error?: { Message: string };
}

export interface AttachOptions {
  /** Replay what was printed so far. */
  logs: boolean;
  /** Go on with what comes. */
  stream: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Docker's notation (`ctrl-p,ctrl-q`); undefined: the default; empty: none. @throws InvalidParameter */
  detachKeys?: string;
}

export interface ContainerLogs {
  tty: boolean;
  chunks: AsyncIterable<Uint8Array>;
  /** Why these are not the log driver's own words, though it can be read; a sentence. */
  note?: string;
}

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  timestamps: boolean;
  /** Labels and environment that the log options name, before each line. */
  details: boolean;
  /** Seconds since the epoch, or exact nanoseconds as bigint. */
  since?: Moment;
  until?: Moment;
  /** Only the last n lines; undefined or negative: all. */
  tail?: number;
  signal: AbortSignal;
}

/** Answer header `X-Docker-Container-Path-Stat`, as base64 of this in JSON. */
export interface PathStat {
  name: string;
  size: number;
  /** Go's os.FileMode bits. */
  mode: number;
  mtime: string;
  linkTarget: string;
}

export interface CommitContainerOptions {
  repository: string;
  tag: string;
  comment: string;
  author: string;
  pause: boolean;
  changes: string[];
  /** Overrides the container's own configuration before `changes` apply. */
  config?: ContainerConfig;
  /** The command that the history names. Heeded for builders. */
  createdBy?: string;
  /** RFC 3339. Heeded for builders. */
  created?: string;
  /** It is a build record of this builder: `config` is its whole configuration, and nobody is told. */
  builder?: string;
}
