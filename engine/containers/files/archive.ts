import { basename, posix } from 'node:path';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { TarInRequest } from '@cleat/linux/helper/operations';
import { processHasEnded, type RootedFacts } from '@cleat/linux/rootfs/root';
import { invalidParameter, isClass, notFound } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { remapOf } from '../../oci/remap.js';
import { resolveUser } from '../../oci/user.js';
import { goTime } from '../../time.js';
import type { Context } from '../context.js';
import type { PathStat } from '../service.js';
import type { Container } from '../state/container.js';
import { goFileMode } from './go-file-mode.js';
import { mountOf, openRoot, type RootAccess } from './root-access.js';

/**
 * `docker cp` both ways and `docker export`. Everything that resolves a path inside a container happens in a helper
 * process with its root held by descriptor: a symlink, also one that is swapped meanwhile, leads nowhere else.
 */
export async function statPath(context: Context, container: Container, ref: string, path: string): Promise<PathStat> {
  const look = (root: RootAccess) =>
    lookedAt(path, () => context.helper.call('statInRoot', { root: root.directory, path: root.inside(path) }));
  const { root, found } = await lookInto(context, container, { ref, path }, look);
  await root[Symbol.asyncDispose]();
  return pathStat(found, path);
}

/** The tar's topmost entry is called as the path's last component; `dir/.` gives what is in the directory. */
export async function getArchive(
  context: Context,
  container: Container,
  ref: string,
  path: string,
): Promise<{ stat: PathStat; tar: Readable }> {
  const pack = (root: RootAccess) => {
    const request = {
      root: root.directory,
      path: root.inside(path),
      entryName: entryName(path),
      ...(root.mounts && { mounts: root.mounts }),
      ...ownersIn(context, container),
    };
    return lookedAt(path, () => context.helper.tarOut(request));
  };
  const { root, found } = await lookInto(context, container, { ref, path }, pack);
  const { facts, stream } = found;
  try {
    context.emit(container, 'archive-path');
    return { stat: pathStat(facts, path), tar: releasing(stream, root) };
  } catch (error) {
    stream.destroy();
    await root[Symbol.asyncDispose]();
    throw error;
  }
}

/** @throws InvalidParameter when the target is no directory, or read-only; NotFound */
export async function putArchive(
  context: Context,
  container: Container,
  ref: string,
  path: string,
  tar: Readable,
  options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
): Promise<void> {
  const look = (root: RootAccess) => {
    const request = { root: root.directory, path: root.inside(path), follow: true };
    return lookedAt(path, () => context.helper.call('statInRoot', request));
  };
  const looked = await lookInto(context, container, { ref, path }, look);
  await using root = looked.root;
  const facts = looked.found;
  await named(ref, path, async () => {
    const target = root.inside(path);
    if (facts.type !== 'directory') throw invalidParameter('extraction point is not a directory');
    refuseReadOnly(container, facts.resolvedTarget ?? posix.normalize(`/${path}`));
    const { User } = container.record.config;
    const owner = options.copyUidGid && User ? resolveUser(root.files, User) : undefined;
    await context.helper.tarIn(
      {
        root: root.directory,
        path: target,
        noOverwriteDirNonDir: options.noOverwriteDirNonDir,
        spareOf: context.config.dataRoot,
        ...(owner && { owner: { uid: owner.uid, gid: owner.gid } }),
        ...ownersIn(context, container),
      },
      tar,
    );
  });
  context.emit(container, 'extract-to-dir');
}

/** Everything but what is mounted into it. */
export async function exportContainer(context: Context, container: Container): Promise<Readable> {
  const root = await openRoot(context, container, '/', { withoutMounts: true });
  try {
    const request = {
      root: root.directory,
      path: '/',
      entryName: '.',
      bare: true,
      oneFileSystem: true,
      ...ownersIn(context, container),
    };
    const { stream } = await context.helper.tarOut(request);
    context.emit(container, 'export');
    return releasing(stream, root);
  } catch (error) {
    await root[Symbol.asyncDispose]();
    throw error;
  }
}

/** Archives have the owners that the container sees. */
function ownersIn({ config }: Pick<Context, 'config'>, { record }: Container): Pick<TarInRequest, 'owners'> {
  const owners = remapOf(config, record.hostConfig);
  return owners ? { owners } : {};
}

/**
 * The same bytes. The root is kept until the last of them was read, or nobody wants them; and the end comes
 * when it is released: a reader that has everything finds nothing mounted, as under Docker.
 */
function releasing(stream: Readable, root: RootAccess): Readable {
  const through = owned(
    new PassThrough({ flush: (done) => void root[Symbol.asyncDispose]().then(() => done(), done) }),
  );
  // The reader is told of the error.
  pipeline(stream, through, () => void root[Symbol.asyncDispose]());
  return through;
}

/** How long a container whose process has ended may be said to run. */
const patienceMs = 10_000;
const pauseMs = 50;

/**
 * Opens a container's root and looks at something there. Its process may end meanwhile: then it is looked for where those
 * that do not run have it, as soon as that is known, or the container is gone.
 * @returns what was found, and the root, which is the caller's to close
 */
async function lookInto<T>(
  context: Context,
  container: Container,
  { ref, path }: { ref: string; path: string },
  look: (root: RootAccess) => Promise<T>,
): Promise<{ root: RootAccess; found: T }> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const root = await openRoot(context, container, path);
    try {
      return { root, found: await named(ref, path, () => look(root)) };
    } catch (error) {
      await root[Symbol.asyncDispose]();
      if (!processHasEnded(error) || performance.now() > deadline) throw error;
    }
    await pause(pauseMs);
  }
}

/** Names the missing file with the container, as clients match on it. */
async function named<T>(ref: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isClass(cause, 'NotFound') && !processHasEnded(cause)) {
      throw notFound(`Could not find the file ${path} in container ${ref}`, { cause });
    }
    throw cause;
  }
}

/** An error of a path names the whole path, as Go's lstat does. */
async function lookedAt<T>(path: string, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (cause) {
    const words = isClass(cause, 'InvalidParameter') ? lstatErrors[String(cause.details?.errno)] : undefined;
    throw words === undefined ? cause : invalidParameter(`lstat ${path}: ${words}`, { cause });
  }
}

const lstatErrors: Readonly<Record<string, string>> = {
  ENOTDIR: 'not a directory',
  ENAMETOOLONG: 'file name too long',
  ELOOP: 'too many levels of symbolic links',
};

function pathStat(facts: RootedFacts, path: string): PathStat {
  return {
    name: entryName(path) || '/',
    size: facts.size,
    mode: goFileMode(facts),
    mtime: goTime(BigInt(facts.mtimeNs)),
    linkTarget: facts.resolvedTarget ?? '',
  };
}

/** `dir/.` and `dir/` are the directory itself, and its entries hang below `./` or `dir/`; those of `/` below `/`. */
function entryName(path: string): string {
  if (path === '.' || path.endsWith('/.')) return '.';
  return basename(posix.normalize(`/${path}`));
}

function refuseReadOnly(container: Container, path: string): void {
  const mount = mountOf(container.record.mounts, path);
  if (mount) {
    if (!mount.rw) throw invalidParameter('mounted volume is marked read-only');
  } else if (container.record.hostConfig.ReadonlyRootfs) {
    throw invalidParameter('container rootfs is marked read-only');
  }
}
