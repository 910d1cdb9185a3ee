import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncDirectory, syncFile } from '@cleat/linux/files/durable';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { allocate } from '@cleat/linux/syscall/files';

/** One write of a transaction; without a text: the key is removed. */
export type Change = readonly [collection: string, key: string, text?: string];

/** Where a generation begins: its number, and the checksum that its first frame continues. */
export interface LogStart {
  readonly generation: number;
  readonly seed: number;
}

/** Checksum, length of the payload, and the session that wrote it. */
const headerBytes = 12;

/**
 * Makes both files of the log where there are none, with `reserve` bytes each. Before anything else of a store, so that
 * a store without them is one that lost them.
 */
export function reserveLog(directory: string, reserve: number): void {
  for (const name of names) closeSync(openFile(directory, name, reserve));
  syncDirectory(directory);
}

const names = ['redo-0', 'redo-1'] as const;

/**
 * The changes since the last checkpoint: frames, one for each transaction, in one of two files that take turns.
 * A frame is whole, or it is not there: its checksum continues that of the frame before it, across generations. So
 * reading ends at the first frame that a power cut tore, and never takes an older one behind it for new.
 *
 * Both files are reserved in full when they are made: on a full disk there is room for what must still be written
 * (a container's end, a removal), and a sync does not have to write the file's size.
 */
export class RedoLog {
  readonly #files: readonly [number, number];
  readonly #session = randomBytes(4).readUInt32LE();
  #generation: number;
  #checksum: number;
  #end = 0;
  #start: LogStart;
  /** Files with bytes that may not be on disk. */
  readonly #dirty = new Set<number>();

  /**
   * Opens both files, or makes them with `reserve` bytes each, and reads what comes after `start`.
   * @param take hears the changes of each frame in order, and the generation that it belongs to
   */
  constructor(
    directory: string,
    start: LogStart,
    reserve: number,
    take: (changes: Change[], generation: number) => void,
  ) {
    this.#files = [openFile(directory, names[0], reserve), openFile(directory, names[1], reserve)];
    syncDirectory(directory);
    this.#generation = start.generation;
    this.#checksum = start.seed;
    this.#start = start;
    this.#replay((changes) => take(changes, this.#generation));
    // Was the next generation begun, while a checkpoint of this one was under way?
    const end = this.#end;
    this.turn();
    this.#replay((changes) => take(changes, this.#generation));
    if (this.#end > 0) return;
    this.#generation--;
    this.#start = start;
    this.#end = end;
  }

  /** Bytes of the present generation. */
  get size(): number {
    return this.#end;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Where the present generation begins. */
  get start(): LogStart {
    return this.#start;
  }

  /** Appends a frame. It outlives the process when this returns, and a power cut once {@link sync} has. */
  append(changes: readonly Change[]): void {
    const payload = Buffer.from(JSON.stringify(changes));
    const frame = Buffer.allocUnsafe(headerBytes + payload.length);
    frame.writeUInt32LE(payload.length, 4);
    frame.writeUInt32LE(this.#session, 8);
    payload.copy(frame, headerBytes);
    const checksum = crc32(frame.subarray(4), this.#checksum);
    frame.writeUInt32LE(checksum, 0);
    const file = this.#file;
    this.#dirty.add(file);
    for (let done = 0; done < frame.length; ) {
      const count = writeSync(file, frame, done, frame.length - done, this.#end + done);
      if (count === 0) throw new Error('nothing could be written');
      done += count;
    }
    this.#checksum = checksum;
    this.#end += frame.length;
  }

  /**
   * Goes on in the other file. What is in it must be in the checkpoint.
   * @returns where the new generation begins: what a checkpoint of everything before it notes
   */
  turn(): LogStart {
    this.#generation++;
    this.#end = 0;
    this.#start = { generation: this.#generation, seed: this.#checksum };
    return this.#start;
  }

  /** Resolves when what was appended so far is on disk. */
  async sync(): Promise<void> {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    try {
      // In order: a generation counts only with all of the one before it.
      for (const file of dirty) await syncFile(file);
    } catch (error) {
      const later = [...this.#dirty];
      this.#dirty.clear();
      for (const file of [...dirty, ...later]) this.#dirty.add(file);
      throw error;
    }
  }

  close(): void {
    for (const file of this.#files) closeSync(file);
  }

  get #file(): number {
    return this.#files[this.#generation % 2 === 0 ? 0 : 1];
  }

  #replay(take: (changes: Change[]) => void): void {
    const file = this.#file;
    const size = fstatSync(file).size;
    const header = Buffer.alloc(headerBytes);
    while (this.#end + headerBytes <= size) {
      if (readSync(file, header, 0, headerBytes, this.#end) < headerBytes) return;
      const length = header.readUInt32LE(4);
      if (length === 0 || this.#end + headerBytes + length > size) return;
      const frame = Buffer.alloc(headerBytes + length);
      if (readSync(file, frame, 0, frame.length, this.#end) < frame.length) return;
      const checksum = crc32(frame.subarray(4), this.#checksum);
      if (checksum !== frame.readUInt32LE(0)) return;
      take(JSON.parse(frame.toString('utf8', headerBytes)) as Change[]);
      this.#checksum = checksum;
      this.#end += frame.length;
    }
  }
}

function openFile(directory: string, name: string, reserve: number): number {
  const file = openSync(join(directory, name), constants.O_RDWR | constants.O_CREAT, 0o600);
  if (fstatSync(file).size >= reserve) return file;
  try {
    allocate(file, reserve);
    fsyncSync(file);
  } catch (error) {
    // A full disk, or a file system that cannot reserve: then the file grows as it is written.
    if (!['ENOSPC', 'EDQUOT', 'ENOTSUP', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw error;
  }
  return file;
}
