import { statfsSync } from 'node:fs';
import { type CleatError, systemError } from '@cleat/protocol/errors';

/**
 * Bytes and inodes of a file system that nothing received may use up: the engine and its containers go on with them.
 */
const spareBytes = 64 * 1024 * 1024;
const spareInodes = 4096;
/** On a small file system only this part, so that it can be used. */
const spareShare = 16;

/** Bytes between two looks at what is free: many while there is much. */
const longestStep = 32 * 1024 * 1024;
const shortestStep = 1024 * 1024;

/** The least space of one entry of a tree besides its content: a directory, a long symlink, an attribute is a block. */
export const entryBytes = 4096;

/** The writer of a body that somebody sends reports to this. */
export interface Spare {
  /** Before `bytes` more are written. @throws System (ENOSPC) when they would take what is kept free */
  take(bytes: number): void;
}

/**
 * Keeps the last of a file system free while something is written that a client, a registry or an archive makes as
 * large as it likes. A look is a statfs(2): use it in process only for the engine's own roots.
 */
export class SpareSpace implements Spare {
  readonly #path: string;
  readonly #only: string | undefined;
  /** Bytes that may still be written before the next look. */
  #left = 0;

  /** @param only keep it free only where `path` is on the same file system as this one, as far as statfs(2) can tell */
  constructor(path: string, only?: string) {
    this.#path = path;
    this.#only = only;
  }

  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    const usable = usableAt(this.#path, this.#only);
    if (usable.inodes < 0 || bytes > usable.bytes) throw noSpace(usable.spare);
    const rest = usable.bytes - bytes;
    // Others write at the same time.
    this.#left = Math.min(longestStep, Math.max(rest / 4, Math.min(rest, shortestStep)));
  }
}

interface Usable {
  bytes: number;
  inodes: number;
  spare: number;
}

function usableAt(path: string, only: string | undefined): Usable {
  const found = statfsSync(path);
  if (only !== undefined) {
    const other = statfsSync(only);
    const isSame = other.blocks === found.blocks && other.bsize === found.bsize && other.files === found.files;
    if (!isSame) return { bytes: Number.POSITIVE_INFINITY, inodes: Number.POSITIVE_INFINITY, spare: 0 };
  }
  const { bavail, blocks, bsize, files, ffree } = found;
  const spare = Math.min(spareBytes, (blocks * bsize) / spareShare);
  // File systems that make inodes as they need them count none.
  const inodes = files === 0 ? Number.POSITIVE_INFINITY : ffree - Math.min(spareInodes, files / spareShare);
  return { bytes: bavail * bsize - spare, inodes, spare };
}

function noSpace(spare: number): CleatError {
  const kept = Math.ceil(spare / 1024 / 1024);
  return systemError(`no space left on device (the last ${kept} MiB are kept free for what runs)`, {
    details: { errno: 'ENOSPC' },
  });
}
