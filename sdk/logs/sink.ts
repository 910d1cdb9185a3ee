import type { LogInfo } from '@cleat/protocol/kinds/log';

/** Entries that were not kept, since the last report. */
export interface SinkReport {
  /** Bytes of the stream that were no entries. */
  skipped: number;
  /** Bytes of output that could not be written. */
  dropped: number;
  reason: string;
}

/** Where the output of one container goes: takes the stream of entries from its FIFO, in pieces as they come. */
export interface Sink {
  /** With a promise, nothing more is read from the FIFO until it settles: a slow destination costs no memory. */
  push(chunk: Uint8Array): void | Promise<void>;
  /** An error since the last call; undefined: none. */
  takeReport(): SinkReport | undefined;
  /** The beginning of an entry whose end has not come: for who takes over. */
  readonly rest: Uint8Array;
  /** The container has ended: whatever is waited for, it is not waited for ever. */
  ending?(): void;
  /** @param over nobody takes over: the log is complete */
  close(over: boolean): Promise<void>;
}

/**
 * The parts of a log driver. Sinks are opened in the main thread or in a worker, so options must be plain data.
 * @see LogDriver
 */
export interface LogDestination<Options> {
  /** Checks what a container was made with. @throws InvalidParameter, as the user is to read it */
  options(info: LogInfo): Options;
  /**
   * Does what takes longer: looks at what the options name, and returns what `open` gets. Asked when a container is
   * made, and when it starts.
   * @throws CleatError, as the user is to read it
   */
  prepare?(options: Options, when: 'made' | 'started'): Promise<Options>;
  /** @param rest what another sink, which this one takes over from, held */
  open(options: Options, rest?: Uint8Array): Sink;
}
