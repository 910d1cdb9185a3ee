import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { isClass } from '@cleat/protocol/errors';
import type { EntryType, TarEntry } from '../archive/tar-header.js';
import { encodeHeader, paddingOf, tarEnd } from '../archive/tar-writer.js';
import { type IdMaps, insideId } from '../process/user-namespace.js';
import { errnoOf } from '../syscall/errno.js';
import { O_PATH } from '../syscall/files.js';
import { type FileType, factsFromStats } from './facts.js';
import { isOpaque, isWhiteout, opaqueMarker, whiteoutPrefix } from './layer-marks.js';
import { type ByteName, entryAt, joined, nameOf } from './names.js';
import { openFile } from './nofollow.js';
import type { Root } from './root.js';
import { hasVanished, type Step, walk } from './walk.js';
import { portableXattrs } from './xattrs.js';

export interface TarOutOptions {
  /** The topmost entry's name; entries below it are `NAME/…`. */
  entryName: string;
  /** Entries below are named without `NAME/`, and the topmost one is left out unless it is needed for a layer. */
  bare?: boolean;
  /** Leave out what other file systems are mounted below. */
  oneFileSystem?: boolean;
  /**
   * Among the mounts on the root's own file system, only these directories are entered: a container's volumes, but
   * not its /proc and /dev. Default: all.
   */
  mounts?: readonly string[];
  /**
   * The path is overlayfs' upper directory, and the tar is to be an image layer: whiteouts become `.wh.NAME`, opaque
   * directories carry `.wh..wh..opq` (OCI image spec, layer). Entries named in `leaveOut` (`etc/hosts`) are left out
   * while they are empty.
   */
  layer?: { leaveOut: readonly string[] };
  /** Owners are told as a user namespace with these maps has them; whom it does not have are nobody. */
  owners?: IdMaps;
}

const chunkSize = 256 * 1024;

/**
 * A tar of `path` inside a root, in pieces; each is good until the next one is asked for. What vanishes meanwhile is
 * left out, a file that shrinks is filled up with zeros; sockets are left out, as tar has no place for them. No symlink
 * is followed but those that lead to `path`.
 */
export function* tarOut(root: Root, path: string, options: TarOutOptions): Generator<Buffer> {
  const [parent, name] = root.withParent(path, (fd, last) => [
    openSync(`/proc/self/fd/${fd}/.`, constants.O_RDONLY),
    nameOf(last),
  ]);
  try {
    const writer = new TarWriter(root, options);
    yield* writer.write(walk(parent, name));
  } finally {
    closeSync(parent);
  }
  yield tarEnd;
}

interface Level {
  /** The directory's name in the archive, with its slash; '' where names are bare. */
  prefix: ByteName;
  device: bigint;
}

class TarWriter {
  readonly #options: TarOutOptions;
  readonly #leaveOut: ReadonlySet<string>;
  /** Device and inode of a file with several names → the name it was first written under. */
  readonly #links = new Map<string, ByteName>();
  /** Directories that may be entered from the root's own file system, as DEVICE:INODE. */
  readonly #mounts: { device: bigint; entered: ReadonlySet<string> } | undefined;
  readonly #chunk = Buffer.allocUnsafe(chunkSize);
  readonly #levels: Level[] = [];

  constructor(root: Root, options: TarOutOptions) {
    this.#options = options;
    this.#leaveOut = new Set(options.layer?.leaveOut.map(nameOf));
    if (options.mounts) this.#mounts = mountsToEnter(root, options.mounts);
  }

  #entryOf(step: Pick<Step, 'stats'>, name: ByteName): TarEntry {
    return entryOf(step, name, this.#options.owners);
  }

