import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { readNote, serves, stop } from './process.js';

const graceMs = 5_000;

/**
 * Ends processes that an engine which was killed had started for extensions that are not to run as a process any
 * more: they would hold the same ports and the same state as what takes their place.
 * @param supervised entries that have a supervisor, which adopts or replaces its own process
 */
export async function endStragglers(directory: string, supervised: ReadonlySet<string>, log: Logger): Promise<void> {
  await Promise.all(
    notesIn(directory)
      .filter((id) => !supervised.has(id))
      .map(async (id) => {
        const notePath = join(directory, `${id}.json`);
        const socket = join(directory, `${id}.sock`);
        const note = readNote(notePath);
        try {
          if (note && serves(note.pid, socket)) {
            log.info('ending the process of an extension that should no longer run as one', { extension: id });
            await stop(note.pid, socket, graceMs);
          }
          for (const path of [notePath, socket, join(directory, `${id}.log`)]) rmSync(path, { force: true });
        } catch (error) {
          log.warn('could not clear up behind an extension', { extension: id, error: messageOf(error) });
        }
      }),
  );
}

function notesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length));
  } catch {
    // Nothing ran as a process here yet.
    return [];
  }
}
