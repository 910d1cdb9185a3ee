import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { SpoolPosition } from '../service.js';

/** How far a container's log driver has got, kept beside the spool. */
export interface Progress {
  position: SpoolPosition;
  /** The driver was told to start and not yet to stop. */
  active: boolean;
}

const width = 48;

/** @returns undefined when there is none, or none that can be read */
export function readProgress(path: string): Progress | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // The container has had no driver yet.
    return undefined;
  }
  const match = /^(\d+) (\d+) ([01])/.exec(text);
  if (!match) return undefined;
  return { position: { generation: Number(match[1]), offset: Number(match[2]) }, active: match[3] === '1' };
}

/** Written in place, in one go and always of the same length, so that `kill -9` leaves the old or the new. */
export function writeProgress(path: string, { position, active }: Progress): void {
  const file = openSync(path, 'a', 0o600);
  closeSync(file);
  const inPlace = openSync(path, 'r+');
  try {
    writeSync(inPlace, `${position.generation} ${position.offset} ${active ? 1 : 0}`.padEnd(width - 1).concat('\n'), 0);
  } finally {
    closeSync(inPlace);
  }
}
