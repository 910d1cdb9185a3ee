import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { type Dropped, nothing, sum } from './progress.js';

/** A container that loses output all the time is told of so often. */
const tellEveryMs = 10_000;

/** Counts what was dropped, by driver, since the engine's start, and says so in the log. */
export class Tally {
  readonly #log: Logger;
  readonly #byDriver = new Map<string, Dropped>();
  /** Not told yet, by container. */
  readonly #untold = new Map<string, { driver: string; dropped: Dropped; timer: NodeJS.Timeout }>();

  constructor(log: Logger) {
    this.#log = log;
  }

  add(driver: string, id: string, more: Dropped): void {
    this.#byDriver.set(driver, sum(this.of(driver), more));
    const untold = this.#untold.get(id);
    if (untold) {
      untold.dropped = sum(untold.dropped, more);
      return;
    }
    this.#tell(driver, id, more);
    const timer = setTimeout(() => this.#due(id), tellEveryMs).unref();
    this.#untold.set(id, { driver, dropped: nothing, timer });
  }

  of(driver: string): Dropped {
    return this.#byDriver.get(driver) ?? nothing;
  }

  drivers(): string[] {
    return [...this.#byDriver.keys()];
  }

  /** Tells what has not been told. */
  close(): void {
    for (const [id, { driver, dropped, timer }] of this.#untold) {
      clearTimeout(timer);
      if (dropped.bytes > 0) this.#tell(driver, id, dropped);
    }
    this.#untold.clear();
  }

  #due(id: string): void {
    const untold = this.#untold.get(id);
    this.#untold.delete(id);
    if (!untold || untold.dropped.bytes === 0) return;
    const { driver, dropped } = untold;
    this.#tell(driver, id, dropped);
    const timer = setTimeout(() => this.#due(id), tellEveryMs).unref();
    this.#untold.set(id, { driver, dropped: nothing, timer });
  }

  #tell(driver: string, id: string, { lines, bytes }: Dropped): void {
    const what = `${lines} lines (${bytes} bytes) that it had not taken were dropped, the oldest first`;
    this.#log.warn(`log driver ${driver} does not keep up with a container: ${what}`, { container: id, lines, bytes });
  }
}
