import type { Logger } from '@cleat/protocol/log';

type Level = 'debug' | 'info' | 'warn' | 'error';
type Fields = Record<string, unknown>;
interface Sink {
  write(text: string): unknown;
}

export interface LogOptions {
  /** Whether debug messages are written. */
  debug?: boolean;
}

/** One line of text per message; debug messages by default only with `DEBUG` in the environment. */
export function textLogger(sink: Sink, { debug = Boolean(process.env.DEBUG) }: LogOptions = {}): Logger {
  return logger(debug, (level, message, fields) => {
    const facts = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
    sink.write(`${level}: ${message}${facts.join('')}\n`);
  });
}

/** One JSON object per line, which the engine's supervisor reads back with its level and fields. */
export function jsonLogger(sink: Sink, { debug = true, time = false }: LogOptions & { time?: boolean } = {}): Logger {
  return logger(debug, (level, message, fields) => {
    const at = time ? { time: new Date().toISOString() } : {};
    sink.write(`${JSON.stringify({ ...at, ...fields, level, message })}\n`);
  });
}

type Write = (level: Level, message: string, fields: Fields) => void;

function logger(debug: boolean, write: Write, own: Fields = {}): Logger {
  const at = (level: Level) => (message: string, fields?: Fields) => write(level, message, { ...own, ...fields });
  return {
    debug: debug ? at('debug') : () => {},
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => logger(debug, write, { ...own, ...fields }),
  };
}
