import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Backoff } from '@cleat/protocol/async/backoff';
import { invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { SocketCarrier } from '../carriers/socket.js';
import type { ManifestEntry } from '../manifest.js';
import type { ProcessStatus } from '../service.js';
import type { Place, Source } from '../source.js';
import { Output } from './output.js';
import { readNote, serves, stop, writeNote } from './process.js';

/** A process that ends is started again almost at once, and within the longest, however often it has ended before. */
export const restartPauses = { firstMs: 100, longestMs: 10_000 };
/** A process that ran this long is not in a crash loop. */
const settledMs = 10_000;
const graceMs = 5_000;
/** How often an adopted process, which is no child of ours, is looked after. */
const watchMs = 1_000;
/** How often one that cannot be started, because what it needs does not answer, is tried again. */
const readyMs = 500;
/** `sun_path` has 108 bytes (unix(7)). */
const maxSocketPath = 107;

export interface SupervisorSettings {
  entry: ManifestEntry;
  /** The program that serves a module on a socket: `node HOST MODULE SOCKET` with `CLEAT_EXTENSION` as JSON. */
  hostPath: string;
  /** For sockets, notes and output; it must not outlive a boot. */
  directory: string;
  log: Logger;
  /** Resolves when all that it needs answers. @throws with the reason while it does not */
  ready?: (signal: AbortSignal) => Promise<void>;
}

/**
 * Keeps one extension running as a process of its own: restarts it when it dies, finds it again after the engine was
 * killed, replaces it when its module or configuration changed, and stops it with the engine.
 */
export class Supervisor implements Source {
  readonly #settings: SupervisorSettings;
  readonly #socket: string;
  readonly #notePath: string;
  readonly #fingerprint: string;
  #output: Output | undefined;
  #pid: number | undefined;
  #generation = 0;
  #crashes = 0;
  readonly #backoff = new Backoff(restartPauses);
  #startedAt = 0;
  #since = new Date();
  #lastEnd = '';
  #timer: NodeJS.Timeout | undefined;
  #starting: Promise<void> | undefined;
  #closed = false;
  readonly #stop = new AbortController();
  /** Why it is not started yet. */
  #waits: string | undefined;

  /** @throws InvalidParameter when the directory's path is too long for a socket */
  constructor(settings: SupervisorSettings) {
    this.#settings = settings;
    this.#socket = join(settings.directory, `${settings.entry.id}.sock`);
    this.#notePath = join(settings.directory, `${settings.entry.id}.json`);
    if (Buffer.byteLength(this.#socket) > maxSocketPath) {
      throw invalidParameter(`${this.#socket} is too long for a socket: choose a shorter --exec-root`);
    }
    this.#fingerprint = fingerprint(settings);
  }

  /** Starts it, or finds it running. Does not wait until it answers: the first call does. */
  start(): void {
    this.#starting ??= this.#begin()
      .catch((error) => {
        this.#settings.log.error('cannot start the extension', { error: messageOf(error) });
        this.#again();
      })
      .finally(() => {
        this.#starting = undefined;
      });
  }

  locate(): Place {
    const { entry } = this.#settings;
    return {
      id: `${this.#generation}`,
      origin: `${entry.origin} (${entry.id}, ${this.#socket})`,
      open: async () => {
        if (this.#waits !== undefined) throw unavailable(this.#waits);
        return new SocketCarrier({ type: 'unix', path: this.#socket });
      },
    };
  }

  patienceMs(): number {
    return this.#crashes > 3 ? 500 : 15_000;
  }

  process(): ProcessStatus {
    const restarts = Math.max(this.#generation - 1, 0);
    return { pid: this.#pid, since: this.#since, restarts, lastEnd: this.#lastEnd };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#starting;
    if (this.#pid !== undefined) await stop(this.#pid, this.#socket, graceMs);
    this.#pid = undefined;
    rmSync(this.#notePath, { force: true });
    rmSync(this.#socket, { force: true });
    this.#output?.close();
    this.#output = undefined;
  }

  async #begin(): Promise<void> {
    const { directory, log } = this.#settings;
    mkdirSync(dirname(this.#socket), { recursive: true, mode: 0o700 });
    const note = readNote(this.#notePath);
    const running = note !== undefined && serves(note.pid, this.#socket);
    const outputPath = join(directory, `${this.#settings.entry.id}.log`);
    if (note && running && note.fingerprint === this.#fingerprint) {
      this.#output ??= new Output(outputPath, false, log);
      this.#adopt(note.pid);
      return;
    }
    if (note && running) await stop(note.pid, this.#socket, graceMs);
    if (!(await this.#ready()) || this.#closed) return;
    this.#output ??= new Output(outputPath, true, log);
    this.#spawn(this.#output);
  }

  /** Whether it may be started now; otherwise it is tried again. */
  async #ready(): Promise<boolean> {
    try {
      await this.#settings.ready?.(this.#stop.signal);
      this.#waits = undefined;
      return true;
    } catch (error) {
      if (this.#closed) return false;
      const reason = messageOf(error);
      if (this.#waits !== reason) this.#settings.log.warn('the extension is not started yet', { reason });
      this.#waits = reason;
      this.#timer = setTimeout(() => this.start(), readyMs).unref();
      return false;
    }
  }

  #spawn(output: Output): void {
    const { entry, hostPath, log } = this.#settings;
    const child = spawn(process.execPath, [hostPath, entry.module, this.#socket], {
      // A session of its own: a Ctrl-C at the engine's terminal is the engine's to handle.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: { ...process.env, CLEAT_EXTENSION: JSON.stringify({ name: entry.driver, options: entry.options }) },
    });
    child.unref();
    child.once('error', (error) => {
      log.error('cannot start the extension', { error: messageOf(error) });
      this.#again();
    });
    if (child.pid === undefined) return;
    this.#begun(child.pid);
    writeNote(this.#notePath, { pid: child.pid, fingerprint: this.#fingerprint });
    child.once('exit', (code, signal) => this.#ended(signal ? `killed by ${signal}` : `exit code ${code}`));
  }

  #adopt(pid: number): void {
    this.#settings.log.debug('found the extension running', { pid });
    this.#begun(pid);
    const look = () => {
      if (serves(pid, this.#socket)) this.#timer = setTimeout(look, watchMs).unref();
      else this.#ended('it is gone');
    };
    look();
  }

  #begun(pid: number): void {
    this.#pid = pid;
    this.#generation++;
    this.#startedAt = Date.now();
    this.#since = new Date();
  }

  #ended(how: string): void {
    this.#pid = undefined;
    this.#since = new Date();
    this.#lastEnd = how;
    this.#output?.drain();
    if (this.#closed) return;
    if (Date.now() - this.#startedAt > settledMs) {
      this.#crashes = 0;
      this.#backoff.reset();
    }
    this.#settings.log.warn('the extension ended and is started again', { how });
    this.#again();
  }

  #again(): void {
    if (this.#closed) return;
    this.#crashes++;
    this.#timer = setTimeout(() => this.start(), this.#backoff.next()).unref();
  }
}

/** A hash of everything that makes a running process the wrong one when it changes. */
function fingerprint({ entry, hostPath }: SupervisorSettings): string {
  const changed = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  const facts = [process.version, hostPath, changed(hostPath), entry.module, changed(entry.module)];
  return createHash('sha256')
    .update(JSON.stringify([facts, entry.driver, entry.options]))
    .digest('hex');
}
