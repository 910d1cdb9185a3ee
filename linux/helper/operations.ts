/** The operations of a helper process. Requests and answers are JSON; this file says their shapes. */
import type { SmallFilesAnswer, SmallFilesRequest } from '../files/small-files.js';
import type { HoldAnswer, HoldRequest } from '../mount/hold.js';
import type { IdMaps } from '../process/user-namespace.js';
import type { Change, ChangesRequest } from '../rootfs/changes.js';
import type { FileFacts } from '../rootfs/facts.js';
import type { RootedFacts, RootOf } from '../rootfs/root.js';

export interface TarOutRequest {
  /** A root directory, or a process of a running container, through which its volumes are seen. */
  root: RootOf;
  /** The path inside; its last component is not followed, unless it ends with `/` or `/.`. */
  path: string;
  /** Name of the topmost entry in the archive (`data`, `.`); below it names are `data/…`. */
  entryName: string;
  /** Without that name: below, entries are `etc/…`, and the topmost one is left out. */
  bare?: boolean;
  /** Leave out what lies on other file systems (`docker export`). Default false. */
  oneFileSystem?: boolean;
  /** Among the mounts on the root's own file system, only these directories are entered. Default: all. */
  mounts?: readonly string[];
  /** Write an image layer from overlayfs' upper directory; see `rootfs/tar-out.ts`. */
  layer?: { leaveOut: readonly string[] };
  /** Owners as a user namespace has them. */
  owners?: IdMaps;
}

export interface TarInRequest {
  root: RootOf;
  /** An existing directory inside the root; symlinks to it are followed. */
  path: string;
  /** Refuse to replace a directory by something else, and the other way round. */
  noOverwriteDirNonDir?: boolean;
  /** Owner of everything that is extracted, instead of the archive's numbers. */
  owner?: { uid: number; gid: number };
  /** Owners are those of a user namespace. */
  owners?: IdMaps;
  /** Writing onto the file system of this directory of ours leaves some space free there. */
  spareOf?: string;
}

/** Each operation with its request and its answer. */
export interface Operations {
  /** stat(2), or lstat(2) unless `follow`. Of a path of the host. */
  stat: { request: { path: string; follow?: boolean }; answer: FileFacts };
  /**
   * Where the mount begins that a path of the host lies on, its `shared:N`, `master:N`, …, and its options; symlinks
   * are followed.
   */
  mountOf: { request: { path: string }; answer: { target: string; propagation: string[]; options: string[] } };
  /** See `held-path.ts`, which is the only one to ask for it. */
  hold: { request: HoldRequest; answer: HoldAnswer };
  /** Makes a directory of the host, and those above it, unless it exists. Conflict when it is something else. */
  ensureDirectory: {
    request: { path: string; mode?: number; uid?: number; gid?: number };
    answer: { created: boolean };
  };
  /** Facts of a path inside a root; see {@link RootedFacts}. */
  statInRoot: { request: { root: RootOf; path: string; follow?: boolean }; answer: RootedFacts };
  /** A regular file's content, as text; larger than `maxBytes` (default 1 MiB) is an error. */
  readFileInRoot: { request: { root: string; path: string; maxBytes?: number }; answer: { text: string } };
  mkdirInRoot: {
    request: { root: string; path: string; mode?: number; uid?: number; gid?: number };
    answer: { created: boolean };
  };
  /** Removes entries and all that is below them; missing ones are fine. No symlink is followed out of the root. */
  removeEntriesInRoot: { request: { root: string; paths: readonly string[] }; answer: { removed: boolean } };
  /** The contents of a directory's small files; see `files/small-files.ts`. */
  smallFiles: { request: SmallFilesRequest; answer: SmallFilesAnswer };
  /** Whether nothing is in a directory of the host. */
  isEmpty: { request: { path: string }; answer: { empty: boolean } };
  /** The changes of a container; see `rootfs/changes.ts`. */
  changes: { request: ChangesRequest; answer: { changes: Change[] } };
  /** Bytes and inodes below a path of the host, each hard-linked file once (`docker system df`). */
  diskUsage: { request: { path: string }; answer: { bytes: number; inodes: number } };
  /** Whole size, free bytes and type number of the file system that a path is on (statfs(2)). */
  statFileSystem: { request: { path: string }; answer: { type: number; size: number; free: number } };
  /** Copies what is in a directory inside a root into a directory of the host, with all attributes. */
  copyDirectory: {
    /** @property spareOf keeps the last of this path's file system free, if the destination is on it */
    request: { root: string; path: string; destination: string; spareOf?: string };
    answer: { copied: boolean };
  };
}

export type OperationName = keyof Operations;

/**
 * The operations that carry bytes: stdout of the helper, which uses up the process, or its stdin, which does not where
 * the archive was read to its end.
 */
export interface StreamOperations {
  tarOut: { request: TarOutRequest; answer: { facts: RootedFacts } };
  tarIn: { request: TarInRequest; answer: { isReadUp: boolean } };
}

/** A message to the helper. */
export interface HelperRequest {
  operation: OperationName | keyof StreamOperations;
  request: unknown;
}

/** A message of the helper. `tarOut` sends `ready` before its bytes. */
export type HelperReply =
  | { type: 'ready'; answer: unknown }
  | { type: 'done'; answer: unknown }
  | { type: 'failed'; class: string; message: string; details?: Record<string, unknown> };
