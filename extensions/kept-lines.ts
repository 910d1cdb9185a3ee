import { type Logger, silentLogger } from '@cleat/protocol/log';
import type { KeptLine } from './status.js';

/** Lines kept for each extension. */
const maxLines = 500;
/** Length of a line's message and fields together; a longer line is cut. */
const maxLength = 4_096;
/** Extensions that have lines; when there are more, the one that spoke longest ago is forgotten. */
const maxExtensions = 256;

type Level = KeptLine['level'];

/** The latest lines of each extension, in memory, beside the engine's log: for people who look at one extension. */
export class KeptLines {
  /** By entry or name, the one that spoke last at the end. */
  readonly #lines = new Map<string, KeptLine[]>();
  #number = 0;

  /** A logger that writes to `log` under the extension's name, and keeps what it writes. */
  logger(log: Logger, extension: string): Logger {
    return this.#wrap(log.child({ extension }), extension, {});
  }

  /** A logger for what an engine before this one has written to its log already: it is only kept, as of then. */
  earlier(extension: string, at: Date): Logger {
    return this.#wrap(silentLogger, extension, {}, at);
  }

  /** Those with a number above `after`, oldest first. */
  of(extension: string, after = 0): readonly KeptLine[] {
    return (this.#lines.get(extension) ?? []).filter(({ number }) => number > after);
  }

  #wrap(log: Logger, extension: string, context: Record<string, unknown>, at?: Date): Logger {
    const write =
      (level: Level) =>
      (message: string, fields?: Record<string, unknown>): void => {
        this.#keep(extension, { level, at: at ?? new Date() }, message, { ...context, ...fields });
        log[level](message, fields);
      };
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (fields) => this.#wrap(log.child(fields), extension, { ...context, ...fields }, at),
    };
  }

  #keep(
    extension: string,
    { level, at }: Pick<KeptLine, 'level' | 'at'>,
    message: string,
    fields: Record<string, unknown>,
  ): void {
    const lines = this.#lines.get(extension) ?? [];
    // Text, now: the value may change later, or hold on to much memory.
    const more = Object.entries(fields).map(([key, value]) => ` ${key}=${shown(value)}`);
    const text = `${message}${more.join('')}`.slice(0, maxLength);
    lines.push({ number: ++this.#number, at, level, text });
    if (lines.length > maxLines) lines.shift();
    this.#lines.delete(extension);
    this.#lines.set(extension, lines);
    const [oldest] = this.#lines.keys();
    if (this.#lines.size > maxExtensions && oldest !== undefined) this.#lines.delete(oldest);
  }
}

function shown(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  try {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return /^[^\s"=]+$/.test(text ?? '') ? text : JSON.stringify(text);
  } catch {
    // It refers to itself.
    return '…';
  }
}
