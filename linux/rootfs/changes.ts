import { type BigIntStats, closeSync, constants, lstatSync, openSync } from 'node:fs';
import { systemError } from '@cleat/protocol/errors';
import { errnoOf } from '../syscall/errno.js';
import { Descent } from './descent.js';
import { isOpaque, isWhiteout } from './layer-marks.js';
import { type ByteName, entryAt, joined, nameOf, textOf } from './names.js';
import { hasVanished, namesIn, type Step, walk } from './walk.js';

/** 0 modified, 1 added, 2 deleted: as in `GET /containers/{id}/changes`. */
export type ChangeKind = 0 | 1 | 2;
export interface Change {
  Path: string;
  Kind: ChangeKind;
}

export interface ChangesRequest {
  /** overlayfs' upper directory. */
  upper: string;
  /** The directories of the layers below, topmost first. */
  lowers: readonly string[];
  /** Files that the runtime made to mount something over them are no change: empty files, and directories. */
  mountPoints: readonly string[];
}

/** The answer has to fit into memory, here and where it is sent to. */
const maxTotal = 128 * 1024 * 1024;

/**
 * Lists the changes of a container, sorted by path. A change at this moment may be missed, and leads nowhere else.
 * @throws CleatError System when the paths of all changes together are too long
 */
export function listChanges({ upper, lowers, mountPoints }: ChangesRequest): Change[] {
  const opened: number[] = [];
  const open = (path: string) => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    opened.push(fd);
    return fd;
  };
  try {
    const start = open(upper);
    const layers = lowers.map((path) => new Descent(open(path), { keepOpen: 4 }));
    try {
      return new Comparison(layers, new Set(mountPoints.map(nameOf))).of(walk(start, nameOf('.')));
    } finally {
      for (const layer of layers) layer[Symbol.dispose]();
    }
  } catch (error) {
    // A container that never started has changed nothing.
    if (errnoOf(error) === 'ENOENT' && opened.length === 0) return [];
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

interface Level {
  path: ByteName;
  /** The layers that have this directory, and are seen through it, topmost first. */
  layers: Descent[];
  /** Where nothing of the layers is seen, because the directory was made anew: what they have here is deleted. */
  hides: boolean;
  /** It is a change by itself, whatever is in it. */
  touched: boolean;
  below: BigIntStats | undefined;
}

class Comparison {
  readonly #layers: readonly Descent[];
  readonly #mountPoints: ReadonlySet<ByteName>;
  readonly #levels: Level[] = [];
  readonly #changes: { path: ByteName; kind: ChangeKind }[] = [];
  #total = 0;

  constructor(layers: readonly Descent[], mountPoints: ReadonlySet<ByteName>) {
    this.#layers = layers;
    this.#mountPoints = mountPoints;
  }

  of(steps: Iterable<Step>): Change[] {
    for (const step of steps) {
      if (step.kind === 'before') this.#enter(step);
      else if (step.kind === 'after') this.#leave();
      else this.#entry(step);
    }
    this.#changes.sort((a, b) => (a.path < b.path ? -1 : 1));
    return this.#changes.map(({ path, kind }) => ({ Path: textOf(path), Kind: kind }));
  }

  #enter(step: Step): void {
    const above = this.#levels.at(-1);
    if (!above) {
      const root = { path: nameOf(''), layers: [...this.#layers], hides: false, touched: false, below: undefined };
      this.#levels.push(root);
      return;
    }
    const path = joined(above.path, '/', step.name);
    const { found, directories } = beneath(above.layers, step.name);
    for (const layer of directories) layer.enter(step.name);
    const isAnew = isOpaque(entryAt(step.fd, '.'));
    const hides = above.hides || isAnew;
    const touched = found ? isAnew || !isSameDirectory(step.stats, found) : !this.#isForMounts(path);
    this.#levels.push({ path, layers: directories, hides, touched, below: found });
    if (hides) this.#hidden(path, directories, step.fd);
  }

  /** Entries of layers in a directory that was made anew, and that are no longer there. */
  #hidden(path: ByteName, layers: readonly Descent[], upperFd: number): void {
    const decided = new Set(namesIn(upperFd));
    for (const layer of layers) {
      for (const name of namesIn(layer.fd)) {
        if (decided.has(name)) continue;
        decided.add(name);
        const stats = statOf(layer.fd, name);
        if (stats && !isWhiteout(stats)) this.#add(joined(path, '/', name), 2);
      }
    }
  }

  #leave(): void {
    const level = this.#levels.pop();
    if (!level || this.#levels.length === 0) return;
    for (const layer of level.layers) layer.leave();
    if (level.touched) this.#add(level.path, level.below ? 0 : 1);
  }

  #entry({ name, stats }: Step): void {
    const above = this.#levels.at(-1);
    if (!above) return;
    const path = joined(above.path, '/', name);
    const { found } = beneath(above.layers, name);
    if (isWhiteout(stats)) {
      if (found) this.#add(path, 2);
    } else if (!(this.#mountPoints.has(path) && stats.size === 0n)) this.#add(path, found ? 0 : 1);
  }

  /** A change below makes one of each directory that it is in. */
  #add(path: ByteName, kind: ChangeKind): void {
    this.#total += path.length;
    if (this.#total > maxTotal) throw systemError('there are more changes than can be listed');
    this.#changes.push({ path, kind });
    for (let at = this.#levels.length - 1; at >= 0; at--) {
      const level = this.#levels[at];
      if (!level || level.touched) break;
      level.touched = true;
    }
  }

  /** A directory that only had to be there because mount points are in it, when the image lacks it. */
  #isForMounts(path: ByteName): boolean {
    return [...this.#mountPoints].some((point) => point === path || point.startsWith(`${path}/`));
  }
}

/** The entries of the layers under a name: the topmost one, and the layers whose directories are merged there. */
function beneath(
  layers: readonly Descent[],
  name: ByteName,
): { found: BigIntStats | undefined; directories: Descent[] } {
  let found: BigIntStats | undefined;
  const directories: Descent[] = [];
  for (const layer of layers) {
    const stats = statOf(layer.fd, name);
    if (!stats) continue;
    if (isWhiteout(stats)) break;
    found ??= stats;
    if (!stats.isDirectory()) break;
    directories.push(layer);
    if (isOpaque(entryAt(layer.fd, name))) break;
  }
  return { found, directories };
}

function statOf(directoryFd: number, name: ByteName): BigIntStats | undefined {
  try {
    return lstatSync(entryAt(directoryFd, name), { bigint: true });
  } catch (error) {
    if (hasVanished(error)) return undefined;
    throw error;
  }
}

/** A directory is copied up as soon as something in it changes; by itself that is no change of its own. */
function isSameDirectory(a: BigIntStats, b: BigIntStats): boolean {
  return b.isDirectory() && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}