  *write(steps: Iterable<Step>): Generator<Buffer> {
    for (const step of steps) {
      const above = this.#levels.at(-1);
      if (step.kind === 'after') this.#levels.pop();
      else {
        const name = above ? joined(above.prefix, step.name) : nameOf(this.#options.entryName);
        if (step.kind === 'before') yield* this.#directory(step, name, above);
        else yield* this.#other(step, name);
      }
    }
  }

  *#directory(step: Step, name: ByteName, above: Level | undefined): Generator<Buffer> {
    const { layer, bare, oneFileSystem } = this.#options;
    const prefix = bare && !above ? nameOf('') : joined(name, '/');
    const self = entryAt(step.fd, '.');
    if (!bare || above || layer)
      yield encodeHeader({ ...this.#entryOf(step, joined(name, '/')), xattrs: portableXattrs(self) });
    const { dev } = step.stats;
    this.#levels.push({ prefix, device: dev });
    step.skip =
      (oneFileSystem === true && dev !== this.#levels[0]?.device) || this.#isForeign(step.stats, above?.device);
    if (!step.skip && layer && isOpaque(self)) {
      yield encodeHeader({ ...this.#entryOf(step, joined(prefix, opaqueMarker)), type: 'file' });
    }
  }

  /**
   * Something is mounted here that was not asked for.
   * @param within the device of the directory above, if it is read
   */
  #isForeign({ dev, ino }: BigIntStats, within: bigint | undefined): boolean {
    if (!this.#mounts || within !== this.#mounts.device || dev === within) return false;
    return !this.#mounts.entered.has(`${dev}:${ino}`);
  }

  *#other(step: Step, name: ByteName): Generator<Buffer> {
    const { stats } = step;
    const path = entryAt(step.parent, step.name);
    if (stats.isSocket()) return;
    if (this.#options.layer && isWhiteout(stats)) {
      yield encodeHeader({ ...this.#entryOf(step, whiteoutName(name)), type: 'file', major: 0, minor: 0 });
      return;
    }
    if (this.#leaveOut.has(name) && stats.isFile() && stats.size === 0n) return;
    const key = `${stats.dev}:${stats.ino}`;
    const twin = this.#links.get(key);
    if (twin !== undefined) {
      yield encodeHeader({ ...this.#entryOf(step, name), type: 'link', linkName: twin });
      return;
    }
    if (stats.nlink > 1n) this.#links.set(key, name);
    if (stats.isFile()) yield* this.#file(path, step, name);
    else if (stats.isSymbolicLink()) yield* this.#symlink(path, step, name);
    else yield encodeHeader({ ...this.#entryOf(step, name), xattrs: portableXattrs(path) });
  }

  *#file(path: Buffer, step: Step, name: ByteName): Generator<Buffer> {
    const fd = openFile(path);
    // Between the look and the opening it went, or became something else.
    if (fd === undefined) return;
    try {
      // Or it has grown.
      const stats = fstatSync(fd, { bigint: true });
      const size = Number(stats.size);
      yield encodeHeader({ ...this.#entryOf({ ...step, stats }, name), size, xattrs: portableXattrs(path) });
      yield* this.#content(fd, size);
      yield paddingOf(size);
    } finally {
      closeSync(fd);
    }
  }

  *#symlink(path: Buffer, step: Step, name: ByteName): Generator<Buffer> {
    let linkName: ByteName;
    try {
      linkName = readlinkSync(path, 'latin1') as ByteName;
    } catch (error) {
      // It became something else: EINVAL.
      if (hasVanished(error) || errnoOf(error) === 'EINVAL') return;
      throw error;
    }
    yield encodeHeader({ ...this.#entryOf(step, name), linkName });
  }

  *#content(fd: number, size: number): Generator<Buffer> {
    for (let left = size; left > 0; ) {
      const length = Math.min(chunkSize, left);
      const read = readSync(fd, this.#chunk, 0, length, null);
      // Past the end of a file that shrank, zeros remain.
      if (read === 0) this.#chunk.fill(0, 0, length);
      const piece = this.#chunk.subarray(0, read || length);
      left -= piece.length;
      yield piece;
    }
  }
}

const entryTypes: Readonly<Record<FileType, EntryType>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'symlink',
  fifo: 'fifo',
  // Never written.
  socket: 'file',
  'character-device': 'character',
  'block-device': 'block',
};

function entryOf({ stats }: Pick<Step, 'stats'>, name: ByteName, owners: IdMaps | undefined): TarEntry {
  const facts = factsFromStats(stats);
  return {
    name,
    type: entryTypes[facts.type],
    size: 0,
    mode: facts.mode,
    uid: owners ? insideId(owners.users, facts.uid) : facts.uid,
    gid: owners ? insideId(owners.groups, facts.gid) : facts.gid,
    mtime: Number(stats.mtimeNs / 1_000_000_000n),
    linkName: nameOf(''),
    major: facts.device?.major ?? 0,
    minor: facts.device?.minor ?? 0,
    xattrs: new Map(),
  };
}

function whiteoutName(name: ByteName): ByteName {
  const at = name.lastIndexOf('/') + 1;
  return `${name.slice(0, at)}${whiteoutPrefix}${name.slice(at)}` as ByteName;
}

function mountsToEnter(root: Root, mounts: readonly string[]): { device: bigint; entered: ReadonlySet<string> } {
  const entered = new Set<string>();
  for (const path of mounts) {
    try {
      const { dev, ino } = identityIn(root, path);
      entered.add(`${dev}:${ino}`);
    } catch (error) {
      // A container may have unmounted it.
      if (!isClass(error, 'NotFound')) throw error;
    }
  }
  return { device: identityIn(root, '/').dev, entered };
}

function identityIn(root: Root, path: string): BigIntStats {
  const fd = root.open(path, O_PATH);
  try {
    return fstatSync(fd, { bigint: true });
  } finally {
    closeSync(fd);
  }
}
