import type { Logger } from '@cleat/protocol/log';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Brings what an extension printed into the log: lines of the SDK's logger are JSON with a level; others are somebody's `console.log`. */
export function reportLine(log: Logger, line: string): void {
  const parsed = line.startsWith('{') ? parseLine(line) : undefined;
  if (parsed) log[parsed.level](parsed.message, parsed.fields);
  else log.info(line);
}

function parseLine(line: string): { level: Level; message: string; fields: Record<string, unknown> } | undefined {
  try {
    const { level, message, ...fields } = JSON.parse(line);
    if (['debug', 'info', 'warn', 'error'].includes(level) && typeof message === 'string') {
      return { level, message, fields };
    }
  } catch {
    // A line that merely begins like JSON is shown as it is.
  }
  return undefined;
}
