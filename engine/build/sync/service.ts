import type { Readable } from 'node:stream';

/** A file as fsutil tells of it (tonistiigi/fsutil `types/stat.proto`). */
export interface FileSystemEntry {
  /** Below the directory, without a leading slash. */
  readonly path: string;
  /** Go's os.FileMode: type and permissions in bits of its own. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly modTime: bigint;
  /** Where a symbolic link leads; of a regular file: an earlier path that is the same file. */
  readonly linkname: string;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** A tree of files elsewhere, which tells first what is there, and sends contents for which it is asked. */
export interface TreeSource {
  /** Everything that is there, each directory before what is in it, in the order of paths. Numbers count from 0. */
  entries(): AsyncIterable<FileSystemEntry>;
  /** Asks for the contents of regular files. Their pieces come mixed. */
  request(numbers: readonly number[]): Promise<void>;
  /** The next piece of a content that was asked for; an empty one is its end. */
  nextContent(): Promise<{ number: number; data: Uint8Array }>;
  /** Nothing more is wanted. */
  finish(): Promise<void>;
  /** Lets go of it. */
  cancel(): void;
}

/** A file that goes to a client. Its content is read before the next file is asked for. */
export interface OutgoingFile {
  readonly entry: FileSystemEntry;
  /** Only regular files have one. */
  readonly content: AsyncIterable<Uint8Array> | undefined;
}

export interface TreeSync {
  /**
   * Makes a directory below the data root what `source` says, asking only for what has changed since the last time.
   * What comes is not trusted: names that lead out, devices and trees beyond the bounds are refused.
   * @throws InvalidParameter
   */
  update(directory: string, source: TreeSource, signal: AbortSignal): Promise<void>;
  /** The directory was removed: the next one of its name begins anew. */
  forget(directory: string): void;
  /** The files of a tar, in its order; what no client takes (devices) is left out. @throws InvalidParameter */
  filesOf(tar: Readable): AsyncIterable<OutgoingFile>;
}
