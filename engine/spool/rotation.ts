import { renameSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { reopenLog } from '@cleat/linux/conmon/control';
import { messageOf } from '@cleat/protocol/errors';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import { parseSize } from '@cleat/protocol/size';
import type { EngineConfig } from '../config.js';
import { sizeOf } from './files.js';
import type { SpoolFile } from './spool-file.js';

/** Growth is noticed sooner; this is for notices that were lost. */
const checkEveryMs = 1000;
const gatherMs = 50;
/** So many more files than asked for are kept for a driver that lags behind; then its backlog is dropped, and said so. */
const spareFiles = 8;

/** How much of a spool is kept. */
export interface Bound {
  /** A file that has grown beyond this is renamed. */
  bytes: number;
  /** How many renamed ones are kept. */
  files: number;
}

/** What the options `max-size` and `max-file` say; undefined: everything is kept, as Docker does. */
export function boundOf(info: LogInfo): Bound | undefined {
  const bytes = parseSize(info.Config?.['max-size'] ?? '');
  if (!bytes) return undefined;
  return { bytes, files: Math.max(1, Number.parseInt(info.Config?.['max-file'] ?? '1', 10) || 1) };
}

interface Watched {
  unlisten: () => void;
  file: SpoolFile;
  bound: Bound;
  /** The driver has all of the generations before this one. */
  delivered: () => number;
}

/**
 * Keeps spools within their bound: renames the file and makes conmon open a new one, by which not one line is lost
 * (conmon's own limit loses most of them).
 */
export class Rotation {
  readonly #config: EngineConfig;
  readonly #log: Logger;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { config: EngineConfig; log: Logger }) {
    this.#config = options.config;
    this.#log = options.log;
  }

  watch(containerId: string, file: SpoolFile, bound: Bound, delivered: () => number): void {
    this.unwatch(containerId);
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
      if (sizeOf(watched.file.files.path) > watched.bound.bytes) this.#rotate(containerId, watched);
    } catch (error) {
      this.#log.warn(`the output of a container cannot be rotated: ${messageOf(error)}`, { container: containerId });
    }
  }

  #rotate(containerId: string, { file, bound, delivered }: Watched): void {
    const { files } = file;
    const renamed = files.rotatedPath(files.current());
    renameSync(files.path, renamed);
    try {
      reopenLog(join(this.#config.execRoot, 'containers', containerId));
    } catch (error) {
      // Nobody writes any more, or not yet.
      renameSync(renamed, files.path);
      throw error;
    }
    file.wake();
    this.#prune(containerId, file, bound, delivered());
  }

  #prune(containerId: string, { files }: SpoolFile, bound: Bound, delivered: number): void {
    const rotated = files.rotated();
    for (const generation of rotated.slice(0, Math.max(0, rotated.length - bound.files))) {
      const isWaitedFor = generation >= delivered;
      if (isWaitedFor && rotated.length - rotated.indexOf(generation) <= bound.files + spareFiles) continue;
      const path = files.rotatedPath(generation);
      const { size } = statSync(path);
      unlinkSync(path);
      if (!isWaitedFor) continue;
      const message = 'the log driver is too far behind: output that it has not read was dropped';
      this.#log.warn(message, { container: containerId, bytes: size });
    }
  }
}
