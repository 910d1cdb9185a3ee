import { createHash, randomBytes } from 'node:crypto';
import { readdir, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import type { Helper } from '@cleat/linux/helper/helper';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { invalidParameter, isClass, messageOf, systemError } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { IgnorePatterns, readIgnoreFile } from '../ignore.js';
import type { BuildContext, ContextOptions } from '../service.js';

/** A Dockerfile, or a file of rules, with more is none. */
const maxFileBytes = 8 * 1024 * 1024;
/** How long the file system may take for nothing at all, in ms. */
const patienceMs = 120_000;
/** Directories that are kept for files which a client sends only when they have changed. */
const maxKept = 16;

/**
 * The directories that builds read: `DIRECTORY/new/NAME` for one build, `DIRECTORY/kept/KEY` for several. What lies in
 * them is a client's, so every look at it is a helper's. What an engine before this one left is removed at its start.
 */
export class Contexts {
  readonly #root: string;
  readonly #helper: Helper;
  readonly #log: Logger;
  /** Kept directories that a build has at present. */
  readonly #busy = new Set<string>();
  readonly #removals = new Set<Promise<void>>();

  readonly #onRemoved: (directory: string) => void;

  /** @param deps.onRemoved hears of each kept directory that is there no longer */
  constructor({
    root,
    helper,
    log,
    onRemoved = () => {},
  }: {
    root: string;
    helper: Helper;
    log: Logger;
    onRemoved?: (directory: string) => void;
  }) {
    this.#onRemoved = onRemoved;
    this.#root = root;
    this.#helper = helper;
    this.#log = log;
  }

  get helper(): Helper {
    return this.#helper;
  }

  makePlaces(): void {
    for (const name of ['new', 'gone', 'kept']) makeDirectories(join(this.#root, name), 0o700);
  }

  /** Removes what was left, in the background. */
  async start(): Promise<void> {
    for (const name of await readdir(join(this.#root, 'new'))) await this.#remove(join(this.#root, 'new', name));
    for (const name of await readdir(join(this.#root, 'gone'))) this.#erase(join(this.#root, 'gone', name));
  }

  /** Waits for what is being removed. */
  async close(): Promise<void> {
    await Promise.all(this.#removals);
  }

  /** An empty one for one build. */
  async make(): Promise<ContextDirectory> {
    const place = join(this.#root, 'new', randomBytes(8).toString('hex'));
    return await ContextDirectory.make(place, this.#helper, () => this.#remove(place));
  }

  /** The one of that key; another one while a build has it. */
  async kept(key: string): Promise<ContextDirectory> {
    const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
    if (this.#busy.has(name)) return await this.make();
    this.#busy.add(name);
    try {
      const place = join(this.#root, 'kept', name);
      return await ContextDirectory.make(place, this.#helper, async () => {
        const now = new Date();
        // As long as it is busy nobody removes it.
        await utimes(place, now, now).finally(() => this.#busy.delete(name));
        await this.#removeOldest();
      });
    } catch (error) {
      this.#busy.delete(name);
      throw error;
    }
  }

  /** @throws InvalidParameter for what is no archive */
  async fromTar(archive: Readable, { signal }: ContextOptions): Promise<ContextDirectory> {
    const directory = await this.make();
    try {
      await this.#helper.tarIn({ root: directory.directory, path: '/', spareOf: this.#root }, archive, {
        signal,
        deadlineMs: patienceMs,
      });
      return directory;
    } catch (error) {
      await directory[Symbol.asyncDispose]();
      throw error;
    }
  }

  async fromDockerfile(text: Uint8Array): Promise<ContextDirectory> {
    const directory = await this.make();
    try {
      directory.dockerfile = await directory.beside('Dockerfile', text);
      return directory;
    } catch (error) {
      await directory[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The size of each kept directory; for `system df`. */
  async usage(): Promise<{ name: string; bytes: number; used: Date; inUse: boolean }[]> {
    const found = await Promise.all(
      (await this.#kept()).map(async ({ name, used }) => {
        const path = join(this.#root, 'kept', name);
        try {
          const { bytes } = await this.#helper.call('diskUsage', { path }, { deadlineMs: patienceMs });
          return [{ name, bytes, used, inUse: this.#busy.has(name) }];
        } catch (error) {
          // It has gone meanwhile.
          if (isClass(error, 'NotFound')) return [];
          throw error;
        }
      }),
    );
    return found.flat();
  }

  /** Removes a kept directory. @returns false when a build has it */
  async removeKept(name: string): Promise<boolean> {
    if (this.#busy.has(name)) return false;
    const place = join(this.#root, 'kept', name);
    await this.#remove(place);
    this.#onRemoved(contextIn(place));
    return true;
  }

  async #removeOldest(): Promise<void> {
    const idle = (await this.#kept()).filter(({ name }) => !this.#busy.has(name));
    for (const { name } of idle.sort((a, b) => +b.used - +a.used).slice(maxKept)) await this.removeKept(name);
  }

  /** The kept directories; without those that go while they are looked at. */
  async #kept(): Promise<{ name: string; used: Date }[]> {
    const kept = join(this.#root, 'kept');
    const found = await Promise.all(
      (await readdir(kept)).map(async (name) => {
        try {
          return [{ name, used: (await stat(join(kept, name))).mtime }];
        } catch (error) {
          if (isMissing(error)) return [];
          throw error;
        }
      }),
    );
    return found.flat();
  }

  /** Out of the way at once; erased while others go on. */
  async #remove(place: string): Promise<void> {
    const gone = join(this.#root, 'gone', `${basename(place)}-${randomBytes(4).toString('hex')}`);
    try {
      await rename(place, gone);
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    this.#erase(gone);
  }

  #erase(place: string): void {
    const removal = removeTree(place)
      .catch((error: unknown) => this.#log.warn(`a build context remains: ${messageOf(error)}`, { path: place }))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }
}

const contextIn = (place: string): string => join(place, 'context');

export class ContextDirectory implements BuildContext {
  readonly directory: string;
  dockerfile?: string;
  readonly #place: string;
  readonly #helper: Helper;
  readonly #release: () => Promise<void>;

  private constructor(place: string, helper: Helper, release: () => Promise<void>) {
    this.directory = contextIn(place);
    this.#place = place;
    this.#helper = helper;
    this.#release = release;
  }

  static async make(place: string, helper: Helper, release: () => Promise<void>): Promise<ContextDirectory> {
    for (const name of ['context', 'beside']) makeDirectories(join(place, name), 0o700);
    return new ContextDirectory(place, helper, release);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#release();
  }

  async read(path: string): Promise<string> {
    const { text } = await this.#helper.call('readFileInRoot', {
      root: this.directory,
      path: `/${path}`,
      maxBytes: maxFileBytes,
    });
    return text;
  }

  /** Texts as moby's. */
  async file(path: string): Promise<string> {
    if (leadsOut(path)) throw systemError(`forbidden path outside the build context: ${path} ()`);
    const names = path === 'Dockerfile' ? [path, 'dockerfile'] : [path];
    for (const name of names) {
      try {
        const text = await this.read(name);
        if (text === '') throw invalidParameter(`the Dockerfile (${path}) cannot be empty`);
        return await this.beside(basename(name), Buffer.from(text));
      } catch (error) {
        if (!isClass(error, 'NotFound')) throw error;
      }
    }
    throw systemError(`Cannot locate specified Dockerfile: ${path}`);
  }

  async beside(name: string, content: Uint8Array): Promise<string> {
    if (name === '' || name.includes('/') || name === '.' || name === '..') throw invalidParameter(`bad name ${name}`);
    const path = join(this.#place, 'beside', `${randomBytes(4).toString('hex')}-${name}`);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  }

  async hideIgnored(dockerfile: string): Promise<void> {
    let rules: string;
    try {
      rules = await this.read('.dockerignore');
    } catch (error) {
      if (isClass(error, 'NotFound')) return;
      throw error;
    }
    const patterns = new IgnorePatterns(readIgnoreFile(rules));
    const paths = ['.dockerignore', dockerfile].filter((name) => patterns.ignores(name));
    if (paths.length > 0) await this.#helper.call('removeEntriesInRoot', { root: this.directory, paths });
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** Whether a relative path leads above where it begins, by its words alone. */
export function leadsOut(path: string): boolean {
  let depth = 0;
  for (const part of path.split('/')) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0) return true;
  }
  return false;
}
