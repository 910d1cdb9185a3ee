import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mountRamfs, unmount, unmountAll } from '@cleat/linux/mount/mount';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { Root } from '@cleat/linux/rootfs/root';
import { mountFlag } from '@cleat/linux/syscall/mount';
import type { ContainerView } from '../run/container-view.js';

/** A tree of files on this host that nobody changes while it is looked at. */
export interface Tree extends Disposable {
  readonly root: Root;
  /** Absolute. */
  readonly path: string;
  /** The same files with the owners that containers see. */
  shown(): string;
}

/** Directories and mounts of one build. They all go when the build ends, also after a failure. */
export class Workspace implements AsyncDisposable {
  readonly #trees = new Map<string, Tree | undefined>();
  #count = 0;
  #hidden: string | undefined;

  private constructor(
    readonly directory: string,
    readonly view: ContainerView,
  ) {}

  /** @param directory that does not exist */
  static make(directory: string, view: ContainerView): Workspace {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return new Workspace(directory, view);
  }

  /** Removes what a build of an engine that was killed has left. */
  static async sweep(directory: string): Promise<void> {
    unmountAll(directory);
    await removeTree(directory);
  }

  /** A new and empty directory. */
  fresh(): string {
    const path = join(this.directory, `${++this.#count}`);
    mkdirSync(path, { mode: 0o755 });
    return path;
  }

  /** A new path that does not exist. */
  path(): string {
    return join(this.directory, `${++this.#count}`);
  }

  /** A directory in memory that is never swapped out: for secrets. */
  hidden(): string {
    if (this.#hidden === undefined) {
      const path = this.fresh();
      mountRamfs(path, { mode: '0700', source: 'cleat-build' });
      this.#hidden = path;
    }
    const own = join(this.#hidden, `${++this.#count}`);
    mkdirSync(own, { mode: 0o700 });
    return own;
  }

  /**
   * The files of an image, read-only: its layers as they are, stacked.
   * @param directories of its layers, the top first @returns undefined when it has none
   */
  tree(directories: readonly string[]): Tree | undefined {
    // Two steps that made the same layer share it, and overlayfs takes no directory twice: the upper one hides the lower.
    const layers = [...new Set(directories)];
    const key = layers.join(':');
    if (!this.#trees.has(key)) this.#trees.set(key, this.#mounted(layers));
    return this.#trees.get(key);
  }

  /** A directory as a tree. */
  plain(directory: string): Tree {
    const known = this.#trees.get(directory);
    if (known) return known;
    const root = new Root(directory);
    const tree = {
      root,
      path: directory,
      shown: () => this.view.seen(directory),
      [Symbol.dispose]: () => root[Symbol.dispose](),
    };
    this.#trees.set(directory, tree);
    return tree;
  }

  #mounted(directories: readonly string[]): Tree | undefined {
    const [only, ...more] = directories;
    if (only === undefined) return undefined;
    if (more.length === 0) return this.plain(only);
    const stacked = (lower: readonly string[]): string => {
      const target = this.fresh();
      mountOverlay({ lower, target, flags: mountFlag.readOnly | mountFlag.noDev | mountFlag.noSuid });
      return target;
    };
    const path = stacked(directories);
    const root = new Root(path);
    const isSeenElsewhere = directories.some((directory) => this.view.seen(directory) !== directory);
    let shown = isSeenElsewhere ? undefined : path;
    return {
      root,
      path,
      shown: () => {
        shown ??= stacked(directories.map((directory) => this.view.seen(directory)));
        return shown;
      },
      [Symbol.dispose]: () => root[Symbol.dispose](),
    };
  }

  /** A directory's files, as containers see them, to be changed; the changes are thrown away. */
  scratch(lower: string): string {
    const target = this.fresh();
    const [upper, work] = [this.view.seen(this.fresh()), this.view.seen(this.fresh())];
    mountOverlay({ lower: [lower], upper, work, target });
    return target;
  }

  /** Takes away one mount before the end. */
  release(target: string): void {
    unmount(target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const tree of this.#trees.values()) tree?.[Symbol.dispose]();
    await Workspace.sweep(this.directory);
  }
}
