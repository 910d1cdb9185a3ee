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
    },
  };
}

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Children are ours, not pino's: each request has one, most say nothing, and the level may change while they live. */
function bind(root: PinoLogger<never>, fixed: Record<string, unknown> = {}): Logger {
  const at =
    (level: Level): Logger[Level] =>
    (message, fields) => {
      if (root.isLevelEnabled(level)) root[level]({ ...fixed, ...fields }, message);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => bind(root, { ...fixed, ...fields }),
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
