import type { Readable } from 'node:stream';
import type { Providers } from '@cleat/extensions/service';
import type { RuntimeCommand } from '@cleat/linux/runtime/runtime';
import type {
  ContainerConfig,
  ContainerCreateRequest,
  ContainerInspect,
  ContainerSummary,
  ContainerUpdateRequest,
  HostConfig,
} from '@cleat/protocol/api/container';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import type { Filters } from '../events/service.js';
import type { Moment } from '../time.js';

/** Containers: the state machine, and everything one does to a container. `ref` is a name, an ID or an ID prefix. */
export interface Containers {
  /** @throws InvalidParameter, NotFound (`No such image: X:latest`), Conflict (name in use, Docker's text) */
  create(request: ContainerCreateRequest, options: { name?: string; platform?: string }): Promise<CreatedContainer>;
  list(options: ContainerQuery): Promise<ContainerSummary[]>;
  /** @throws NotFound `No such container: X` (every method with a `ref` does) */
  inspect(ref: string, options?: { size?: boolean }): Promise<ContainerInspect>;

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
  update(ref: string, request: ContainerUpdateRequest): Promise<{ Warnings: string[] }>;
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

  /** For the exec room. @throws NotFound, Conflict when it does not run or is paused (Docker's texts) */
  execTarget(ref: string): ExecTarget;
  /** Health checks run through the exec room; set once by the wiring. */
  setExecs(execs: ExecRunner): void;
  /** Names of containers by what they use, for the rooms that refuse to remove what is in use. */
  /** Which containers extensions run in, found by their address. */
  readonly providers: Providers;
  usersOfImage(imageId: string): { containerId: string; name: string; running: boolean }[];
  /** IDs. */
  usersOfVolume(name: string): string[];

  /** Start-up is recovery: finds what runs, what ended meanwhile, applies restart policies, removes what is left over. */
  recover(): Promise<void>;
  /** For `info`, without I/O. */
  counts(): { total: number; running: number; paused: number; stopped: number };
  /** Probes of containers' health since the engine's start. */
  healthChecks(): { total: number; failed: number };
  /** SIGTERM of the engine: stops containers within `timeout` s unless they are to live on (live-restore). */
  shutdown(options: { liveRestore: boolean; timeout: number }): Promise<void>;
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

/** A live connection to a container's or an exec's standard streams. */
export interface AttachSession {
  readonly tty: boolean;
  /** Ends when the process ended, when detach keys came, or after `close()`. The reader's pace is respected. */
  readonly output: AsyncIterable<OutputFrame>;
  /** Resolves when the bytes are on their way; rejects when nobody takes input any more. Undefined: no stdin asked for. */
  write?(data: Uint8Array): Promise<void>;
  /** The client half-closed: end of input for the process (when it is StdinOnce or an exec). */
  endInput?(): Promise<void>;
  /** The client has gone. Never kills the process. */
  close(): void;
}

export interface OutputFrame {
  stream: 1 | 2;
  data: Uint8Array;
}

export interface TerminalSize {
  height: number;
  width: number;
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
}

/** A running container as the exec room sees it. */
export interface ExecTarget {
  readonly id: string;
  readonly name: string;
  readonly config: ContainerConfig;
  readonly runtime: RuntimeCommand;
  readonly conmonPath: string;
  /** What to give to the runtime for a further process. @throws InvalidParameter (no such user; endless /etc/passwd) */
  process(wish: ExecWish): Promise<OciProcess>;
  /** The container's control group (`linux.cgroupsPath`). */
  readonly cgroup: string;
  /** Sessions shown as `ExecIDs`. */
  readonly execIds: Set<string>;
  /** Aborted when the container ends. */
  readonly ended: AbortSignal;
  emit(action: string, attributes?: Record<string, string>): void;
}

export interface ExecWish {
  command: string[];
  /** Empty or undefined: the container's. */
  user?: string;
  env?: string[];
  workingDir?: string;
  privileged?: boolean;
  tty: boolean;
  consoleSize?: { height: number; width: number };
}

/** `process` of the OCI runtime specification, as far as we write it. */
export interface OciProcess {
  terminal?: boolean;
  consoleSize?: { height: number; width: number };
  user: { uid: number; gid: number; additionalGids?: number[]; umask?: number };
  args: string[];
  env: string[];
  cwd: string;
  capabilities?: Record<'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient', string[]>;
  /** bigint for RLIM_INFINITY. */
  rlimits?: { type: string; hard: number | bigint; soft: number | bigint }[];
  noNewPrivileges?: boolean;
  apparmorProfile?: string;
  oomScoreAdj?: number;
}

/** Runs a command in a container to its end; what health checks need of the exec room. */
export interface RunOptions {
  env?: string[];
  user?: string;
  workingDir?: string;
  signal: AbortSignal;
  /** The process runs; what the runtime took until then is not its time. */
  onStarted?(): void;
  onOutput(data: Uint8Array): void;
}

export interface ExecRunner {
  /**
   * Runs to its end, with the exit code. When `signal` aborts, it is killed together with what it started and left in
   * its session, and the promise is rejected as soon as it is gone (or will not go: a few seconds later).
   * Events exec_create, exec_start, exec_die as for any exec.
   */
  run(containerId: string, command: string[], options: RunOptions): Promise<{ exitCode: number }>;
}
