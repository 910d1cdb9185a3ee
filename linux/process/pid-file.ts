import { readFileSync } from 'node:fs';

/** The process number that is written in a pid file; undefined when there is none. */
export function readPidFile(path: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // No file: the program that should have written it did not get that far.
    return undefined;
  }
  const pid = Number.parseInt(text, 10);
  return pid > 0 ? pid : undefined;
}
