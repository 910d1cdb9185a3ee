import type { SpoolPosition } from '../service.js';
import type { SpoolFile } from '../spool-file.js';
import type { Resumption } from './feed.js';
import { type Dropped, nothing, sum } from './progress.js';
import type { Runner } from './runner.js';

/** So much in so short a time is the worker's; less is done sooner than it is handed over. What fits a pipe. */
const handOverBytes = 60 * 1024;

export interface PumpOptions {
  /** The session's, by which runners know it. */
  key: string;
  file: SpoolFile;
  progressPath: string;
  /** Bytes that may wait. */
  bound: number;
  runners: { main: Runner; worker: Runner };
}

/** One session's feed: where it runs, and from where it goes on. */
export class Pump {
  readonly #options: PumpOptions;
  #runner: Runner | undefined;
  #from: Resumption = {
    exact: undefined,
    kept: { generation: 0, offset: 0 },
    dropped: nothing,
    inFlight: nothing,
    unsure: nothing,
  };
  #lookedAt = 0;
  #isDropped: ((at: Resumption | undefined) => void) | undefined;
  #dropping = Promise.resolve();

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  startFrom(position: SpoolPosition, dropped: Dropped): void {
    this.#from = { exact: position, kept: position, dropped, inFlight: nothing, unsure: nothing };
  }

  get from(): Resumption {
    return this.#from;
  }

  /** The spool has grown since the last {@link feed}. */
  get outdated(): boolean {
    return this.#options.file.files.end().offset !== this.#lookedAt;
  }

  /** There is output that the driver has not got. */
  get behind(): boolean {
    return this.#runner !== undefined || this.#options.file.files.distance(this.#from.kept) > 0;
  }

  /** Lets the runner look; a burst is handed over to the worker. @param finish the spool is complete */
  async feed(fifo: number, finish: boolean): Promise<void> {
    const { key, file, runners } = this.#options;
    const end = file.files.end();
    const { kept } = this.#from;
    const begun = this.#runner === undefined && end.generation === kept.generation ? kept.offset : 0;
    const grown = end.offset - Math.max(begun, this.#runner ? this.#lookedAt : 0);
    this.#lookedAt = end.offset;
    if (!this.#runner) {
      if (grown === 0 && !finish) return;
      this.#begin(grown > handOverBytes ? runners.worker : runners.main, fifo);
    } else if (this.#runner === runners.main && grown > handOverBytes) {
      await this.drop();
      this.#begin(runners.worker, fifo);
    }
    if (finish) this.#runner?.finish(key);
    else this.#runner?.wake(key);
  }

  /** There is no driver: only what is too much is dropped. */
  wait(): void {
    this.#begin(this.#options.runners.worker, undefined);
  }

  /** The driver has read everything of the first `written` bytes. */
  settle(written: number): void {
    this.#runner?.settle(this.#options.key, written);
  }

  /** Ends the feed; until then nobody may close the FIFO. */
  drop(): Promise<void> {
    const runner = this.#runner;
    if (!runner) return this.#dropping;
    this.#runner = undefined;
    const dropped = new Promise<Resumption | undefined>((resolve) => {
      this.#isDropped = resolve;
      runner.drop(this.#options.key);
    });
    this.#dropping = dropped.then((at) => {
      if (at) this.#from = at;
    });
    return this.#dropping;
  }

  /** From the runner. */
  dropped(at: Resumption | undefined): void {
    this.#isDropped?.(at);
  }

  /** Bytes in the FIFO may not have been read: it is sent again, as far as it is still kept. */
  rewind(): void {
    const { kept, dropped, unsure } = this.#from;
    this.startFrom(kept, sum(dropped, unsure));
  }

  #begin(runner: Runner, fifo: number | undefined): void {
    const { key, file, progressPath, bound } = this.#options;
    this.#runner = runner;
    runner.add(key, {
      spoolPath: file.files.path,
      from: this.#from.exact ?? this.#from.kept,
      kept: this.#from.kept,
      fifo,
      progressPath,
      bound,
      dropped: this.#from.dropped,
      inFlight: this.#from.inFlight,
      unsure: this.#from.unsure,
    });
  }
}
