import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { isClass } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { type Header, type Pack, pack } from 'tar-stream';
import { errnoOf } from '../syscall/errno.js';
import { getXattr, O_PATH } from '../syscall/files.js';
import { type FileFacts, factsFromStats } from './facts.js';
import { entryPath, type Root } from './root.js';

export interface TarOutOptions {
  /** The topmost entry's name; entries below it are `NAME/…`. */
  entryName: string;
  /** Leave out what other file systems are mounted below. */
  oneFileSystem?: boolean;
  /**
   * Of what is mounted on the root's own file system, only these directories are entered: a container's volumes, but
   * not its /proc and /dev. Default: all.
   */
  mounts?: readonly string[];
  /**
   * The path is overlayfs' upper directory, and the tar is to be an image layer: whiteouts become `.wh.NAME`, opaque
   * directories carry `.wh..wh..opq` (OCI image spec, layer). Entries named in `leaveOut` (`etc/hosts`) are left out
   * while they are empty.
   */
  layer?: { leaveOut: readonly string[] };
}

const chunkSize = 256 * 1024;

/**
 * Writes a tar of `path` inside a root. What vanishes meanwhile is left out, a file that shrinks is filled up with
 * zeros; sockets are left out, as tar has no place for them. No symlink is followed but those that lead to `path`.
 * @returns the tar stream, and a promise that settles when its last entry is written
 */
export function tarOut(root: Root, path: string, options: TarOutOptions): { stream: Pack; finished: Promise<void> } {
  const stream = owned(pack());
  const writer = new TarWriter(stream, options);
  const finished = (async () => {
    const [parent, name] = root.withParent(path, (fd, last) => [
      openSync(entryPath(fd, '.'), constants.O_RDONLY),
      last,
    ]);
    try {
      if (options.mounts) writer.enterOnly(root, options.mounts);
      await writer.add(parent, name, options.entryName);
    } finally {
      closeSync(parent);
    }
    stream.finalize();
  })();
  return { stream, finished };
}

class TarWriter {
  readonly #stream: Pack;
  readonly #oneFileSystem: boolean;
  readonly #layer: boolean;
  readonly #leaveOut: ReadonlySet<string>;
  /** Device and inode of a file with several names → the name it was first written under. */
  readonly #links = new Map<string, string>();
  #device: bigint | undefined;
  /** What may be entered from the root's own file system, as DEVICE:INODE. */
  #mounts: { device: bigint; entered: ReadonlySet<string> } | undefined;

  constructor(stream: Pack, { oneFileSystem, layer, entryName }: TarOutOptions) {
    this.#stream = stream;
    this.#oneFileSystem = oneFileSystem === true;
    this.#layer = layer !== undefined;
    this.#leaveOut = new Set(layer?.leaveOut.map((name) => `${entryName}/${name}`));
  }

  enterOnly(root: Root, mounts: readonly string[]): void {
    const entered = new Set<string>();
    for (const path of mounts) {
      try {
        const { device, inode } = identityIn(root, path);
        entered.add(`${device}:${inode}`);
      } catch (error) {
        // A container may have unmounted it.
        if (!isClass(error, 'NotFound')) throw error;
      }
    }
    this.#mounts = { device: identityIn(root, '/').device, entered };
  }

