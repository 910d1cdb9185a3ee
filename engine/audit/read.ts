import { type FileHandle, open, stat } from 'node:fs/promises';
import type { AuditRecord } from '@cleat/protocol/audit';
import { auditFilter } from './filter.js';
import { decodeRecord } from './line.js';
import { type Segment, segmentsIn } from './segments.js';
import type { AuditQuery } from './service.js';

const chunkBytes = 64 * 1024;
const lineFeed = 0x0a;
/** The longest line that is waited for; the writer's are far shorter. */
const maxLine = 1024 * 1024;
/** A late note of the kernel's clock, which marks files. */
const slackMs = 1000;

/** How far a reader has got. */
interface Position {
  segment: Segment | undefined;
  offset: number;
}

/**
 * The records in a directory that a query wants, in their order; needs no engine.
 * @param more resolves when there may be more to read; asked only where the query follows
 * @throws InvalidParameter for a query that nothing could fit, at once
 */
export function readAudit(
  directory: string,
  query: AuditQuery,
  more: () => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<AuditRecord> {
  return follow(directory, query, auditFilter(query), more, signal);
}

async function* follow(
  directory: string,
  query: AuditQuery,
  fits: (record: AuditRecord) => boolean,
  more: () => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<AuditRecord> {
  const { last, since } = query;
  const position: Position = { segment: undefined, offset: 0 };
  let latest: AuditRecord[] = [];
  for await (const record of upToNow(directory, position, since)) {
    if (signal.aborted) return;
    if (!fits(record)) continue;
    if (last === undefined) yield record;
    else {
      latest.push(record);
      if (latest.length >= 2 * last + 1000) latest = latest.slice(latest.length - last);
    }
  }
  if (last !== undefined && last > 0) yield* latest.slice(-last);
  while (query.follow && !signal.aborted) {
    // Asked before the look, or what is written between the two would wait for the next one.
    const later = more();
    for await (const record of upToNow(directory, position, undefined)) if (fits(record)) yield record;
    await later;
  }
}

/** Whole lines from `position` on, which moves along, to what is the end when it gets there. */
async function* upToNow(directory: string, position: Position, since: number | undefined): AsyncGenerator<AuditRecord> {
  const from = position.segment?.first ?? 0;
  for (const segment of segmentsIn(directory).filter(({ first }) => first >= from)) {
    if (segment.first !== position.segment?.first) position.offset = 0;
    position.segment = segment;
    if (since !== undefined && (await changedAt(segment)) + slackMs < since) continue;
    yield* linesOf(segment, position);
  }
}

/** 0: it is gone. */
async function changedAt({ path }: Segment): Promise<number> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

async function* linesOf({ path }: Segment, position: Position): AsyncGenerator<AuditRecord> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch {
    return; // Removed by retention since it was listed.
  }
  try {
    let buffer = Buffer.alloc(chunkBytes);
    let held = 0;
    for (;;) {
      if (held === buffer.length) {
        if (held > maxLine) return;
        buffer = Buffer.concat([buffer], buffer.length * 2);
      }
      const { bytesRead } = await file.read(buffer, held, buffer.length - held, position.offset + held);
      if (bytesRead === 0) return;
      held += bytesRead;
      const end = buffer.lastIndexOf(lineFeed, held - 1) + 1;
      if (end === 0) continue;
      const text = buffer.toString('utf8', 0, end - 1);
      buffer.copyWithin(0, end, held);
      held -= end;
      position.offset += end;
      for (const line of text.split('\n')) yield* decodeRecord(line);
    }
  } finally {
    await file.close();
  }
}
