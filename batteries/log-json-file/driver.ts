import { conflict, invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { logKind } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import { fileOptions, ownOptions } from './options.js';
import { readLogs } from './read-logs.js';
import { Session } from './session.js';
import { SinkWorker } from './sink-worker.js';

/** The driver: which logs are being written, by the path of their FIFO. */
export class JsonFileDriver {
  readonly #log: Logger;
  readonly #sessions = new Map<string, Session>();
  readonly #worker: SinkWorker;

  constructor(log: Logger) {
    this.#log = log;
    this.#worker = new SinkWorker(
      (report) => this.#sessions.get(report.id)?.reported(report),
      (error) => {
        log.error(`the thread that writes logs has failed: ${messageOf(error)}`);
        for (const session of this.#sessions.values()) session.workerFailed();
      },
    );
  }

  readonly handlers: Handlers<typeof logKind> = {
    StartLogging: ({ File, Info }) => {
      if (this.#sessions.has(File)) throw conflict(`logger for ${File} already exists`);
      const options = fileOptions(Info);
      let session: Session;
      try {
        session = new Session(File, options, this.#worker, this.#log);
      } catch (cause) {
        throw invalidParameter(`the log stream ${File} cannot be opened: ${messageOf(cause)}`, { cause });
      }
      this.#sessions.set(File, session);
      void session.closed.then(() => {
        if (this.#sessions.get(File) === session) this.#sessions.delete(File);
      });
      return {};
    },
    StopLogging: async ({ File }) => {
      // One that is not known has ended by itself, with its stream.
      await this.#sessions.get(File)?.stop();
      return {};
    },
    Capabilities: () => ({ Cap: { ReadLogs: true, Options: ownOptions } }),
    ReadLogs: ({ Info, Config }, { signal }) => {
      const { path } = fileOptions(Info);
      const isWritten = () => [...this.#sessions.values()].some(({ options }) => options.path === path);
      return Promise.resolve(readLogs(path, Config, { signal, isWritten }));
    },
  };

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()));
    await this.#worker.close();
  }
}
