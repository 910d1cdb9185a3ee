import type { Progress } from '@cleat/protocol/api/image';
import { messageOf } from '@cleat/protocol/errors';

export type Emit = (line: Progress) => void;

/** Milliseconds between two lines that only move a bar. */
const barInterval = 100;

/**
 * Turns work that reports as it goes into a stream of lines. Work starts at the first `next()`. What fails before the
 * first line is thrown (the API answers with a status); what fails later is the last line. When the reader leaves, the
 * signal that `work` was given aborts.
 */
export async function* progressOf(
  work: (emit: Emit, signal: AbortSignal) => Promise<void>,
  outer: AbortSignal,
): AsyncGenerator<Progress, void, void> {
  const left = new AbortController();
  const lines: Progress[] = [];
  let wake: () => void = () => {};
  let ended = false;
  let failure: { error: unknown } | undefined;
  const emit: Emit = (line) => {
    append(lines, line);
    wake();
  };
  const done = work(emit, AbortSignal.any([outer, left.signal]))
    .catch((error: unknown) => {
      failure = { error };
    })
    .finally(() => {
      ended = true;
      wake();
    });
  let yielded = false;
  try {
    for (;;) {
      const line = lines.shift();
      if (line) {
        yielded = true;
        yield line;
      } else if (ended) {
        break;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    if (failure && !yielded) throw failure.error;
    if (failure) yield errorLine(failure.error);
  } finally {
    left.abort();
    await done;
  }
}

/** How far back a bar is looked for: about as many bars move at once. */
const reach = 16;

/** A reader that is slower than the work needs only the newest state of a bar. */
function append(lines: Progress[], line: Progress): void {
  if (line.progressDetail?.current !== undefined) {
    for (let at = lines.length - 1; at >= Math.max(0, lines.length - reach); at--) {
      const other = lines[at];
      if (other?.id !== line.id || other?.status !== line.status) continue;
      lines.splice(at, 1);
      break;
    }
  }
  lines.push(line);
}

export function errorLine(error: unknown): Progress {
  const message = messageOf(error);
  return { errorDetail: { message }, error: message };
}

/** An error becomes the last line. */
export async function* withErrorLine(lines: AsyncIterable<Progress>): AsyncGenerator<Progress, void, void> {
  try {
    yield* lines;
  } catch (error) {
    yield errorLine(error);
  }
}

/** Reports a transfer's bar, at most ten times a second and once at its end. */
export function bar(emit: Emit, id: string, status: string, total: number): (current: number) => void {
  let lastAt = 0;
  return (current) => {
    const now = Date.now();
    if (now - lastAt < barInterval && current !== total) return;
    lastAt = now;
    const progressDetail = total > 0 ? { current, total } : { current };
    emit({ status, progressDetail, progress: drawBar(current, total), ...(id !== '' && { id }) });
  };
}

/** The text that clients without a terminal show (moby `jsonmessage`): `[====>   ]  1.2MB/3.4MB`. */
function drawBar(current: number, total: number): string {
  if (total <= 0) return humanSize(current).padStart(8);
  const width = 50;
  const filled = Math.min(width, Math.floor((current / total) * width));
  const arrow = filled < width ? '>' : '';
  const line = '='.repeat(filled) + arrow + ' '.repeat(Math.max(0, width - filled - arrow.length));
  return `[${line}]  ${humanSize(current).padStart(8)}/${humanSize(total)}`;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Four significant digits in decimal units, as go-units prints. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
