import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Command, Report } from './messages.js';

/**
 * One thread for the logs that grow fast: transcoding a million lines takes a second, which is not to be taken from
 * others in this process. It starts with the first burst.
 */
export class SinkWorker {
  readonly #script: URL | undefined;
  readonly #onReport: (report: Report) => void;
  readonly #onFailure: (error: unknown) => void;
  #worker: Worker | undefined;
  /** Whether there is a compiled script; there is none when tests run the sources. */
  readonly exists: boolean;

  constructor(script: URL | undefined, onReport: (report: Report) => void, onFailure: (error: unknown) => void) {
    this.#script = script;
    this.#onReport = onReport;
    this.#onFailure = onFailure;
    this.exists = script !== undefined && existsSync(fileURLToPath(script));
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
    if (!this.#script) throw new Error('this driver has no worker');
    const worker = new Worker(this.#script, { name: 'log-sinks' });
    worker.unref();
    worker.on('message', this.#onReport);
    worker.on('error', (error) => {
      this.#worker = undefined;
      this.#onFailure(error);
    });
    return worker;
  }
}
