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
import { join } from 'node:path';
import { invalidParameter, notFound } from '@cleat/sdk';

export interface StoredVolume {
  name: string;
  path: string;
  createdAt: Date;
  options: Record<string, string>;
}

/** Whom the directory of a volume belongs to: someone who owns nothing else. */
const nobody = 65534;
/** A dot, so that it is no volume's directory. */
const ours = '.shared-mount';

/**
 * A directory per volume on the shared file system, and nothing else: whoever looks, on whichever host, sees the same
 * volumes. A slash in a name is `%2F` in that of its directory, so that no volume lies inside another, where a container
 * could put a symlink in its way.
 */
export class Volumes {
  readonly #root: string;
  readonly #options: string;
  readonly #aside: string;

  constructor(root: string) {
    this.#root = root;
    this.#options = join(root, ours, 'options');
    this.#aside = join(root, ours, 'aside');
    for (const directory of [this.#options, this.#aside]) mkdirSync(directory, { recursive: true, mode: 0o700 });
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
    return { name, path, createdAt: stat.birthtime, options: this.#optionsOf(name) };
  }

  /** @throws NotFound */
  require(name: string): StoredVolume {
    const volume = this.find(name);
    if (!volume) throw notFound(`no such volume: ${name}`);
    return volume;
  }

  /** One that exists stays as it is. @throws InvalidParameter for a name that cannot be */
  create(name: string, options: Record<string, string>): void {
    if (!isName(name)) throw invalidParameter(`a volume cannot be called ${JSON.stringify(name)}`);
    if (this.find(name)) return;
    const draft = mkdtempSync(join(this.#aside, 'new-'));
    writeFileSync(join(draft, 'options'), JSON.stringify(options));
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

  /** A directory that somebody else made is a volume without options. */
  #optionsOf(name: string): Record<string, string> {
    try {
      return JSON.parse(readFileSync(this.#optionsFile(name), 'utf8'));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
      throw error;
    }
  }
}

const directoryOf = (name: string): string => name.replaceAll('/', '%2F');

/** Undefined for what is no volume: files, symlinks, what is hidden, `lost+found`. */
function nameOf(entry: Dirent): string | undefined {
  return entry.isDirectory() ? entry.name.replaceAll('%2F', '/') : undefined;
}

/** Each part begins with a letter, a digit or `_`: no `..`, nothing empty. */
const isName = (name: string): boolean => /^\w[\w.-]*(\/\w[\w.-]*)*$/.test(name) && directoryOf(name).length <= 255;
