import { decode, parseJson, stringify } from '@cleat/protocol/json';
import { encodeLogEntry, type LogEntry } from '@cleat/protocol/log-entry';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import Type from '@cleat/protocol/schema';
import type { Body } from './recording.js';

/** A log entry as a line of JSON: the names are those of Docker's `entry.proto`. */
const EntryLine = Type.Object({
  source: Type.String(),
  time_nano: Type.Optional(Type.BigInt()),
  line: Type.Optional(Type.String()),
  /** For a line that is no text. */
  line_base64: Type.Optional(Type.String()),
  partial: Type.Optional(Type.Boolean()),
  partial_log_metadata: Type.Optional(
    Type.Object({ last: Type.Boolean(), id: Type.String(), ordinal: Type.Integer() }),
  ),
  attrs: Type.Optional(Type.Array(Type.Object({ key: Type.String(), value: Type.String() }))),
});

/** For a comparison, and for the file. */
export function entryValue(entry: LogEntry): Record<string, unknown> {
  const text = Buffer.from(entry.line).toString('utf8');
  const isText = Buffer.from(text).equals(Buffer.from(entry.line));
  return {
    source: entry.source,
    time_nano: entry.timeNano,
    ...(isText ? { line: text } : { line_base64: Buffer.from(entry.line).toString('base64') }),
    ...(entry.partial ? { partial: true } : {}),
    ...(entry.partialLogMetadata ? { partial_log_metadata: entry.partialLogMetadata } : {}),
    ...(entry.attrs ? { attrs: entry.attrs } : {}),
  };
}

export function entryText(entry: LogEntry): string {
  return stringify(entryValue(entry));
}

/** @throws SyntaxError, InvalidParameter */
export function parseEntry(text: string): LogEntry {
  const said = decode(EntryLine, parseJson(text), 'entry');
  const line = said.line_base64 === undefined ? Buffer.from(said.line ?? '') : Buffer.from(said.line_base64, 'base64');
  return {
    source: said.source,
    timeNano: said.time_nano ?? 0n,
    line,
    partial: said.partial ?? false,
    ...(said.partial_log_metadata ? { partialLogMetadata: said.partial_log_metadata } : {}),
    ...(said.attrs ? { attrs: said.attrs } : {}),
  };
}

/** Takes a stream apart as it comes: into log entries for as long as they give back what came, else into bytes. */
export class StreamPieces {
  readonly #decoder = new LogEntryDecoder();
  #isLog: boolean;

  constructor(isLog: boolean) {
    this.#isLog = isLog;
  }

  /** @returns undefined when no entry is complete yet */
  push(chunk: Buffer): Body | undefined {
    if (!this.#isLog) return { form: 'base64', bytes: chunk };
    const whole = Buffer.concat([this.#decoder.rest, chunk]);
    const entries = this.#decoder.push(chunk).map((entry) => ({ ...entry, line: Buffer.from(entry.line) }));
    const again = Buffer.concat([...entries.map(encodeLogEntry), this.#decoder.rest]);
    if (again.equals(whole)) return entries.length > 0 ? { form: 'entries', entries } : undefined;
    this.#isLog = false;
    return { form: 'base64', bytes: whole };
  }

  /** The beginning of an entry that never became whole. */
  end(): Body | undefined {
    const rest = this.#decoder.rest;
    return this.#isLog && rest.length > 0 ? { form: 'base64', bytes: rest } : undefined;
  }
}
