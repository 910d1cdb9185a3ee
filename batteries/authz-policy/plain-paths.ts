import { join } from 'node:path';
import { Helper } from '@cleat/linux/helper/helper';
import { isClass } from '@cleat/protocol/errors';

/** Less than the engine waits for an answer. */
const deadlineMs = 8_000;

/** Looks at paths that clients name, in a process that may hang on them. */
export class PlainPaths {
  readonly #helper = new Helper({ maxProcesses: 2, deadlineMs });

  /** Whether nothing on the way from a directory to a path below it is a symbolic link. What is not there is none. */
  readonly isPlain = async (path: string, below: string): Promise<boolean> => {
    const signal = AbortSignal.timeout(deadlineMs);
    let here = below;
    for (const part of path.slice(below.length).split('/').filter(Boolean)) {
      here = join(here, part);
      try {
        const facts = await this.#helper.call('stat', { path: here, follow: false }, { deadlineMs, signal });
        if (facts.type === 'symlink') return false;
      } catch (error) {
        if (isClass(error, 'NotFound')) return true;
        throw error;
      }
    }
    return true;
  };

  close(): void {
    this.#helper.close();
  }
}
