import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the journal, named by the number of its first record. */
export interface Segment {
  readonly first: number;
  readonly path: string;
}

/** In their order; none where there is no such directory. @throws an error of readdir(3) otherwise */
export function segmentsIn(directory: string): Segment[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter((name) => /^\d{16}\.jsonl$/.test(name))
    .sort()
    .map((name) => ({ first: Number.parseInt(name, 10), path: join(directory, name) }));
}

export function segmentAt(directory: string, first: number): Segment {
  return { first, path: join(directory, `${String(first).padStart(16, '0')}.jsonl`) };
}
