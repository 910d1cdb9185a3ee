import { closeSync, constants, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import type { Root } from '@cleat/linux/rootfs/root';
import { CleatError, isClass } from '@cleat/protocol/errors';
import { fault } from '../language/fault.js';
import { hasWildcard, Patterns, wildcard } from './patterns.js';
import { type Found, scan } from './scan.js';

/** A tree of files to copy from: a context, or what a stage or an image holds. */
export interface Source {
  readonly root: Root;
  /** Files of a stage or an image keep their owners; those of a context are root's. */
  readonly keepsOwners: boolean;
}

/** Files that a source path of COPY or ADD has led to. */
export interface Picked {
  readonly source: Source;
  /** Without symlinks in it. */
  readonly path: string;
  /** Its name in the instruction: a symlink's own, not that of its target. */
  readonly name: string;
  readonly found: readonly Found[];
}

export interface PickOptions {
  readonly exclude: readonly string[];
  readonly parents: boolean;
  readonly signal: AbortSignal;
}

/** Files of one source path, with its wildcards. A wildcard may match nothing. @throws DockerfileFault */
export async function pick(source: Source, text: string, options: PickOptions): Promise<Picked[]> {
  const { exclude, signal } = options;
  if (options.parents) return [await pickWithParents(source, text, options)];
  const path = posix.join('/', text);
  const matches = hasWildcard(path) ? matching(source.root, path) : [path];
  const excluded = new Patterns(exclude);
  const picked: Picked[] = [];
  for (const match of matches) {
    const followed = source.root.resolve(match);
    const name = posix.basename(match);
    try {
      const wants = excluded.isEmpty ? {} : selecting((one) => !excluded.matches(one), excluded);
      const found = await scan(source.root, followed, { signal, ...wants });
      picked.push({ source, path: followed, name, found });
    } catch (error) {
      throw missing(error, text);
    }
  }
  // A file that is excluded by its own name is no source.
  return picked.filter(({ name, found }) => found[0]?.type === 'directory' || !excluded.matches(name));
}

function selecting(isWanted: (path: string) => boolean, excluded: Patterns) {
  return { wants: isWanted, enters: (path: string) => excluded.takesBack || !excluded.matches(path) };
}

/** `--parents`: directories above a file are copied, too; those before `/./` are not. */
async function pickWithParents(source: Source, text: string, { exclude, signal }: PickOptions): Promise<Picked> {
  const pivot = text.indexOf('/./');
  const above = pivot < 0 ? '/' : posix.join('/', text.slice(0, pivot));
  const pattern = posix.join('/', pivot < 0 ? text : text.slice(pivot + 3)).slice(1);
  const path = source.root.resolve(above);
  const excluded = new Patterns(exclude);
  const included = pattern === '' ? undefined : new Patterns([pattern]);
  const leading = pattern.split('/');
  const firstWild = leading.findIndex(hasWildcard);
  const plain = firstWild < 0 ? leading : leading.slice(0, firstWild);
  // Directories that cannot hold anything of the pattern are not gone through.
  const mayHold = (one: string) => {
    const parts = one.split('/');
    return parts.every((part, index) => index >= plain.length || plain[index] === part);
  };
  try {
    const found = await scan(source.root, path, {
      signal,
      wants: (one) => (included?.matches(one) ?? true) && !excluded.matches(one),
      enters: (one) => mayHold(one) && (excluded.takesBack || !excluded.matches(one)),
    });
    if (firstWild < 0 && found.filter((one) => one.isWanted).length < 2 && pattern !== '') {
      source.root.lstat(posix.join(path, pattern));
    }
    return { source, path, name: '', found };
  } catch (error) {
    throw missing(error, text);
  }
}

/** Paths that a pattern matches, sorted. */
function matching(root: Root, pattern: string): string[] {
  let paths = ['/'];
  for (const part of pattern.split('/').filter((one) => one !== '')) {
    if (!hasWildcard(part)) {
      paths = paths
        .map((path) => posix.join(path, part.replaceAll(/\\(.)/g, '$1')))
        .filter((path) => isThere(root, path));
      continue;
    }
    const match = wildcard(part);
    paths = paths.flatMap((path) =>
      namesIn(root, path)
        .filter((name) => match.test(name))
        .map((name) => posix.join(path, name)),
    );
  }
  return paths;
}

function isThere(root: Root, path: string): boolean {
  try {
    root.lstat(path);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

function namesIn(root: Root, path: string): string[] {
  let directory: number;
  try {
    directory = root.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
  try {
    return readdirSync(`/proc/self/fd/${directory}`).sort();
  } finally {
    closeSync(directory);
  }
}

/** Also a file where a directory would have to be. */
function isAbsence(error: unknown): boolean {
  return isClass(error, 'NotFound') || (isClass(error, 'InvalidParameter') && /not a directory/.test(error.message));
}

function missing(error: unknown, text: string): unknown {
  const isMissing = isAbsence(error) || (error instanceof Error && 'code' in error && error.code === 'ENOENT');
  if (!isMissing && error instanceof CleatError) return error;
  if (!isMissing) return error;
  return fault(
    `COPY failed: file not found in build context or excluded by .dockerignore: stat ${text}: file does not exist`,
  );
}
