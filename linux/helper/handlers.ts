import { lchownSync, mkdirSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { conflict, systemError } from '@cleat/protocol/errors';
import { smallFiles } from '../files/small-files.js';
import { SpareSpace } from '../files/spare-space.js';
import { hold } from '../mount/hold.js';
import { mountOf } from '../mount/mountinfo.js';
import { listChanges } from '../rootfs/changes.js';
import { copyDirectory } from '../rootfs/copy.js';
import { type FileFacts, factsFromStats, factsOf } from '../rootfs/facts.js';
import { nameOf } from '../rootfs/names.js';
import { isEmpty, removeEntry } from '../rootfs/remove.js';
import { classed, Root, type RootOf } from '../rootfs/root.js';
import { diskUsage } from '../rootfs/usage.js';
import { errnoOf } from '../syscall/errno.js';
import type { OperationName, Operations } from './operations.js';

type Handlers = { [N in OperationName]: (request: Operations[N]['request']) => Operations[N]['answer'] };

function withRoot<T>(of: RootOf, use: (root: Root) => T): T {
  using root = new Root(of);
  return use(root);
}

/** Runs file system calls on a host path; their errors get classes. */
function onHost<T>(path: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw classed(error, path);
  }
}

function stat(path: string, follow: boolean): FileFacts {
  return follow ? factsFromStats(statSync(path, { bigint: true })) : factsOf(path);
}

function mountFacts(path: string): Operations['mountOf']['answer'] {
  const entry = mountOf(realpathSync(path));
  // A chroot sees no mount above it.
  if (!entry) throw systemError(`Can't find mount point of ${path}`);
  return { target: entry.target, propagation: entry.propagation, options: entry.options };
}

function ensureDirectory(path: string, options: { mode?: number; uid?: number; gid?: number }): boolean {
  try {
    if (statSync(path).isDirectory()) return false;
    throw conflict(`${path} exists and is not a directory`);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  if (dirname(path) !== path) ensureDirectory(dirname(path), options);
  try {
    mkdirSync(path, { mode: options.mode ?? 0o755 });
  } catch (error) {
    // Somebody else made it at the same moment.
    if (errnoOf(error) === 'EEXIST' && statSync(path).isDirectory()) return false;
    throw error;
  }
  lchownSync(path, options.uid ?? 0, options.gid ?? 0);
  return true;
}

export const handlers: Handlers = {
  stat: ({ path, follow = false }) => onHost(path, () => stat(path, follow)),
  mountOf: ({ path }) => onHost(path, () => mountFacts(path)),
  hold: (request) => hold(request),
  ensureDirectory: ({ path, ...options }) => onHost(path, () => ({ created: ensureDirectory(path, options) })),
  statInRoot: ({ root, path, follow = false }) =>
    withRoot(root, (inside) => (follow ? inside.stat(path) : inside.lstat(path))),
  readFileInRoot: ({ root, path, maxBytes = 1024 * 1024 }) =>
    withRoot(root, (inside) => ({ text: inside.readFile(path, maxBytes).toString('utf8') })),
  mkdirInRoot: ({ root, path, ...options }) =>
    withRoot(root, (inside) => ({ created: inside.makeDirectory(path, options) })),
  removeEntriesInRoot: ({ root, paths }) =>
    withRoot(root, (inside) => {
      for (const path of paths) inside.withParent(`/${path}`, (fd, name) => removeEntry(fd, nameOf(name)));
      return { removed: true };
    }),
  smallFiles: (request) => onHost(request.directory, () => smallFiles(request)),
  isEmpty: ({ path }) => onHost(path, () => ({ empty: isEmpty(path) })),
  changes: (request) => onHost(request.upper, () => ({ changes: listChanges(request) })),
  diskUsage: ({ path }) => onHost(path, () => diskUsage(path)),
  statFileSystem: ({ path }) =>
    onHost(path, () => {
      const { type, bsize, blocks, bavail } = statfsSync(path);
      return { type, size: blocks * bsize, free: bavail * bsize };
    }),
  copyDirectory: ({ root, path, destination, spareOf }) =>
    withRoot(root, (inside) => {
      const spare = spareOf === undefined ? undefined : new SpareSpace(destination, spareOf);
      return { copied: copyDirectory(inside, path, destination, spare) };
    }),
};
