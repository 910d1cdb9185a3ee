/**
 * conmon's k8s-file: `2026-11-22T06:14:00.000000000+00:00 stdout F text`. Everything before the text has a fixed
 * width. F ends a line of the container's; after P the line feed is conmon's own, so that concatenating the texts,
 * with a line feed after each F only, gives the output byte for byte. A tag applies to its stream alone: fragments of
 * the two streams may alternate.
 */
export const prefixLength = 45;
export const lineFeed = 0x0a;

const at = { sign: 29, space: 35, stream: 39, secondSpace: 42, tag: 43, thirdSpace: 44 };
const space = 0x20;

export type Stream = 1 | 2;

/** Told of each line of a chunk. `start` is where the line begins, `from` to `to` its text. */
export type LineVisitor = (stream: Stream, complete: boolean, start: number, from: number, to: number) => void;

/**
 * Visits the lines of `chunk` between two line boundaries. What is no line of this format (a disk that was full left
 * half of one) is passed over.
 */
export function scan(chunk: Buffer, begin: number, end: number, visit: LineVisitor): void {
  let start = begin;
  while (start < end) {
    const from = start + prefixLength;
    // The prefix holds no line feed unless the line is damaged.
    const to = from <= end ? nextLineFeed(chunk, from, end) : end;
    if (
      chunk[start + at.space] === space &&
      chunk[start + at.secondSpace] === space &&
      chunk[start + at.thirdSpace] === space
    ) {
      const stream = chunk[start + at.stream] === 0x65 ? 2 : 1;
      visit(stream, chunk[start + at.tag] === 0x46, start, from, to);
      start = to + 1;
    } else {
      start = nextLineFeed(chunk, start, end) + 1;
    }
  }
}

/** Short lines are found sooner by looking than by calling. */
function nextLineFeed(chunk: Buffer, from: number, end: number): number {
  const near = Math.min(from + 48, end);
  for (let i = from; i < near; i++) if (chunk[i] === lineFeed) return i;
  const found = near < end ? chunk.indexOf(lineFeed, near) : -1;
  return found < 0 ? end : found;
}

/** Whether the line at `start` was written in UTC, so that its time can be copied as it is. */
export function isUtc(chunk: Buffer, start: number): boolean {
  for (let i = start + at.sign + 1; i < start + at.space; i++) {
    const byte = chunk[i];
    if (byte !== 0x30 && byte !== 0x3a) return false;
  }
  return true;
}

/** The time of the line at `start`: whole seconds since the epoch. */
export function secondsOf(chunk: Buffer, start: number): number {
  const year = digits(chunk, start, 4);
  const month = digits(chunk, start + 5, 2);
  const day = digits(chunk, start + 8, 2);
  // Days since the epoch in the Gregorian calendar, with years that begin in March (H. Hinnant, "chrono-compatible
  // low-level date algorithms").
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  const days = era * 146_097 + dayOfEra - 719_468;
  const clock = digits(chunk, start + 11, 2) * 3600 + digits(chunk, start + 14, 2) * 60 + digits(chunk, start + 17, 2);
  const offset = digits(chunk, start + 30, 2) * 3600 + digits(chunk, start + 33, 2) * 60;
  return days * 86_400 + clock - (chunk[start + at.sign] === 0x2d ? -offset : offset);
}

/** The time of the line at `start`: nanoseconds within the second. */
export function nanosOf(chunk: Buffer, start: number): number {
  return digits(chunk, start + 20, 9);
}

function digits(chunk: Buffer, from: number, count: number): number {
  let value = 0;
  for (let i = from; i < from + count; i++) value = value * 10 + ((chunk[i] ?? 0x30) - 0x30);
  return value;
}
