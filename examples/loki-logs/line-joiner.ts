import type { LogEntry } from '@cleat/sdk/logs';

/** One line of output. */
export interface Line {
  source: 'stdout' | 'stderr';
  /** When it began. */
  timeNano: bigint;
  text: string;
}

/** Loki refuses longer lines, as it comes. */
const longestLine = 256 * 1024;

interface Begun {
  timeNano: bigint;
  parts: Uint8Array[];
  bytes: number;
}

/** Engines send a long line in parts of 16 KiB; Loki is to have it in one. */
export class LineJoiner {
  readonly #begun = new Map<Line['source'], Begun>();

  /** @returns the line that is complete with this entry */
  add({ source, timeNano, line, partial, partialLogMetadata }: LogEntry): Line | undefined {
    const from = source === 'stderr' ? 'stderr' : 'stdout';
    const begun = this.#begun.get(from) ?? { timeNano, parts: [], bytes: 0 };
    // The entry is a view of a larger piece.
    begun.parts.push(partial ? Uint8Array.from(line) : line);
    begun.bytes += line.length;
    if (partial && !partialLogMetadata?.last && begun.bytes < longestLine) {
      this.#begun.set(from, begun);
      return undefined;
    }
    this.#begun.delete(from);
    return joined(from, begun);
  }

  /** Lines whose end has not come, and will not. */
  rest(): Line[] {
    const lines = [...this.#begun].map(([source, begun]) => joined(source, begun));
    this.#begun.clear();
    return lines;
  }
}

const joined = (source: Line['source'], { timeNano, parts }: Begun): Line => ({
  source,
  timeNano,
  text: Buffer.concat(parts).toString('utf8'),
});
