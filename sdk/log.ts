import type { Logger } from '@cleat/protocol/log';

type Level = 'debug' | 'info' | 'warn' | 'error';
type Fields = Record<string, unknown>;
interface Sink {
  write(text: string): unknown;
}

/** One line of text per message; debug messages only with `DEBUG` in the environment. */
export function textLogger(sink: Sink): Logger {
  return logger((level, message, fields) => {
    if (level === 'debug' && !process.env.DEBUG) return;
    const facts = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
    sink.write(`${level}: ${message}${facts.join('')}\n`);
  });
}

/** One JSON object per line, which the engine's supervisor reads back with its level and fields. */
export function jsonLogger(sink: Sink): Logger {
  return logger((level, message, fields) => {
    sink.write(`${JSON.stringify({ ...fields, level, message })}\n`);
  });
}

function logger(write: (level: Level, message: string, fields: Fields) => void, own: Fields = {}): Logger {
  const at = (level: Level) => (message: string, fields?: Fields) => write(level, message, { ...own, ...fields });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => logger(write, { ...own, ...fields }),
  };
}
