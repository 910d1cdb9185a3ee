import type { LogEntry } from '@cleat/sdk/logs';

/** One line of output. */
export interface Line {
  source: 'stdout' | 'stderr';
  /** When it began. */
  timeNano: bigint;
  text: string;
}

/** Loki, as it comes, refuses longer lines (`max_line_size`). */
const longestLine = 256 * 1024;

interface Begun {
  timeNano: bigint;
  parts: Uint8Array[];
  bytes: number;
}

/** Engines send a long line in parts of 16 KiB; Loki is to have it in one. */
export class LineJoiner {
  readonly #begun = new Map<Line['source'], Begun>();

  /** @returns what is complete with this entry: a line, and before it what was as long as may be */
  add({ source, timeNano, line, partial, partialLogMetadata }: LogEntry): Line[] {
    const from = source === 'stderr' ? 'stderr' : 'stdout';
    const lines: Line[] = [];
    let begun = this.#begun.get(from);
    if (begun && begun.bytes + line.length > longestLine) {
      lines.push(joined(from, begun));
      begun = undefined;
    }
    begun ??= { timeNano, parts: [], bytes: 0 };
    // The entry is a view of a larger piece.
    begun.parts.push(partial ? Uint8Array.from(line) : line);
    begun.bytes += line.length;
    this.#begun.set(from, begun);
    if (partial && !partialLogMetadata?.last) return lines;
    this.#begun.delete(from);
    return [...lines, joined(from, begun)];
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
