import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { FeedOptions } from './feed.js';
import type { Command, Report } from './messages.js';
import { FeedRunner, type Runner, type RunnerEvents } from './runner.js';

const script = new URL('./worker.js', import.meta.url);

/**
 * Feeds of containers that print a lot, in a thread of their own. It starts with the first of them. A file descriptor
 * is the process's, so both threads can write to the same FIFO; the one that closes it waits for `dropped`.
 */
export class WorkerRunner implements Runner {
  readonly #events: RunnerEvents;
  readonly #ids = new Set<string>();
  #worker: Worker | undefined;

  constructor(events: RunnerEvents) {
    this.#events = events;
  }

  add(id: string, options: FeedOptions): void {
    this.#ids.add(id);
    this.#send({ call: 'add', id, options });
  }

  wake(id: string): void {
    this.#send({ call: 'wake', id });
  }

  finish(id: string): void {
    this.#send({ call: 'finish', id });
  }

  settle(id: string, written: number): void {
    this.#send({ call: 'settle', id, written });
  }

  drop(id: string): void {
    this.#send({ call: 'drop', id });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #send(command: Command): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(command);
  }

  #start(): Worker {
    const worker = new Worker(script, { name: 'log-drivers' });
    worker.unref();
    worker.on('message', (report: Report) => this.#take(report));
    worker.on('error', (error) => {
      this.#worker = undefined;
      const ids = [...this.#ids];
      this.#ids.clear();
      for (const id of ids) this.#events.failed(id, error instanceof Error ? error.message : String(error));
    });
    return worker;
  }

  #take(report: Report): void {
    switch (report.event) {
      case 'idle':
      case 'drained':
        this.#events[report.event](report.id, report.written);
        break;
      case 'stalled':
        this.#events.stalled(report.id);
        break;
      case 'lost':
        this.#events.lost(report.id, report.dropped);
        break;
      case 'dropped':
        this.#ids.delete(report.id);
        this.#events.dropped(report.id, report.at);
        break;
      case 'failed':
        this.#events.failed(report.id, report.message);
    }
  }
}

/** A runner off the main thread; on it where there is only the source, which a worker cannot load (unit tests). */
export function openWorkerRunner(events: RunnerEvents): Runner & { close(): Promise<void> } {
  if (existsSync(fileURLToPath(script))) return new WorkerRunner(events);
  return Object.assign(new FeedRunner(events), { close: async () => {} });
}
