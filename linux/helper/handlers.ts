import {
  lchownSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { conflict, systemError } from '@cleat/protocol/errors';
import { hold } from '../mount/hold.js';
import { mountOf } from '../mount/mountinfo.js';
import { copyDirectory } from '../rootfs/copy.js';
import { type FileFacts, factsFromStats, factsOf } from '../rootfs/facts.js';
import { classed, Root } from '../rootfs/root.js';
import { errnoOf } from '../syscall/errno.js';
import type { OperationName, Operations } from './operations.js';

type Handlers = { [N in OperationName]: (request: Operations[N]['request']) => Operations[N]['answer'] };

function withRoot<T>(path: string, use: (root: Root) => T): T {
  using root = new Root(path);
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
  return { target: entry.target, propagation: entry.propagation };
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

function diskUsage(path: string): { bytes: number; inodes: number } {
  const seen = new Set<string>();
  let bytes = 0;
  const visit = (current: string) => {
    let stats: ReturnType<typeof lstatSync>;
    try {
      stats = lstatSync(current);
    } catch (error) {
      // It vanished while we counted.
      if (errnoOf(error) === 'ENOENT' && current !== path) return;
      throw error;
    }
    if (!stats) return;
    const key = `${stats.dev}:${stats.ino}`;
    if (seen.has(key)) return;
    seen.add(key);
    bytes += stats.isDirectory() ? 0 : stats.size;
    if (!stats.isDirectory()) return;
    const directory = opendirSync(current);
    try {
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) visit(join(current, entry.name));
    } finally {
      directory.closeSync();
    }
  };
  visit(path);
  return { bytes, inodes: seen.size };
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
  list: ({ path }) => onHost(path, () => ({ names: readdirSync(path) })),
  diskUsage: ({ path }) => onHost(path, () => diskUsage(path)),
  statFileSystem: ({ path }) =>
    onHost(path, () => {
      const { type, bsize, blocks, bavail } = statfsSync(path);
      return { type, size: blocks * bsize, free: bavail * bsize };
    }),
  copyDirectory: ({ root, path, destination }) =>
    withRoot(root, (inside) => ({ copied: copyDirectory(inside, path, destination) })),
  removeTree: ({ path }) =>
    onHost(path, () => {
      rmSync(path, { recursive: true, force: true });
      return {};
    }),
};
