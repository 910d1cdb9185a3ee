import { fstatSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { LogEntry } from '@cleat/protocol/log-entry';
import type { FileFormat, FileRecord, LastRecords } from '@cleat/sdk/logs/file-format';
import { nanosOf } from '@cleat/sdk/logs/time';
import { jsonLine, parseLine } from './line.js';

const lineFeed = 0x0a;
const blockBytes = 128 * 1024;

/** Docker's json-file format: one object a line. @param attributes JSON that each line carries under `attrs` */
export function jsonFormat(attributes: string | undefined): FileFormat {
  return {
    writer() {
      let text = '';
      return {
        add(entry) {
          text += jsonLine(entry, attributes);
        },
        take() {
          const lines = Buffer.from(text);
          text = '';
          return lines;
        },
      };
    },
    endAfter: (lines, least) => lines.indexOf(lineFeed, Math.max(0, least - 1)) + 1,
    lastOf,
    records,
  };
}

function lastOf(file: number): LastRecords {
  const { size } = fstatSync(file);
  const start = Math.max(0, size - blockBytes);
  const block = Buffer.alloc(size - start);
  readSync(file, block, 0, block.length, start);
  const end = block.lastIndexOf(lineFeed) + 1;
  const times = block
    .toString('utf8', 0, end)
    .split('\n')
    .flatMap((line) => nanosOf(parseLine(line)?.time ?? '') ?? []);
  // No line feed in all of the block: whatever that is, it is no half line of ours.
  return { end: end > 0 || start === 0 ? start + end : size, times };
}

/** A last line without its line feed counts one byte too many, which is beyond the file's end. */
async function* records(stream: Readable): AsyncGenerator<FileRecord> {
  for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    yield { entry: entryOf(text), bytes: Buffer.byteLength(text) + 1 };
  }
}

function entryOf(text: string): LogEntry | undefined {
  const line = parseLine(text);
  const timeNano = line && nanosOf(line.time);
  if (!line || timeNano === undefined) return undefined;
  const { log, stream, attrs } = line;
  return {
    source: stream,
    timeNano,
    line: Buffer.from(log),
    partial: !log.endsWith('\n'),
    attrs: attrs && Object.entries(attrs).map(([key, value]) => ({ key, value })),
  };
}
