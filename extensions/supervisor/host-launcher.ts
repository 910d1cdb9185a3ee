import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { invalidParameter } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { ManifestEntry } from '../manifest.js';
import type { Launched, Launcher } from './launcher.js';
import { writeNoted } from './note.js';
import { Output } from './output.js';
import { isListening, readNote, serversOf, serves, stop } from './process.js';

const graceMs = 5_000;
/** How often an adopted process, which is no child of ours, is looked after: a read of a small file of the kernel's. */
const watchMs = 200;
/** `sun_path` has 108 bytes (unix(7)). */
const maxSocketPath = 107;

export interface HostLauncherSettings {
  entry: ManifestEntry;
  /** The program that serves a module on a socket: `node HOST MODULE SOCKET` with `CLEAT_EXTENSION` as JSON. */
  hostPath: string;
  /** For the socket, the note and the output; it must not outlive a boot. */
  directory: string;
  log: Logger;
}

/** Runs a module as a process of this host, and finds the one that a former engine started by the note that it left. */
export class HostLauncher implements Launcher {
  readonly socket: string;
  readonly #settings: HostLauncherSettings;
  readonly #notePath: string;
  readonly #outputPath: string;
  readonly #fingerprint: string;
  #output: Output | undefined;
  #watch: NodeJS.Timeout | undefined;

  /** @throws InvalidParameter when the directory's path is too long for a socket */
  constructor(settings: HostLauncherSettings) {
    const { directory, entry } = settings;
    this.#settings = settings;
    this.socket = join(directory, `${entry.id}.sock`);
    this.#notePath = join(directory, `${entry.id}.json`);
    this.#outputPath = join(directory, `${entry.id}.log`);
    if (Buffer.byteLength(this.socket) > maxSocketPath) {
      throw invalidParameter(`${this.socket} is too long for a socket: choose a shorter --exec-root`);
    }
    this.#fingerprint = fingerprint(settings);
  }

  async launch(): Promise<Launched> {
    const { entry, hostPath, directory, log } = this.#settings;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    await this.#endUnnoted();
    this.#output ??= new Output(this.#outputPath, true, log);
    const output = this.#output;
    const child = spawn(process.execPath, [hostPath, entry.module, this.socket], {
      // A session of its own: a Ctrl-C at the engine's terminal is the engine's to handle.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: { ...process.env, CLEAT_EXTENSION: JSON.stringify({ name: entry.driver, options: entry.options }) },
    });
    child.unref();
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => {
        this.#output?.drain();
        resolve(signal ? `killed by ${signal}` : `exit code ${code}`);
      });
    });
    // Rejects with what `error` brings.
    if (child.pid === undefined) await once(child, 'spawn');
    const { pid = 0 } = child;
    child.on('error', (error) => log.warn('cannot signal the extension', { error: error.message }));
    writeNoted(this.#notePath, { pid, fingerprint: this.#fingerprint });
    return { pid, ended, stop: (ms) => stop(pid, this.socket, ms) };
  }

  /** An engine may be killed when it has started a process and not yet noted which: that one would hold the socket for ever. */
  async #endUnnoted(): Promise<void> {
    if (!(await isListening(this.socket))) return;
    const { entry, log } = this.#settings;
    for (const pid of serversOf(entry.module, this.socket)) {
      log.warn('ending a process that a killed engine had started for this extension', { pid });
      await stop(pid, this.socket, graceMs);
    }
  }

  async adopt(): Promise<Launched | undefined> {
    const note = readNote(this.#notePath);
    if (!note || !serves(note.pid, this.socket)) return undefined;
    const { pid } = note;
    if (note.fingerprint !== this.#fingerprint) {
      await stop(pid, this.socket, graceMs);
      return undefined;
    }
    this.#output ??= new Output(this.#outputPath, false, this.#settings.log);
    const ended = new Promise<string>((resolve) => {
      const look = () => {
        if (serves(pid, this.socket)) this.#watch = setTimeout(look, watchMs).unref();
        else {
          this.#output?.drain();
          resolve('it is gone');
        }
      };
      look();
    });
    return { pid, ended, stop: (ms) => stop(pid, this.socket, ms) };
  }

  async close(): Promise<void> {
    clearTimeout(this.#watch);
    rmSync(this.#notePath, { force: true });
    rmSync(this.socket, { force: true });
    this.#output?.close();
    this.#output = undefined;
  }
}

/** A hash of everything that makes a running process the wrong one when it changes. */
function fingerprint({ entry, hostPath }: HostLauncherSettings): string {
  const changed = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  const facts = [process.version, hostPath, changed(hostPath), entry.module, changed(entry.module)];
  return createHash('sha256')
    .update(JSON.stringify([facts, entry.driver, entry.options]))
    .digest('hex');
}
