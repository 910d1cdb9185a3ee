import { closeSync, openSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { messageOf, notImplemented } from '@cleat/protocol/errors';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import { boundOf } from './bound.js';
import { type CheckOptions, checkLogOptions } from './driver/check.js';
import { Drivers, type DriversDeps } from './driver/drivers.js';
import { readProgress } from './driver/progress.js';
import { DriverLogs } from './driver/read.js';
import { Leftovers } from './leftovers.js';
import { Rotation } from './rotation.js';
import type { DriverDeliveries, LogOutput, LogsQuery, Spool, SpoolChunk, SpoolPosition } from './service.js';
import { SpaceWatch } from './space.js';
import { SpoolFile } from './spool-file.js';

export type SpoolDeps = DriversDeps;

/** The driver that keeps nothing. */
const noDriver = 'none';

class ContainerSpools implements Spool {
  readonly #dataRoot: string;
  readonly #backlog: number;
  readonly #extensions: SpoolDeps['extensions'];
  readonly #files = new Map<string, SpoolFile>();
  readonly #drivers: Drivers;
  readonly #driverLogs: DriverLogs;
  readonly #log: Logger;
  readonly #leftovers: Leftovers;
  readonly #rotation: Rotation;
  readonly #space: SpaceWatch;

  constructor(deps: SpoolDeps) {
    this.#dataRoot = deps.config.dataRoot;
    this.#backlog = deps.config.logBacklog;
    this.#extensions = deps.extensions;
    this.#drivers = new Drivers(deps);
    const bound = deps.config.logBacklog;
    this.#leftovers = new Leftovers({ dataRoot: this.#dataRoot, drivers: this.#drivers, log: deps.log, bound });
    this.#driverLogs = new DriverLogs(deps.extensions);
    this.#log = deps.log;
    this.#rotation = new Rotation(deps);
    this.#space = new SpaceWatch(deps.config.dataRoot, deps.log);
  }

  pathFor(containerId: string): string {
    const path = join(this.#dataRoot, 'containers', containerId, 'spool');
    makeDirectories(dirname(path), 0o710);
    closeSync(openSync(path, 'a', 0o640));
    return path;
  }

  async logs(containerId: string, driver: string, info: LogInfo, query: LogsQuery): Promise<LogOutput> {
    const file = this.#file(containerId);
    const noCopy = driver === noDriver || /^(?:1|t|true)$/i.test(info.Config?.['cache-disabled'] ?? '');
    let note: string | undefined;
    if (driver !== noDriver) {
      const running = () => file.running;
      const trouble = () => this.#drivers.trouble(containerId);
      try {
        const chunks = await this.#driverLogs.read({ driver, info, query, running, trouble });
        if (chunks) return { chunks };
      } catch (error) {
        if (noCopy) throw error;
        note = `log driver ${driver} cannot be read (${messageOf(error)}): this is the engine's own copy`;
        this.#log.warn(note, { container: containerId });
      }
    }
    if (noCopy) throw notImplemented('configured logging driver does not support reading');
    return { chunks: file.logs(query), note };
  }

  async checkDriver(driver: string, config: Readonly<Record<string, string>>, options?: CheckOptions): Promise<void> {
    if (driver !== noDriver) await checkLogOptions(this.#extensions, driver, config, options);
  }

  stream(containerId: string, options: { from: SpoolPosition; signal: AbortSignal }): AsyncIterable<SpoolChunk> {
    return this.#file(containerId).stream(options);
  }

  position(containerId: string): SpoolPosition {
    return this.#file(containerId).files.end();
  }

  beginning(containerId: string): SpoolPosition {
    return this.#file(containerId).beginning();
  }

  wake(containerId: string): void {
    this.#files.get(containerId)?.wake();
  }

  startDriver(containerId: string, driver: string, info: LogInfo): Promise<void> {
    return this.#connect(containerId, driver, info, false);
  }

  resumeDriver(containerId: string, driver: string, info: LogInfo): void {
    this.#connect(containerId, driver, info, true).catch((error) =>
      this.#log.error(`log driver ${driver} cannot be connected: ${messageOf(error)}`, { container: containerId }),
    );
  }

  recover(): void {
    this.#leftovers.recover();
  }

  owes(containerId: string): boolean {
    const { files } = this.#file(containerId);
    const progress = readProgress(`${files.path}.driver`);
    return progress !== undefined && files.distance(progress.position) > 0;
  }

  warnings(): string[] {
    const lost = this.deliveries().flatMap(({ driver, dropped: { lines } }) =>
      lines > 0 ? [`log driver ${driver} did not get ${lines} lines, because it did not keep up`] : [],
    );
    const { warning } = this.#space;
    return [...lost, ...(warning ? [warning] : [])].map((text) => `WARNING: ${text}`);
  }

  deliveries(): DriverDeliveries[] {
    return this.#drivers.deliveries();
  }

  ended(containerId: string): void {
    this.#rotation.unwatch(containerId);
    const file = this.#file(containerId);
    file.ended();
    this.#drivers.ended(containerId);
    // Nobody asks most containers again; what is here is cheap to make.
    if (!file.followed) this.#files.delete(containerId);
  }

  delivered(containerId: string): Promise<void> {
    return this.#drivers.stopped(containerId);
  }

  began(containerId: string): void {
    this.#file(containerId).began();
  }

  async remove(containerId: string): Promise<void> {
    this.#rotation.unwatch(containerId);
    const file = this.#file(containerId);
    if (file.running) file.ended();
    this.#files.delete(containerId);
    const behind = await this.#drivers.remove(containerId);
    // A driver that writes its file beside the spool no longer has a place for it.
    if (behind && !behind.info.LogPath) await this.#leftovers.keep(containerId, file, behind);
    const paths = [
      file.files.path,
      `${file.files.path}.driver`,
      ...file.files.rotated().map((generation) => file.files.rotatedPath(generation)),
    ];
    await Promise.all(
      paths.map((path) =>
        unlink(path).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        }),
      ),
    );
  }

  async close(): Promise<void> {
    this.#rotation.close();
    this.#space.close();
    this.#driverLogs.close();
    await this.#drivers.close();
  }

  async #connect(id: string, driver: string, info: LogInfo, running: boolean): Promise<void> {
    if (info.LogPath) makeDirectories(dirname(info.LogPath), 0o700);
    const file = this.#file(id);
    const { copy, backlog } = boundOf(driver, info.Config, this.#backlog);
    this.#rotation.watch(id, file, copy, () => this.#drivers.delivered(id));
    if (driver === noDriver) return;
    // A plugin's whole name: by that one it is told apart from then on.
    const whole = this.#extensions.nameOf(logKind.name, driver);
    await this.#drivers.start({ id, driver: whole, info, file, bound: backlog, running });
  }

  #file(containerId: string): SpoolFile {
    let file = this.#files.get(containerId);
    if (!file) {
      file = new SpoolFile(join(this.#dataRoot, 'containers', containerId, 'spool'));
      this.#files.set(containerId, file);
    }
    return file;
  }
}

/** Opens the room; nothing runs and nothing is read until somebody asks. */
export function openSpool(deps: SpoolDeps): Spool {
  return new ContainerSpools(deps);
}
