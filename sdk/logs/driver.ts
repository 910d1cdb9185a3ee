import { within } from '@cleat/protocol/async/deadline';
import { conflict, invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { LogInfo, logKind, ReadConfig } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import type { Static } from '@cleat/protocol/schema';
import { Session } from './session.js';
import type { LogDestination } from './sink.js';
import { SinkWorker } from './sink-worker.js';

const closeMs = 3000;

/** A driver's own answers beside the ones that all have. */
export interface LogDriverSettings<Options> {
  destination: LogDestination<Options>;
  /** The compiled module that calls `serveSinks` with the same destination. Without it, there is no worker thread. */
  worker?: URL;
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
  /** The latest of each FIFO's path. */
  readonly #byPath = new Map<string, Session<Options>>();
  /** All of them, also those that were told to stop and still deliver what they have. */
  readonly #sessions = new Map<string, Session<Options>>();
  readonly #worker: SinkWorker;
  #count = 0;

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
      // A log that is not known has ended by itself, with its stream.
      StopLogging: async ({ File }) => void (await this.#byPath.get(File)?.stop()),
      Capabilities: () => ({ Cap: { ReadLogs: read !== undefined, Verbatim: verbatim, ValidateOptions: true } }),
      ValidateOptions: async ({ Config }) => {
        // These hold for every container: no option may depend on which one it is.
        const options = destination.options({ ContainerID: '', ContainerName: '', LogPath: '/', Config });
        await destination.prepare?.(options, 'made');
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
    const stopped = Promise.all([...this.#sessions.values()].map((session) => session.stop()));
    // One whose destination does not take its output is cut short: the engine sends it again.
    await within(closeMs, stopped, undefined);
    await this.#worker.close();
  }

  async #start(path: string, info: LogInfo): Promise<void> {
    const { destination, alwaysWorker = false, log } = this.#settings;
    const checked = destination.options(info);
    const options = destination.prepare ? await destination.prepare(checked, 'started') : checked;
    if (this.#byPath.get(path)?.stopping === false) throw conflict(`logger for ${path} already exists`);
    const id = `${path} ${++this.#count}`;
    let session: Session<Options>;
    try {
      session = new Session({ id, path, options, destination, worker: this.#worker, alwaysWorker, log });
    } catch (cause) {
      throw invalidParameter(`the log stream ${path} cannot be opened: ${messageOf(cause)}`, { cause });
    }
    this.#sessions.set(id, session);
    this.#byPath.set(path, session);
    void session.closed.then(() => {
      this.#sessions.delete(id);
      if (this.#byPath.get(path) === session) this.#byPath.delete(path);
    });
  }

  #isWritten(options: Options): boolean {
    const { isSame } = this.#settings;
    return [...this.#sessions.values()].some((session) => isSame?.(session.options, options));
  }
}
