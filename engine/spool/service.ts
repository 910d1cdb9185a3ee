import type { LogInfo } from '@cleat/protocol/kinds/log';
import type { Moment } from '../time.js';
import type { CheckOptions } from './driver/check.js';

/**
 * Output of a container, from conmon's k8s-file: the one reader behind `logs`, `attach` and log drivers. A caller that
 * reads slowly costs an offset here, never memory, and never a container's progress.
 */
export interface Spool {
  /** The file that conmon is to write for this container (made, with its directory, when it does not exist). */
  pathFor(containerId: string): string;

  /**
   * Whether a container may be made with this log driver and these options.
   * @throws InvalidParameter for a driver that nobody knows, or an option that it does not have
   */
  checkDriver(driver: string, config: Readonly<Record<string, string>>, options?: CheckOptions): Promise<void>;

  /**
   * The stream of `docker logs`, in chunks that are ready to be sent. From the spool: F/P fragments joined per stream,
   * split at 16 KiB as Docker does; from a log driver that can be read (`ReadLogs`): its entries. With headers when
   * `multiplexed`: one per entry for who follows, one for up to 32 KiB of one stream otherwise. Follows, when asked and
   * the container runs, until `signal` aborts, `until` has passed, or {@link ended} was called and all is read. A
   * driver that should be read and does not answer is stood in for by the spool; one that breaks off in the middle ends
   * the chunks with an error.
   * @throws NotImplemented when there is nothing to read (driver `none`, or `cache-disabled`); then, too, what a driver
   * that should be read says instead
   */
  logs(containerId: string, driver: string, info: LogInfo, query: LogsQuery): Promise<LogOutput>;

  /**
   * Byte-exact output from `from` on (fragments as they came, neighbours of one stream joined), for attach. Ends when
   * `signal` aborts or once {@link ended} is called after this and all is read; so it may be called before the start.
   * A caller aborts it if the container fails to start.
   */
  stream(containerId: string, options: { from: SpoolPosition; signal: AbortSignal }): AsyncIterable<SpoolChunk>;
  /** The position after everything written so far. */
  position(containerId: string): SpoolPosition;
  /** The position of the oldest output that is kept, for `attach?logs=1`. */
  beginning(containerId: string): SpoolPosition;
  /** A hint (from the attach socket) that the file has grown. */
  wake(containerId: string): void;

  /**
   * Connects a container's spool to its log driver, from where it stopped last time (kept on disk). The pump runs off
   * the main thread and never blocks the container; the driver is looked up by name through the registry.
   * `mode` and `max-buffer-size` are in `info.Config`. A driver that accepted this container before, and is away just
   * now, gets its part when it comes back.
   * @throws `failed to initialize logging driver: …` with the class of the driver's refusal
   */
  startDriver(containerId: string, driver: string, info: LogInfo): Promise<void>;
  /**
   * The same for a container that runs already, or has ended while nobody looked: in the background, until it is done.
   */
  resumeDriver(containerId: string, driver: string, info: LogInfo): void;
  /** At the engine's start: goes on delivering what is left of containers that were removed. */
  recover(): void;
  /** Whether the container's log driver has not got everything. */
  owes(containerId: string): boolean;
  /**
   * The container's process has ended and the file is complete: readers that follow finish, the driver is drained
   * (in the background, with a deadline) and told to stop.
   */
  ended(containerId: string): void;
  /**
   * After {@link ended}: resolves when the driver has taken the rest and was told to stop, or is waited for no longer.
   */
  delivered(containerId: string): Promise<void>;
  /** The container runs (again): readers may follow. Also called for each that is found running after a restart. */
  began(containerId: string): void;
  /** Forgets the container and removes its files; what its driver has not got yet is still delivered. */
  remove(containerId: string): Promise<void>;
  /** Output that log drivers have not got: by driver, and by container where one is connected. */
  deliveries(): DriverDeliveries[];
  /** Warnings about it, as sentences for `docker info`. */
  warnings(): string[];
  /** Stops reading; drivers go on from there when the engine starts again. */
  close(): Promise<void>;
}

export interface LogOutput {
  chunks: AsyncIterable<Uint8Array>;
  /** Why these are not the driver's own words, though it can be read; a sentence. */
  note?: string;
}

export interface LogsQuery {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  /** Inclusive. */
  since?: Moment;
  until?: Moment;
  /** Only the last n lines; undefined or negative: all. */
  tail?: number;
  /** A header of eight bytes before each entry; false for a container with a terminal. */
  multiplexed: boolean;
  /** `2025-11-22T02:53:20.123456789Z ` before each entry. */
  timestamps: boolean;
  /** Put before each entry, after its time stamp: `k=v,k=v ` for `details=1`. */
  details?: string;
  signal: AbortSignal;
}

/** Output that a log driver never got. */
export interface Dropped {
  lines: number;
  /** Bytes of their texts. */
  bytes: number;
}

export interface DriverDeliveries {
  driver: string;
  /** Since the engine's start. */
  dropped: Dropped;
  /** Those that run, and those whose driver has not got everything yet. */
  containers: Delivery[];
}

export interface Delivery {
  /** The container. */
  id: string;
  /** Bytes of the spool that wait. */
  behind: number;
  /** In the container's whole life. */
  dropped: Dropped;
  /** Why nothing is delivered just now; empty: it is. */
  reason: string;
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
