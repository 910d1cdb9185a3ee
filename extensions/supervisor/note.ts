import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { decode, parseJson } from '@cleat/protocol/json';
import type { Static, TSchema } from '@cleat/protocol/schema';

/** A note that an engine leaves for the next one about a process that it started. */
export function readNoted<T extends TSchema>(schema: T, path: string): Static<T> | undefined {
  try {
    return decode(schema, parseJson(readFileSync(path, 'utf8')));
  } catch {
    // None, or of an engine that was killed on the way: nothing is known to run then.
    return undefined;
  }
}

/** Whole, or not at all. */
export function writeNoted(path: string, note: object): void {
  writeFileSync(`${path}.new`, JSON.stringify(note), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
