import { closeSync, openSync, rmSync } from 'node:fs';
import { messageOf } from '@cleat/protocol/errors';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import type { FileFormat, RecordWriter } from './file-format.js';
import { markerPath, type Resumption, resume } from './resume.js';
import { type FileOptions, RotatingFile } from './rotating-file.js';
import type { Sink, SinkReport } from './sink.js';

/** From a driver's stream of entries to records in a file. Synchronous: it runs wherever there is time for it. */
export class FileSink implements Sink {
  readonly #options: FileOptions;
  readonly #format: FileFormat;
  readonly #writer: RecordWriter;
  readonly #decoder = new LogEntryDecoder();
  #resumption: Resumption | undefined;
  #file: RotatingFile | undefined;
  readonly #report: SinkReport = { skipped: 0, dropped: 0, reason: '' };

  /** @param rest what another sink, which this one takes over from, held */
  constructor(options: FileOptions, format: FileFormat, rest?: Uint8Array) {
    this.#options = options;
    this.#format = format;
    this.#writer = format.writer();
    if (rest) this.push(rest);
    else this.#resumption = resume(options.path, format);
  }

  push(chunk: Uint8Array): void {
    this.#decoder.visit(chunk, (entry, message) => {
      if (!this.#resumption?.has(entry)) this.#writer.add(entry, message);
    });
    const records = this.#writer.take();
    if (records.length > 0) this.#write(records);
  }

  takeReport(): SinkReport | undefined {
    this.#report.skipped = this.#decoder.skipped;
    if (this.#report.skipped === 0 && this.#report.dropped === 0) return undefined;
    const report = { ...this.#report };
    this.#decoder.skipped = 0;
    Object.assign(this.#report, { skipped: 0, dropped: 0, reason: '' });
    return report;
  }

  get rest(): Buffer {
    return this.#decoder.rest;
  }

  async close(over: boolean): Promise<void> {
    await this.#file?.close();
    if (over && this.#file) rmSync(markerPath(this.#options.path), { force: true });
    this.#file = undefined;
  }

  #write(records: Buffer): void {
    try {
      this.#file ??= this.#open();
      this.#file.append(records);
    } catch (error) {
      this.#report.dropped += records.length;
      this.#report.reason = `${this.#options.path}: ${messageOf(error)}`;
    }
  }

  #open(): RotatingFile {
    const file = new RotatingFile(this.#options, (records, least) => this.#format.endAfter(records, least));
    closeSync(openSync(markerPath(this.#options.path), 'a', 0o640));
    return file;
  }
}
