import { closeSync, openSync, rmSync } from 'node:fs';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import { jsonLine } from './line.js';
import { LogFile } from './log-file.js';
import type { FileOptions } from './options.js';
import { markerPath, type Resumption, resume } from './resume.js';

/** What a sink has to say, once in a while. */
export interface SinkReport {
  /** Bytes of the stream that were no entries. */
  skipped: number;
  /** Bytes of lines that could not be written. */
  dropped: number;
  reason: string;
}

/** From a driver's stream of entries to lines in a file. Synchronous: it runs wherever there is time for it. */
export class Sink {
  readonly #options: FileOptions;
  readonly #decoder = new LogEntryDecoder();
  #resumption: Resumption | undefined;
  #file: LogFile | undefined;
  readonly #report: SinkReport = { skipped: 0, dropped: 0, reason: '' };

  /** @param rest what another sink, which this one takes over from, held */
  constructor(options: FileOptions, rest?: Uint8Array) {
    this.#options = options;
    if (rest) this.push(rest);
    else this.#resumption = resume(options.path);
  }

  push(chunk: Uint8Array): void {
    let text = '';
    for (const entry of this.#decoder.push(chunk)) {
      if (!this.#resumption?.has(entry)) text += jsonLine(entry, this.#options.attributes);
    }
    if (text !== '') this.#write(Buffer.from(text));
  }

  /** What went wrong since the last call; undefined: nothing. */
  takeReport(): SinkReport | undefined {
    this.#report.skipped = this.#decoder.skipped;
    if (this.#report.skipped === 0 && this.#report.dropped === 0) return undefined;
    const report = { ...this.#report };
    this.#decoder.skipped = 0;
    Object.assign(this.#report, { skipped: 0, dropped: 0, reason: '' });
    return report;
  }

  /** The beginning of an entry whose end has not come: for who takes over. */
  get rest(): Buffer {
    return this.#decoder.rest;
  }

  /** @param over nobody takes over: the log is complete */
  async close(over: boolean): Promise<void> {
    await this.#file?.close();
    if (over && this.#file) rmSync(markerPath(this.#options.path), { force: true });
    this.#file = undefined;
  }

  #write(lines: Buffer): void {
    try {
      this.#file ??= this.#open();
      this.#file.append(lines);
    } catch (error) {
      this.#report.dropped += lines.length;
      this.#report.reason = error instanceof Error ? error.message : String(error);
    }
  }

  #open(): LogFile {
    const file = new LogFile(this.#options);
    closeSync(openSync(markerPath(this.#options.path), 'a', 0o640));
    return file;
  }
}
