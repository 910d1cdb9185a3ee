import { readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { writeFileDurably } from '@cleat/linux/files/durable';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { messageOf } from '@cleat/protocol/errors';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import type { Drivers } from './driver/drivers.js';
import { nothing, readProgress, sum } from './driver/progress.js';
import { exists, sizeOf } from './files.js';
import { SpoolReader } from './reader.js';
import { SpoolFile } from './spool-file.js';

const countAtOnce = 4 * 1024 * 1024;

/** The note in a directory of ours. */
interface Note {
  driver: string;
  info: LogInfo;
}

/**
 * The output of containers that were removed before their log drivers had all of it: kept in directories of its own,
 * and delivered in the background, also by the next engine. All of it together has the bound that one container has.
 */
export class Leftovers {
  readonly #directory: string;
  readonly #drivers: Drivers;
  readonly #log: Logger;
  readonly #bound: number;

  constructor(options: { dataRoot: string; drivers: Drivers; log: Logger; bound: number }) {
    this.#directory = join(options.dataRoot, 'undelivered');
    this.#drivers = options.drivers;
    this.#log = options.log;
    this.#bound = options.bound;
  }

  /** Takes over the spool of a container that nobody touches now. */
  async keep(id: string, { files }: SpoolFile, note: Note): Promise<void> {
    const directory = join(this.#directory, id);
    makeDirectories(directory, 0o700);
    const rotated = files.rotated().map((generation) => files.rotatedPath(generation));
    for (const path of [files.path, `${files.path}.driver`, ...rotated]) {
      if (exists(path)) renameSync(path, join(directory, path.slice(path.lastIndexOf('/') + 1)));
    }
    writeFileDurably(join(directory, 'note.json'), JSON.stringify(note));
    this.#deliver(id, note);
    await this.#keepBound();
  }

  /** The directories that a former engine left. */
  recover(): void {
    for (const id of this.#all()) {
      try {
        this.#deliver(id, JSON.parse(readFileSync(join(this.#directory, id, 'note.json'), 'utf8')) as Note);
      } catch (error) {
        // An engine that was killed while it moved the files.
        this.#log.warn(`undelivered output cannot be read and is removed: ${messageOf(error)}`, { container: id });
        this.#remove(id);
      }
    }
  }

  #deliver(id: string, { driver, info }: Note): void {
    const file = this.#file(id);
    this.#drivers
      .start({ id, driver, info, file, bound: this.#bound, running: true })
      .then(() => this.#drivers.ended(id))
      .then(() => this.#drivers.finished(id))
      .then(() => {
        const progress = readProgress(`${file.files.path}.driver`);
        if (progress && file.files.distance(progress.position) === 0) this.#remove(id);
      })
      .catch((error) => this.#log.error(`undelivered output: ${messageOf(error)}`, { container: id }));
  }

  /** If it is too much, the output of the container that was removed first goes. */
  async #keepBound(): Promise<void> {
    const all = this.#all().map((id) => ({
      id,
      bytes: this.#bytes(id),
      at: statSync(join(this.#directory, id)).mtimeMs,
    }));
    all.sort((one, other) => one.at - other.at);
    let total = all.reduce((bytes, one) => bytes + one.bytes, 0);
    for (const { id, bytes } of all) {
      if (total <= this.#bound) return;
      total -= bytes;
      await this.#drop(id);
    }
  }

  async #drop(id: string): Promise<void> {
    const driver = this.#drivers.driverOf(id);
    await this.#drivers.cut(id);
    const { files } = this.#file(id);
    const position = readProgress(`${files.path}.driver`)?.position;
    if (driver === undefined || position === undefined) return;
    const reader = new SpoolReader(files, position);
    let dropped = nothing;
    for (let more = nothing; ; dropped = sum(dropped, more)) {
      more = reader.skip(countAtOnce);
      if (more.bytes === 0 && more.lines === 0) break;
      // Others have their turn: this may be a lot.
      await nextTurn();
    }
    reader.close();
    this.#drivers.count(driver, id, dropped);
    this.#remove(id);
  }

  #file(id: string): SpoolFile {
    return new SpoolFile(join(this.#directory, id, 'spool'));
  }

  #bytes(id: string): number {
    const directory = join(this.#directory, id);
    return readdirSync(directory).reduce((bytes, name) => bytes + sizeOf(join(directory, name)), 0);
  }

  #all(): string[] {
    return exists(this.#directory) ? readdirSync(this.#directory) : [];
  }

  #remove(id: string): void {
    rmSync(join(this.#directory, id), { recursive: true, force: true });
  }
}
