import { detectCompression } from '@cleat/linux/archive/compression';
import type { StoredBlob } from '../../content/blobs.js';
import type { Lease } from '../../content/leases.js';
import { shortId } from '../../ids.js';
import type { Context } from '../context.js';
import { bar, type Emit } from '../progress.js';

/** No image has more; what else looks like a layer waits until it is known to be one. */
const maxEarly = 125;
/** Smaller blobs are configurations and manifests, or no layers that are worth a bar. */
const smallestBar = 10 * 1024;

/**
 * Unpacks the layers of an archive while the rest of it still comes: which files are layers is said at its end only, but
 * it shows. What turns out to be none is removed with its lease.
 */
export class EarlyLayers implements AsyncDisposable {
  readonly #context: Context;
  readonly #lease: Lease;
  readonly #emit: Emit;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #work: Promise<void>[] = [];

  constructor(context: Context, lease: Lease, signal: AbortSignal, emit: Emit) {
    this.#context = context;
    this.#lease = lease;
    this.#emit = emit;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  /** Hears of the bytes of a file as they come; shows them as the bar of a layer. */
  bar(name: string, size: number): ((bytes: number) => void) | undefined {
    const [, blob] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name) ?? [];
    const [, old] = /^([^/]+)\/layer\.tar$/.exec(name) ?? [];
    const id = old ?? (blob !== undefined && size >= smallestBar ? blob : undefined);
    if (id === undefined || this.#context.layers.get(`sha256:${id}`)) return undefined;
    return bar(this.#emit, shortId(id), 'Loading layer', size);
  }

  /** A file that is here now. @param head how it begins */
  take(blob: StoredBlob, head: Buffer): void {
    // Of a plain layer the digest is its name.
    if (this.#work.length >= maxEarly || !isLayer(head) || this.#context.layers.get(blob.digest)) return;
    const { layers, unpacks } = this.#context;
    const work = unpacks.run(async () => {
      if (!this.#signal.aborted) await layers.add({ blob, lease: this.#lease, signal: this.#signal });
    });
    // Whoever needs it tries again, and tells what is wrong.
    this.#work.push(work.then(undefined, () => {}));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#work);
  }
}

/** A tar, or something compressed, which in an archive of images is one. */
function isLayer(head: Buffer): boolean {
  return head.toString('latin1', 257, 262) === 'ustar' || detectCompression(head) !== 'none';
}
