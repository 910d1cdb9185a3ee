import { renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { reopenLog } from '@cleat/linux/conmon/control';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval, setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { LogsConfig } from '../config.js';
import type { Bound } from './bound.js';
import { type SpoolFiles, sizeOf } from './files.js';
import type { SpoolPosition } from './service.js';
import type { SpoolFile } from './spool-file.js';

/** Growth is noticed sooner; this is for notices that were lost. */
const checkEveryMs = 1000;
const gatherMs = 50;
/**
 * The output that waits for a slow driver is in at most about so many files per doubling of its size, however short
 * those are that `max-size` asks for.
 */
const backlogParts = 8;

interface Watched {
  unlisten: () => void;
  file: SpoolFile;
  bound: Bound['copy'];
  /** The position up to which the driver has, or will never get, the output; undefined: everything. */
  delivered: () => SpoolPosition | undefined;
}

/**
 * Keeps spools within their bound: renames the file and makes conmon open a new one, by which not one line is lost
 * (conmon's own limit loses most of them).
 */
export class Rotation {
  readonly #config: LogsConfig;
  readonly #log: Logger;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { config: LogsConfig; log: Logger }) {
    this.#config = options.config;
    this.#log = options.log;
  }

  watch(containerId: string, file: SpoolFile, bound: Bound['copy'], delivered: Watched['delivered']): void {
    this.unwatch(containerId);
    if (bound.bytes === Number.POSITIVE_INFINITY) return;
    let gathering: NodeJS.Timeout | undefined;
    const off = file.growth.listen(() => {
      gathering ??= setTimeout(() => {
        gathering = undefined;
        this.#check(containerId);
      }, gatherMs).unref();
    });
    const unlisten = () => {
      off();
      clearTimeout(gathering);
    };
    this.#watched.set(containerId, { unlisten, file, bound, delivered });
    this.#timer ??= setInterval(() => this.check(), checkEveryMs).unref();
  }

  unwatch(containerId: string): void {
    this.#watched.get(containerId)?.unlisten();
    this.#watched.delete(containerId);
    if (this.#watched.size === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const { unlisten } of this.#watched.values()) unlisten();
  }

  /** Looks at all of them now. */
  check(): void {
    for (const containerId of this.#watched.keys()) this.#check(containerId);
  }

  #check(containerId: string): void {
    const watched = this.#watched.get(containerId);
    if (!watched) return;
    try {
      if (this.#isDue(watched)) this.#rotate(containerId, watched);
    } catch (error) {
      this.#log.warn(`the output of a container cannot be rotated: ${messageOf(error)}`, { container: containerId });
    }
  }

  #isDue({ file: { files }, bound, delivered }: Watched): boolean {
    const size = sizeOf(files.path);
    if (size <= bound.bytes) return false;
    const position = delivered();
    return position === undefined || size > files.distance(position) / backlogParts;
  }

  #rotate(containerId: string, { file, bound, delivered }: Watched): void {
    const { files } = file;
    const renamed = files.rotatedPath(files.current());
    renameSync(files.path, renamed);
    try {
      reopenLog(join(this.#config.execRoot, 'containers', containerId));
    } catch (error) {
      // Nobody writes now, or not yet.
      renameSync(renamed, files.path);
      throw error;
    }
    file.wake();
    prune(files, bound.files, delivered()?.generation ?? Number.POSITIVE_INFINITY);
  }
}

/** Removes what is neither to be kept nor waited for. */
function prune(files: SpoolFiles, kept: number, delivered: number): void {
  const rotated = files.rotated();
  for (const generation of rotated.slice(0, Math.max(0, rotated.length - kept))) {
    if (generation < delivered) unlinkSync(files.rotatedPath(generation));
  }
}
