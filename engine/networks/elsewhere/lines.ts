import { setTimeout } from '@cleat/protocol/guard';

/** Nothing has come for so long that the stream counts as dead. */
export class Silence extends Error {}

export interface LineSettings {
  /** Bytes of a line. */
  longest: number;
  /** In ms. */
  silenceMs: number;
}

/**
 * The last whole line of all that has come since the reader asked: each line says everything, so that one that is
 * outdated need not be read. A reader that takes its time holds the sender up.
 * @throws Silence; Error for a line that is too long or cut short
 */
export async function* lastLines(
  stream: AsyncIterable<Uint8Array>,
  { longest, silenceMs }: LineSettings,
): AsyncGenerator<string> {
  const chunks = stream[Symbol.asyncIterator]();
  let rest = Buffer.alloc(0);
  try {
    for (;;) {
      const { done, value } = await within(silenceMs, chunks.next());
      if (done) break;
      const end = value.lastIndexOf(10);
      if (end < 0) {
        rest = Buffer.concat([rest, value]);
      } else {
        const before = value.lastIndexOf(10, end - 1);
        const begin = end === 0 ? -1 : before;
        const line = begin < 0 ? Buffer.concat([rest, value.subarray(0, end)]) : value.subarray(begin + 1, end);
        rest = Buffer.from(value.subarray(end + 1));
        refuseLong(line, longest);
        if (line.length > 0) yield Buffer.from(line).toString('utf8');
      }
      refuseLong(rest, longest);
    }
  } finally {
    // It may not answer, and the rest is of no interest.
    void chunks.return?.().catch(() => {});
  }
  if (rest.length > 0) throw new Error('the last line is cut short');
}

function refuseLong(line: Uint8Array, longest: number): void {
  if (line.length > longest) throw new Error(`a line has more than ${longest} bytes`);
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  // The loser's failure is nobody's.
  work.catch(() => {});
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Silence('nothing came')), ms);
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}
