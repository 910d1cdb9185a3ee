import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import type { Source } from './sources.js';

/** Last copies of indexes, each in a file: an index that cannot be reached is read from there. */
export class Copies {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A copy that was verified with other keys is another. */
  #path({ place, keys }: Source): string {
    const text = JSON.stringify([place, keys.map(({ key }) => key.export({ type: 'spki', format: 'pem' })).sort()]);
    return join(this.#directory, `${createHash('sha256').update(text).digest('hex')}.json`);
  }

  /** Best effort: where nothing can be kept, the index is there all the same. */
  keep(source: Source, text: string): void {
    const path = this.#path(source);
    const temporary = `${path}.${process.pid}`;
    try {
      mkdirSync(this.#directory, { recursive: true });
      writeFileSync(temporary, text);
      renameSync(temporary, path);
    } catch (error) {
      process.stderr.write(`no copy of ${source.place} is kept: ${messageOf(error)}\n`);
    }
  }

  last(source: Source): { text: string; at: Date; path: string } | undefined {
    const path = this.#path(source);
    try {
      return { text: readFileSync(path, 'utf8'), at: statSync(path).mtime, path };
    } catch {
      // There is none, or none that can be read.
      return undefined;
    }
  }
}
