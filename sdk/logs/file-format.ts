import type { Readable } from 'node:stream';
import type { LogEntry } from '@cleat/protocol/log-entry';

/** How a driver writes entries into files: records that follow each other. */
export interface FileFormat {
  writer(): RecordWriter;
  /** Where the record ends that reaches `least` bytes of `records`. */
  endAfter(records: Buffer, least: number): number;
  /** The last records of an open file: some of the newest ones will do, but all with the newest time. */
  lastOf(file: number): LastRecords;
  /** The records of a stream. The last one may be cut short; then it is not told. */
  records(stream: Readable): AsyncIterable<FileRecord>;
}

/** Gathers the records of one piece of the stream. Made for speed: there may be a million of them. */
export interface RecordWriter {
  /** @param message the entry as it came, encoded */
  add(entry: LogEntry, message: Buffer): void;
  /** Bytes that were added since the last call. */
  take(): Buffer;
}

export interface LastRecords {
  /** Where the last complete record ends; what follows was cut short by a crash. */
  end: number;
  /** Nanoseconds since the epoch, in the order of the file. */
  times: bigint[];
}

export interface FileRecord {
  /** Undefined for a damaged record. Its line is complete, with its line feed, as Docker's own readers answer. */
  entry: LogEntry | undefined;
  /** How many bytes it takes in the file. */
  bytes: number;
}
