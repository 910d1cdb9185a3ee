import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Command, Report } from './messages.js';

const script = new URL('./worker.js', import.meta.url);

/** Whether there is a compiled worker; there is none when tests run the sources. */
export const workerExists = existsSync(fileURLToPath(script));

/**
 * One thread for the logs that grow fast: turning a million lines into JSON takes a second, which is not to be taken
 * from whoever else runs in this process. It starts with the first burst.
 */
export class SinkWorker {
  readonly #onReport: (report: Report) => void;
  readonly #onFailure: (error: unknown) => void;
  #worker: Worker | undefined;

  constructor(onReport: (report: Report) => void, onFailure: (error: unknown) => void) {
    this.#onReport = onReport;
    this.#onFailure = onFailure;
  }

  send(command: Command): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(command);
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(): Worker {
    const worker = new Worker(script, { name: 'log-json-file' });
    worker.unref();
    worker.on('message', this.#onReport);
    worker.on('error', (error) => {
      this.#worker = undefined;
      this.#onFailure(error);
    });
    return worker;
  }
}
