import { writeSync } from 'node:fs';
import type { Logger } from '@cleat/protocol/log';
import { type Logger as PinoLogger, pino } from 'pino';

export interface LogOptions {
  level: string;
  format: 'text' | 'json';
}

/** The engine's own log, and the way to change its level while it runs. */
export interface DaemonLog {
  readonly logger: Logger;
  setLevel(level: string): void;
}

/** Writes to stderr, as dockerd does. Text for people at a terminal, else one JSON object a line. */
export function openLog({ level, format }: LogOptions): DaemonLog {
  const destination = { write: format === 'text' ? (line: string) => write(asText(line)) : write };
  const formatters = { level: (name: string) => ({ level: name }) };
  const root = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, destination);
  return {
    logger: bind(root),
    setLevel(next) {
      root.level = next;
      for (const child of children) {
        const logger = child.deref();
        if (logger === undefined) children.delete(child);
        else logger.level = next;
      }
    },
  };
}

type Pino = PinoLogger<never>;
/** pino's children keep the level they were born with: they are told when it changes. */
const children = new Set<WeakRef<Pino>>();

function bind(target: Pino): Logger {
  return {
    debug: (message, fields) => target.debug(fields, message),
    info: (message, fields) => target.info(fields, message),
    warn: (message, fields) => target.warn(fields, message),
    error: (message, fields) => target.error(fields, message),
    child(fields) {
      const child = target.child(fields);
      children.add(new WeakRef(child));
      return bind(child);
    },
  };
}

/** Synchronous, so that the last words before an exit are not lost. */
function write(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads our stderr (EPIPE, EAGAIN): the engine goes on without its log.
  }
}

/** `2026-01-02T03:04:05.678Z WARN message key=value …` */
function asText(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${quote(value)}`);
  // An extension's message may have lines of its own; none of them may look like one of ours.
  const message = String(msg).replaceAll('\n', '\n  ');
  return `${String(time)} ${String(level).toUpperCase()} ${message}${rest.join('')}\n`;
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
