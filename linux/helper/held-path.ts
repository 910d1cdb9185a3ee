/**
 * A path that was checked is no longer a string. Between a look at a name and its use, a process that may write there
 * (a container, a plugin) can put a symlink in its place, so the helper opens it once and mounts what it opened where
 * nobody but the engine gets to; from then on that place is used. `test/unit/checked-paths.test.ts` looks for those who
 * check names instead.
 */
import { existsSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { HoldRequest } from '../mount/hold.js';
import { unmount, unmountAll } from '../mount/mount.js';
import { errnoOf } from '../syscall/errno.js';
import type { CallOptions, Helper } from './helper.js';

export class HeldPath implements Disposable {
  /** The path to hand to its user: it always leads to the same. */
  readonly path: string;
  readonly #mounted: boolean;
  #released = false;

  private constructor(path: string, mounted: boolean) {
    this.path = path;
    this.#mounted = mounted;
  }

  /**
   * Holds a directory of the host, or what is `within` it.
   * @param request `at`: it does not exist yet, its directory does, where nobody but the engine gets to
   * @param check is told where the directory really lies, and throws when that is no place to be used
   * @throws CleatError of the helper's (see `mount/hold.ts`), and what `check` throws
   */
  static async hold(
    helper: Pick<Helper, 'call'>,
    request: HoldRequest & { at: string },
    check: (real: string) => void,
    options: CallOptions = {},
  ): Promise<HeldPath> {
    const held = new HeldPath(request.at, true);
    try {
      check((await helper.call('hold', request, options)).real);
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
    return held;
  }

  /**
   * A directory that need not be held, if it is one of those whose every step only the engine, and whom its operator
   * trusts as itself, can change.
   */
  static async ofEngine(
    helper: Pick<Helper, 'call'>,
    path: string,
    isEngines: (real: string) => boolean,
    options: CallOptions = {},
  ): Promise<HeldPath | undefined> {
    const { real } = await helper.call('hold', { path }, options);
    return isEngines(real) ? new HeldPath(real, false) : undefined;
  }

  /** A mount of the engine's own, for the user that it is handed to. @param path a mount point in a held directory */
  static mounted(path: string): HeldPath {
    return new HeldPath(path, true);
  }

  /** For tests of those who are handed one. */
  static unheld(path: string): HeldPath {
    return new HeldPath(path, false);
  }

  /** Lets go of it; what others mounted from it meanwhile stays. */
  [Symbol.dispose](): void {
    if (!this.#mounted || this.#released) return;
    this.#released = true;
    takeDown(this.path);
  }
}

/** Lets go of all that is held in a directory of the engine's, also by an engine that was killed. */
export function releaseHeld(directory: string): void {
  if (!existsSync(directory)) return;
  unmountAll(directory);
  for (const name of readdirSync(directory)) takeDown(join(directory, name));
  rmdirSync(directory);
}

/** After each was let go of. What a late or failed release left in it stays, for {@link releaseHeld}. */
export function removeEmptyHeld(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) throw error;
  }
}

/** Never what is still mounted: `rmdir` and `unlink` fail on a mount point. Nothing there is done already. */
function takeDown(path: string): void {
  if (!existsSync(path)) return;
  unmount(path);
  try {
    rmdirSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOTDIR')) throw error;
    unlinkSync(path);
  }
}