  async add(directory: number, name: string, tarName: string, within?: bigint): Promise<void> {
    const path = entryPath(directory, name);
    const stats = lstatSync(path, { bigint: true });
    const facts = factsFromStats(stats);
    this.#device ??= stats.dev;
    const header = headerOf(tarName, facts, stats.mtimeNs);
    if (facts.type === 'socket') return;
    if (this.#layer && isWhiteout(facts)) return this.#write({ ...header, name: whiteoutName(tarName), type: 'file' });
    if (this.#leaveOut.has(tarName) && facts.type === 'file' && facts.size === 0) return;
    if (facts.type === 'directory') return this.#addDirectory(path, header, stats, within);
    const key = `${stats.dev}:${stats.ino}`;
    const twin = this.#links.get(key);
    if (twin !== undefined) return this.#write({ ...header, type: 'link', linkname: twin });
    if (stats.nlink > 1n) this.#links.set(key, tarName);
    if (facts.type === 'file') return this.#addFile(path, header);
    if (facts.type === 'symlink') return this.#write({ ...header, type: 'symlink', linkname: readlinkSync(path) });
    const device = { devmajor: facts.device?.major ?? 0, devminor: facts.device?.minor ?? 0 };
    return this.#write({ ...header, ...device, type: facts.type });
  }

  async #addDirectory(path: string, header: Header, stats: BigIntStats, within: bigint | undefined): Promise<void> {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      await this.#write({ ...header, name: `${header.name}/`, type: 'directory' });
      if (this.#oneFileSystem && stats.dev !== this.#device) return;
      if (this.#isForeign(stats, within)) return;
      if (this.#layer && isOpaque(`/proc/self/fd/${fd}/.`)) {
        await this.#write({ ...header, name: `${header.name}/.wh..wh..opq`, type: 'file' });
      }
      for (const name of readdirSync(`/proc/self/fd/${fd}`).sort()) {
        try {
          await this.add(fd, name, `${header.name}/${name}`, stats.dev);
        } catch (error) {
          // It vanished between the listing and the look; a running container may do that.
          if (errnoOf(error) !== 'ENOENT') throw error;
        }
      }
    } finally {
      closeSync(fd);
    }
  }

  /** Something is mounted here that was not asked for. @param within the device of the directory above, if it is read */
  #isForeign({ dev, ino }: BigIntStats, within: bigint | undefined): boolean {
    if (!this.#mounts || within !== this.#mounts.device || dev === within) return false;
    return !this.#mounts.entered.has(`${dev}:${ino}`);
  }

  async #addFile(path: string, header: Header): Promise<void> {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      // Between the look and the opening it may have become something else, or grown.
      const stats = fstatSync(fd);
      if (!stats.isFile()) return;
      await this.#writeContent({ ...header, type: 'file', size: stats.size }, fd, stats.size);
    } finally {
      closeSync(fd);
    }
  }

  #writeContent(header: Header, fd: number, size: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry = this.#stream.entry(header, (error) => (error ? reject(error) : resolve()));
      let left = size;
      const pump = () => {
        while (left > 0) {
          const chunk = Buffer.alloc(Math.min(chunkSize, left));
          // Past the end of a file that shrank, zeros remain.
          readSync(fd, chunk, 0, chunk.length, null);
          left -= chunk.length;
          if (!entry.write(chunk)) {
            entry.once('drain', pump);
            return;
          }
        }
        entry.end(null);
      };
      try {
        pump();
      } catch (error) {
        reject(error);
      }
    });
  }

  #write(header: Header): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.entry({ ...header, size: 0 }, '', (error) => (error ? reject(error) : resolve()));
    });
  }
}

function identityIn(root: Root, path: string): { device: bigint; inode: bigint } {
  const fd = root.open(path, O_PATH);
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return { device: dev, inode: ino };
  } finally {
    closeSync(fd);
  }
}

/** overlayfs marks what was deleted by a character device 0:0. */
function isWhiteout(facts: FileFacts): boolean {
  return facts.type === 'character-device' && facts.device?.major === 0 && facts.device.minor === 0;
}

function whiteoutName(name: string): string {
  const slash = name.lastIndexOf('/');
  return `${name.slice(0, slash + 1)}.wh.${name.slice(slash + 1)}`;
}

function isOpaque(path: string): boolean {
  try {
    return getXattr(path, 'trusted.overlay.opaque').toString() === 'y';
  } catch {
    // No such attribute.
    return false;
  }
}

/** The largest number that fits into the octal field of an owner. */
const maxOwner = 0o777777;
const maxTime = 2n ** 31n - 1n;

/** The entry's header; what its fields cannot hold goes into PAX records. Times are in seconds, as Docker's. */
function headerOf(name: string, facts: FileFacts, mtimeNs: bigint): Header {
  const seconds = mtimeNs / 1_000_000_000n;
  const fits = seconds >= 0n && seconds <= maxTime;
  const pax: Record<string, string> = {};
  if (facts.uid > maxOwner) pax.uid = String(facts.uid);
  if (facts.gid > maxOwner) pax.gid = String(facts.gid);
  if (!fits) pax.mtime = String(seconds);
  return {
    name,
    size: 0,
    // The library takes a mode of 0 for a missing one, and keeps only the lower twelve bits.
    mode: facts.mode | 0o10000,
    mtime: new Date(fits ? Number(seconds) * 1000 : 0),
    type: 'file',
    linkname: '',
    uid: facts.uid > maxOwner ? 0 : facts.uid,
    gid: facts.gid > maxOwner ? 0 : facts.gid,
    uname: '',
    gname: '',
    devmajor: 0,
    devminor: 0,
    ...(Object.keys(pax).length > 0 ? { pax } : {}),
  };
}
