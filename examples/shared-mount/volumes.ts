import {
  chmodSync,
  chownSync,
  type Dirent,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { invalidParameter, notFound, unavailable } from '@cleat/sdk';

export interface StoredVolume {
  name: string;
  path: string;
  createdAt: Date;
}

/** The owner of a volume's directory: a user who owns nothing else. */
const nobody = 65534;
/** A dot, so that it is no volume's directory. */
const ours = '.shared-mount';

/**
 * A directory per volume on the shared file system, and nothing else: every reader, on whichever host, sees the same
 * volumes. A slash in a name is `%2F` in that of its directory, so that no volume lies inside another, where a
 * container could put a symlink in its way.
 */
export class Volumes {
  readonly #root: string;
  readonly #options: string;
  readonly #aside: string;

  constructor(root: string) {
    this.#root = root;
    this.#options = join(root, ours, 'options');
    // Each host's own, so that none takes away what another is about to put in place.
    this.#aside = join(root, ours, 'aside', hostname());
    for (const directory of [this.#options, this.#aside]) mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Finishes what a kill cut short; it may be large. */
  async sweep(): Promise<void> {
    for (const name of readdirSync(this.#aside)) await rm(join(this.#aside, name), { recursive: true, force: true });
  }

  list(): StoredVolume[] {
    return readdirSync(this.#root, { withFileTypes: true }).flatMap((entry) => {
      const name = nameOf(entry);
      const found = name === undefined ? undefined : this.find(name);
      return found ? [found] : [];
    });
  }

  find(name: string): StoredVolume | undefined {
    if (!isName(name)) return undefined;
    const path = join(this.#root, directoryOf(name));
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat?.isDirectory()) return undefined;
    return { name, path, createdAt: stat.birthtime };
  }

  /** @throws NotFound */
  require(name: string): StoredVolume {
    const volume = this.find(name);
    if (!volume) throw notFound(`no such volume: ${name}`);
    return volume;
  }

  /**
   * As they were given when it was made; a directory that somebody else made has none.
   * @throws when they cannot be read: without them its files would get the wrong owner
   */
  optionsOf({ name }: StoredVolume): Record<string, string> {
    const file = this.#optionsFile(name);
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return {};
      throw unavailable(`the options of volume ${name} cannot be read; fix or remove ${file}`, { cause });
    }
  }

  /** An existing volume stays as it is. @throws InvalidParameter for a name that cannot be */
  create(name: string, options: Record<string, string>): void {
    if (!isName(name)) throw invalidParameter(`a volume cannot be called ${JSON.stringify(name)}`);
    if (this.find(name)) return;
    const draft = mkdtempSync(join(this.#aside, 'new-'));
    writeFileSync(join(draft, 'options'), JSON.stringify(options), { flush: true });
    renameSync(join(draft, 'options'), this.#optionsFile(name));
    // Open to all, each to their own, as /tmp is.
    chownSync(draft, nobody, nobody);
    chmodSync(draft, 0o1777);
    // Last: from here on it is a volume, with all that belongs to it.
    renameSync(draft, join(this.#root, directoryOf(name)));
  }

  /** @throws NotFound */
  async remove(name: string): Promise<void> {
    const { path } = this.require(name);
    const doomed = mkdtempSync(join(this.#aside, 'old-'));
    renameSync(path, join(doomed, 'data'));
    rmSync(this.#optionsFile(name), { force: true });
    await rm(doomed, { recursive: true, force: true });
  }

  #optionsFile(name: string): string {
    return join(this.#options, directoryOf(name));
  }
}

const directoryOf = (name: string): string => name.replaceAll('/', '%2F');

/** Undefined for what is no volume: files, symlinks, what is hidden, `lost+found`. */
function nameOf(entry: Dirent): string | undefined {
  return entry.isDirectory() ? entry.name.replaceAll('%2F', '/') : undefined;
}

/** Each part begins with a letter, a digit or `_`: no `..`, nothing empty. */
const isName = (name: string): boolean => /^\w[\w.-]*(\/\w[\w.-]*)*$/.test(name) && directoryOf(name).length <= 255;
