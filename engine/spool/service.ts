import type { LogInfo } from '@cleat/protocol/kinds/log';

/**
 * What a container prints, from conmon's k8s-file: the one reader behind `logs`, `attach` and log drivers. Whoever
 * reads slowly costs an offset here, never memory, and never a container's progress.
 */
export interface Spool {
  /** The file that conmon is to write for this container (made, with its directory, when it does not exist). */
  pathFor(containerId: string): string;

  /**
   * Entries joined per line for `docker logs`: F/P fragments joined per stream, split at 16 KiB as Docker does.
   * Follows, when asked, until `signal` aborts or {@link ended} was called for this container and all is read.
   */
  read(containerId: string, options: SpoolQuery): AsyncIterable<SpoolEntry>;

  /** Byte-exact output from `offset` on (P and F fragments as they came), for attach. `wake` hints that more came. */
  stream(containerId: string, options: { from: SpoolPosition; signal: AbortSignal }): AsyncIterable<SpoolChunk>;
  /** The position after everything written so far. */
  position(containerId: string): SpoolPosition;
  /** A hint (from the attach socket) that the file has grown. */
  wake(containerId: string): void;

  /**
   * Connects a container's spool to its log driver, from where it stopped last time (kept on disk). The pump runs off
   * the main thread and never blocks the container; the driver is looked up by name through the registry.
   * `mode` and `max-buffer-size` are in `info.Config`. Safe to call again after a restart of the engine.
   */
  startDriver(containerId: string, driver: string, info: LogInfo): Promise<void>;
  /**
   * The container's process has ended and the file is complete: readers that follow finish, the driver is drained
   * (in the background, with a deadline) and told to stop.
   */
  ended(containerId: string): void;
  /** The container runs (again): readers may follow. */
  began(containerId: string): void;
  /** Forgets the container and removes its files. */
  remove(containerId: string): Promise<void>;
  close(): Promise<void>;
}

export interface SpoolQuery {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  /** Seconds since the epoch, fractions allowed. */
  since?: number;
  until?: number;
  /** Only the last n lines; undefined: all. */
  tail?: number;
  signal: AbortSignal;
}

export interface SpoolEntry {
  stream: 1 | 2;
  /** Nanoseconds since the epoch. */
  time: bigint;
  /** With its line feed, if the container wrote one. */
  line: Buffer;
}

export interface SpoolChunk {
  stream: 1 | 2;
  data: Buffer;
  /** Where the next read would continue. */
  next: SpoolPosition;
}

/** Opaque: generation of the file (rotation) and byte offset. */
export interface SpoolPosition {
  readonly generation: number;
  readonly offset: number;
}
