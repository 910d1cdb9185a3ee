import { open } from 'node:fs/promises';
import { cancelled } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { UnpackProcess } from './process.js';
import type { UnpackDone } from './protocol.js';

export type { UnpackDone } from './protocol.js';

/** Bounds for what nobody declares: a decompression bomb, an archive of only names. */
export const defaultBounds = { maxBytes: 256 * 1024 ** 3, maxEntries: 20_000_000 };

/** For a file that is still written: says that there is more of it. One reader listens. */
export class Growth {
  #isWhole = false;
  #listener: (isWhole: boolean) => void = () => {};

  get isWhole(): boolean {
    return this.#isWhole;
  }

  tell(isWhole: boolean): void {
    this.#isWhole ||= isWhole;
    this.#listener(this.#isWhole);
  }

  listen(listener: (isWhole: boolean) => void): void {
    this.#listener = listener;
  }
}

export interface UnpackRequest {
  /** The archive, compressed or not; under our own root. It may be renamed, but not cut meanwhile. */
  archive: string;
  /** The archive is not whole yet: it is read as it grows. */
  growth?: Growth;
  /** An existing empty directory under our own root. */
  target: string;
  /** A path that is free, for the outline of the archive. */
  outline?: string;
  bounds?: { maxBytes: number; maxEntries: number };
  /** Hears how many bytes of the archive were read. */
  onRead?: (bytes: number) => void;
  signal?: AbortSignal;
}

/** As many layers are unpacked at once, and others often follow. */
const maxIdle = 2;
const idleMs = 2_000;

/**
 * Unpacks archives in processes of their own (see `child.ts`). To start one takes longer than to unpack a small layer:
 * one that has done its work waits a moment for the next.
 */
export class Unpackers {
  readonly #idle: UnpackProcess[] = [];

  /**
   * The caller removes what a failure leaves in `target`: nobody writes there now.
   * @throws CleatError InvalidParameter for a damaged or hostile archive, Unavailable for a missing decompressor,
   * Cancelled, System
   */
  async unpack({ archive, growth, target, outline, bounds, onRead, signal }: UnpackRequest): Promise<UnpackDone> {
    if (signal?.aborted) throw cancelled('unpacking was cancelled');
    await using file = await open(archive, 'r');
    const worker = this.#take();
    let isDone = false;
    const stop = (): void => void worker.kill();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      growth?.listen((isWhole) => worker.tell(isWhole));
      const order = {
        archive: `/proc/${process.pid}/fd/${file.fd}`,
        isWhole: growth?.isWhole ?? true,
        target,
        ...(outline !== undefined && { outline }),
      };
      const done = await worker.unpack({ ...order, ...(bounds ?? defaultBounds) }, onRead);
      isDone = true;
      return done;
    } catch (error) {
      throw signal?.aborted ? cancelled('unpacking was cancelled') : error;
    } finally {
      growth?.listen(() => {});
      signal?.removeEventListener('abort', stop);
      if (isDone && !signal?.aborted) this.#rest(worker);
      else await worker.kill();
    }
  }

  #take(): UnpackProcess {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) if (!idle.isDead) return idle;
    return new UnpackProcess();
  }

  #rest(worker: UnpackProcess): void {
    if (this.#idle.length >= maxIdle) {
      void worker.kill();
      return;
    }
    this.#idle.push(worker);
    setTimeout(() => {
      const at = this.#idle.indexOf(worker);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      void worker.kill();
    }, idleMs).unref();
  }
}
