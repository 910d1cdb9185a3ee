import { conflict, invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { LogInfo, logKind, ReadConfig } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import type { Static } from '@cleat/protocol/schema';
import { Session } from './session.js';
import type { LogDestination } from './sink.js';
import { SinkWorker } from './sink-worker.js';

/** A driver's own answers beside the ones that all have. */
export interface LogDriverSettings<Options> {
  destination: LogDestination<Options>;
  /** The compiled module that calls `serveSinks` with the same destination. */
  worker: URL;
  /** Every log is the worker's from its beginning; default: only those that grow fast. */
  alwaysWorker?: boolean;
  /** For a driver that can be read. `isWritten` tells whether a log is being written: following ends with it. */
  read?: (
    options: Options,
    config: Static<typeof ReadConfig>,
    following: { signal: AbortSignal; isWritten: () => boolean },
  ) => AsyncIterable<Uint8Array>;
  /** See `Cap.Verbatim` of the contract. */
  verbatim?: boolean;
  /** Two sets of options write to the same place; needed with `read`. */
  isSame?: (one: Options, other: Options) => boolean;
  log: Logger;
}

/**
 * A log driver on Docker's protocol: reads the FIFO of each container without ever holding a thread, and hands its
 * entries to a {@link LogDestination}, in a worker thread where there are many.
 */
export class LogDriver<Options> {
  readonly #settings: LogDriverSettings<Options>;
  /** By the path of their FIFO. */
  readonly #sessions = new Map<string, Session<Options>>();
  readonly #worker: SinkWorker;

  constructor(settings: LogDriverSettings<Options>) {
    this.#settings = settings;
    this.#worker = new SinkWorker(
      settings.worker,
      (report) => this.#sessions.get(report.id)?.reported(report),
      (error) => {
        settings.log.error(`the thread that writes logs has failed: ${messageOf(error)}`);
        for (const session of this.#sessions.values()) session.workerFailed();
      },
    );
  }

  get handlers(): Handlers<typeof logKind> {
    const { read, verbatim, destination } = this.#settings;
    return {
      StartLogging: ({ File, Info }) => this.#start(File, Info),
      // One that is not known has ended by itself, with its stream.
      StopLogging: async ({ File }) => void (await this.#sessions.get(File)?.stop()),
      Capabilities: () => ({ Cap: { ReadLogs: read !== undefined, Verbatim: verbatim, ValidateOptions: true } }),
      ValidateOptions: ({ Config }) => {
        // What is true of every container: no option may depend on which one it is.
        destination.options({ ContainerID: '', ContainerName: '', LogPath: '/', Config });
      },
      ...(read && {
        ReadLogs: ({ Info, Config }, { signal }) => {
          const options = destination.options(Info);
          return read(options, Config, { signal, isWritten: () => this.#isWritten(options) });
        },
      }),
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()));
    await this.#worker.close();
  }

  #start(path: string, info: LogInfo): void {
    if (this.#sessions.has(path)) throw conflict(`logger for ${path} already exists`);
    const { destination, alwaysWorker = false, log } = this.#settings;
    const options = destination.options(info);
    let session: Session<Options>;
    try {
      session = new Session({ path, options, destination, worker: this.#worker, alwaysWorker, log });
    } catch (cause) {
      throw invalidParameter(`the log stream ${path} cannot be opened: ${messageOf(cause)}`, { cause });
    }
    this.#sessions.set(path, session);
    void session.closed.then(() => {
      if (this.#sessions.get(path) === session) this.#sessions.delete(path);
    });
  }

  #isWritten(options: Options): boolean {
    const { isSame } = this.#settings;
    return [...this.#sessions.values()].some((session) => isSame?.(session.options, options));
  }
}
