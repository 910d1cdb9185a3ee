import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '@cleat/protocol/async/deadline';
import { methodPath } from '@cleat/protocol/kinds/kind';
import { logKind } from '@cleat/protocol/kinds/log';
import { makeFifo } from '../fifo.js';
import type { Aliases } from './aliases.js';
import { meaningOf } from './body.js';
import type { RequestEvent } from './recording.js';

const [start, stop] = [methodPath(logKind, 'StartLogging'), methodPath(logKind, 'StopLogging')];

/** How long a driver may take to open what it was given, once it is told that nothing more comes, in ms. */
const openMs = 2_000;
const retryMs = 10;

/**
 * The FIFOs from which a log driver reads what containers print. Those of the recording are gone, so a replay makes its
 * own, which are empty: what went through them is not recorded.
 */
export class Fifos {
  /** By the recorded path. */
  readonly #writers = new Map<string, Writer>();
  #directory: string | undefined;
  #made = 0;

  /** Makes the one that a request names, and has it take the place of the recorded one. @throws Error when it cannot */
  async before(request: RequestEvent, aliases: Aliases): Promise<void> {
    const file = request.path === start ? fileOf(request) : undefined;
    if (file === undefined) return;
    this.#directory ??= mkdtempSync(join(tmpdir(), 'cleat-replay-'));
    const path = join(this.#directory, `${this.#made++}`);
    await makeFifo(path);
    this.#writers.get(file)?.close();
    this.#writers.set(file, new Writer(path));
    aliases.learn(file, path);
  }

  /** After StopLogging nothing more comes: the driver reads the end. */
  after(request: RequestEvent): void {
    const file = request.path === stop ? fileOf(request) : undefined;
    if (file !== undefined) void this.#writers.get(file)?.end();
  }

  close(): void {
    for (const writer of this.#writers.values()) writer.close();
    if (this.#directory) rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The writing end of a FIFO, from when its reader is there. */
class Writer {
  readonly #stop = new AbortController();
  readonly #opened: Promise<void>;
  #fd: number | undefined;

  constructor(path: string) {
    this.#opened = this.#open(path);
  }

  /** Lets a reader that comes late have its end, too: without a writer it would wait for one. */
  async end(): Promise<void> {
    await within(openMs, this.#opened, undefined);
    this.close();
  }

  close(): void {
    this.#stop.abort();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Never throws: what cannot be opened has no reader. */
  async #open(path: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        this.#fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
        return;
      } catch {
        // Nobody has it open for reading yet.
        await sleep(retryMs, undefined, { ref: false });
      }
    }
  }
}

function fileOf({ body }: RequestEvent): string | undefined {
  const value = meaningOf(body);
  const file: unknown = typeof value === 'object' && value !== null && 'File' in value ? value.File : undefined;
  return typeof file === 'string' ? file : undefined;
}
