import type { LogEntry } from '@cleat/protocol/log-entry';

const nanosPerSecond = 1_000_000_000n;
let lastNanos = -1n;
let lastText = '';

/** RFC 3339 in UTC as Go prints it; many lines share one time. */
export function timeText(nanos: bigint): string {
  if (nanos === lastNanos) return lastText;
  const fraction = nanos % nanosPerSecond;
  const head = new Date(Number(nanos / nanosPerSecond) * 1000).toISOString().slice(0, 19);
  lastText = fraction === 0n ? `${head}Z` : `${head}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}Z`;
  lastNanos = nanos;
  return lastText;
}

const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/**
 * The line of Docker's json-file format (moby `daemon/logger/jsonfilelog/jsonlog`). Bytes that are no UTF-8 become
 * U+FFFD; markup is escaped as Go does it.
 */
export function jsonLine(entry: LogEntry, attributes: string | undefined): string {
  const ends = !entry.partial || entry.partialLogMetadata?.last === true;
  const bytes = Buffer.from(entry.line.buffer, entry.line.byteOffset, entry.line.byteLength);
  let text = JSON.stringify(bytes.toString('utf8') + (ends ? '\n' : ''));
  if (/[<>&\u2028\u2029]/.test(text)) text = text.replaceAll(/[<>&\u2028\u2029]/g, (char) => escapes[char] ?? char);
  const log = text === '""' ? '' : `"log":${text},`;
  const attrs = attributes ? `"attrs":${attributes},` : '';
  return `{${log}"stream":"${entry.source}",${attrs}"time":"${timeText(entry.timeNano)}"}\n`;
}

/** The parts of a written line that are needed. */
export interface ReadLine {
  log: string;
  stream: string;
  time: string;
  attrs?: Record<string, string>;
}

/** @returns undefined for a damaged line */
export function parseLine(text: string): ReadLine | undefined {
  try {
    const line = JSON.parse(text) as Partial<ReadLine>;
    if (typeof line.time !== 'string') return undefined;
    return { log: line.log ?? '', stream: line.stream ?? 'stdout', time: line.time, attrs: line.attrs };
  } catch {
    // Half a line: the disk was full.
    return undefined;
  }
}
