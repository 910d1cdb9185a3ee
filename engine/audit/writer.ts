import { closeSync, fstatSync, openSync, readSync, statSync, unlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { syncDirectory } from '@cleat/linux/files/durable';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import type { NewAuditRecord } from '@cleat/protocol/audit';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { type Batch, emptied, newBatch, put } from './batch.js';
import { decodeRecord, encodeRecord } from './line.js';
import { type Segment, segmentAt, segmentsIn } from './segments.js';

/** How much is kept. */
export interface AuditLimits {
  /** Size of one segment. */
  readonly maxBytes: number;
  /** Segments. */
  readonly maxFiles: number;
  /** A segment whose newest record is older is removed. */
  readonly maxAgeMs: number;
}

export interface AuditWriterOptions {
  readonly directory: string;
  readonly log: Logger;
  /** Read each time. */
  readonly limits: () => AuditLimits;
}

/** Records are gathered for so long: a request costs no write of its own. `kill -9` loses those of that time. */
const gatherMs = 50;
/** After a failure the disk is left alone for so long. */
const pauseMs = 1000;
/** A power cut loses at most the records of that time. */
const syncMs = 2000;
/** A segment is closed after this, or a quarter of the longest age: age is counted by segments. */
const dayMs = 24 * 60 * 60 * 1000;

/**
 * Writes records into segments, beside the requests: none waits for it, whatever the disk does. What it does not take is
 * counted, said in the log once, and said in the next record that it takes.
 */
export class AuditWriter {
  readonly #options: AuditWriterOptions;
  /** Encoded at once, outside of the heap: what waits costs the collector nothing. */
  #waiting: Batch = newBatch();
  #file: FileHandle | undefined;
  #segment: Segment | undefined;
  #segmentBegan = 0;
  #size = 0;
  /** Number of the next record; undefined: nobody has looked yet. */
  #next: number | undefined;
  /** Since the last record that says so. */
  #unsaid = 0;
  #lost = 0;
  #isFailing = false;
  #timer: NodeJS.Timeout | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isClosed = false;
  #listeners: (() => void)[] = [];

  constructor(options: AuditWriterOptions) {
    this.#options = options;
  }

  get lost(): number {
    return this.#lost;
  }

  note(record: NewAuditRecord): void {
    try {
      this.#next ??= this.#resume();
    } catch (error) {
      this.#failed(1, error);
      return;
    }
    const seq = this.#next++;
    if (this.#isClosed || !put(encodeRecord(seq, record, this.#unsaid), this.#waiting)) {
      this.#count(1);
      return;
    }
    this.#waiting.records++;
    this.#waiting.first ||= seq;
    this.#waiting.said += this.#unsaid;
    this.#unsaid = 0;
    if (!this.#writing) this.#soon();
  }

  /** Resolves when what was noted so far is written or counted. */
  async flush(): Promise<void> {
    if (!this.#writing && this.#waiting.records > 0) this.#begin();
    await this.#writing;
  }

  /** Calls `listener` once, after the next write. */
  onWritten(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    await this.flush();
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#syncTimer);
    await this.#closeFile();
    for (const listener of this.#listeners.splice(0)) listener();
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      for (const listener of this.#listeners.splice(0)) listener();
      if (this.#waiting.records > 0) this.#soon();
    });
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => this.#begin(), this.#isFailing ? pauseMs : gatherMs).unref();
  }

  /** Ends when nothing waits, or at the first failure. */
  async #write(): Promise<void> {
    let spare: Batch | undefined;
    while (this.#waiting.records > 0) {
      const batch = this.#waiting;
      this.#waiting = spare ?? newBatch();
      try {
        await this.#append(batch);
        this.#isFailing = false;
        spare = emptied(batch);
      } catch (error) {
        this.#unsaid += batch.said;
        return this.#failed(batch.records, error);
      }
    }
  }

  #failed(records: number, error: unknown): void {
    this.#count(records);
    if (!this.#isFailing) this.#options.log.error(`requests cannot be recorded for the audit: ${messageOf(error)}`);
    this.#isFailing = true;
  }

  async #append({ bytes, used, first }: Batch): Promise<void> {
    const file = await this.#fileFor(first);
    try {
      for (let at = 0; at < used; ) {
        const { bytesWritten } = await file.write(bytes, at, used - at, this.#size + at);
        at += bytesWritten;
      }
    } catch (error) {
      // A part of a line may be at the end; the next write begins where this one did, whatever is there.
      await file.truncate(this.#size).catch(() => this.#closeFile());
      throw error;
    }
    this.#size += used;
    this.#syncTimer ??= setTimeout(() => this.#sync(), syncMs).unref();
  }

  async #sync(): Promise<void> {
    this.#syncTimer = undefined;
    try {
      await this.#file?.datasync();
    } catch (error) {
      this.#options.log.debug(`audit records are not on disk yet: ${messageOf(error)}`);
    }
  }

  #count(records: number): void {
    this.#lost += records;
    this.#unsaid += records;
  }

  async #fileFor(first: number): Promise<FileHandle> {
    const { directory, limits } = this.#options;
    const { maxBytes, maxAgeMs } = limits();
    const isOld = Date.now() - this.#segmentBegan > Math.min(dayMs, maxAgeMs / 4);
    const isFit = this.#size < maxBytes && !isOld && isThere(this.#segment);
    if (this.#file && isFit) return this.#file;
    await this.#closeFile();
    makeDirectories(directory, 0o700);
    if (this.#segment && isFit) {
      // Where an earlier engine ended, after its last whole line. Not "a": a write of this writer's says where.
      this.#file = await open(this.#segment.path, 'r+');
      await this.#file.truncate(this.#size);
      return this.#file;
    }
    this.#prune();
    const segment = segmentAt(directory, first);
    this.#file = await open(segment.path, 'ax', 0o600);
    this.#segment = segment;
    this.#segmentBegan = Date.now();
    this.#size = 0;
    syncDirectory(directory);
    return this.#file;
  }

  /** Finds where an earlier engine ended. @returns the next number */
  #resume(): number {
    const segment = segmentsIn(this.#options.directory).at(-1);
    if (!segment) return 1;
    const { text, end } = tailOf(segment);
    this.#segment = segment;
    this.#segmentBegan = statSync(segment.path).birthtimeMs;
    this.#size = end;
    const last = text.split('\n').flatMap(decodeRecord).at(-1)?.Seq ?? segment.first;
    return Math.max(last, segment.first) + 1;
  }

  /** Makes room for one more. */
  #prune(): void {
    const { directory, limits, log } = this.#options;
    const { maxFiles, maxAgeMs } = limits();
    const segments = segmentsIn(directory);
    const tooMany = segments.length - Math.max(1, maxFiles) + 1;
    const oldest = Date.now() - maxAgeMs;
    segments.forEach(({ path }, i) => {
      try {
        if (i < tooMany || statSync(path).mtimeMs < oldest) unlinkSync(path);
      } catch (error) {
        log.warn(`an old segment of the audit journal stays: ${messageOf(error)}`);
      }
    });
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    try {
      await file.datasync();
    } catch (error) {
      this.#options.log.warn(`the last audit records may not be on disk: ${messageOf(error)}`);
    }
    // The descriptor is gone in any case.
    await file.close().catch(() => {});
  }
}

/** A journal that an administrator has moved away goes on in a new file. */
function isThere(segment: Segment | undefined): boolean {
  return segment !== undefined && statSync(segment.path, { throwIfNoEntry: false }) !== undefined;
}

const tailBytes = 64 * 1024;

/** The end of a segment, and where its last whole line ends. */
function tailOf({ path }: Segment): { text: string; end: number } {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, size - tailBytes);
    const bytes = Buffer.alloc(size - from);
    const tail = bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from));
    const end = tail.lastIndexOf(0x0a) + 1;
    return { text: tail.toString('utf8', 0, end), end: from + end };
  } finally {
    closeSync(file);
  }
}
