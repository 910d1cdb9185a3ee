import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Dropped, SpoolPosition } from '../service.js';

export type { Dropped };

export const nothing: Dropped = { lines: 0, bytes: 0 };

export function sum(one: Dropped, other: Dropped): Dropped {
  return { lines: one.lines + other.lines, bytes: one.bytes + other.bytes };
}

/** How far a container's log driver has got, kept beside the spool. */
export interface Progress {
  position: SpoolPosition;
  /** The driver was told to start and not yet to stop. */
  active: boolean;
  /** In the container's whole life. */
  dropped: Dropped;
}

const width = 96;

/** @returns undefined when there is none, or none that can be read */
export function readProgress(path: string): Progress | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // The container has had no driver yet.
    return undefined;
  }
  const match = /^(\d+) (\d+) ([01])(?: (\d+) (\d+))?/.exec(text);
  if (!match) return undefined;
  const [generation = 0, offset = 0, active, lines = 0, bytes = 0] = match
    .slice(1)
    .map((digits) => Number(digits ?? 0));
  return { position: { generation, offset }, active: active === 1, dropped: { lines, bytes } };
}

/** Written in place, in one go and always of the same length, so that `kill -9` leaves the old or the new. */
export function writeProgress(path: string, { position, active, dropped }: Progress): void {
  const file = openSync(path, 'a', 0o600);
  closeSync(file);
  const inPlace = openSync(path, 'r+');
  const fields = [position.generation, position.offset, active ? 1 : 0, dropped.lines, dropped.bytes];
  try {
    writeSync(
      inPlace,
      fields
        .join(' ')
        .padEnd(width - 1)
        .concat('\n'),
      0,
    );
  } finally {
    closeSync(inPlace);
  }
}
