import { detectCompression } from '@cleat/linux/archive/compression';
import { shared } from '@cleat/protocol/async/shared-signal';
import { bar, type Emit } from '../../async/progress.js';
import type { ArrivingFile, EarlyReader } from '../../content/archive-files.js';
import type { StoredBlob } from '../../content/blobs.js';
import type { Lease } from '../../content/leases.js';
import { shortId } from '../../ids.js';
import type { Context } from '../context.js';

/** No image has more; what else looks like a layer waits until it is known to be one. */
const maxEarly = 125;
/** Smaller blobs are configurations and manifests, or no layers that are worth a bar. */
const smallestBar = 10 * 1024;

/** The parts for unpacking. */
type Parts = Pick<Context, 'arrivals' | 'layers' | 'unpacks'>;

/**
 * Unpacks the layers of an archive while they and the rest of it still come: which files are layers is said at its end
 * only, but it shows. What turns out to be none is removed with its lease.
 */
export class EarlyLayers implements AsyncDisposable, EarlyReader {
  readonly #context: Parts;
  readonly #lease: Lease;
  readonly #emit: Emit;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #work: Promise<void>[] = [];

  constructor(context: Parts, lease: Lease, signal: AbortSignal, emit: Emit) {
    this.#context = context;
    this.#lease = lease;
    this.#emit = emit;
    this.#signal = shared(AbortSignal.any([signal, this.#stop.signal]));
  }

  /** A file that begins. */
  expect(name: string, size: number): ArrivingFile {
    const show = this.#bar(name, size);
    let whole: ((blob: StoredBlob) => void) | undefined;
    let grew: (() => void) | undefined;
    return {
      grew: (bytes, path, head) => {
        show?.(bytes);
        if (grew) grew();
        else if (bytes < size && isLayer(head) && this.#mayBegin(size)) [grew, whole] = this.#begin(path);
      },
      take: (blob, head) => {
        if (whole) whole(blob);
        else if (isLayer(head)) this.#add(blob);
      },
    };
  }

  /** Shows the bytes of a file as the bar of a layer. */
  #bar(name: string, size: number): ((bytes: number) => void) | undefined {
    const [, blob] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name) ?? [];
    const [, old] = /^([^/]+)\/layer\.tar$/.exec(name) ?? [];
    const id = old ?? (blob !== undefined && size >= smallestBar ? blob : undefined);
    if (id === undefined || this.#context.layers.get(`sha256:${id}`)) return undefined;
    return bar(this.#emit, shortId(id), 'Loading layer', size);
  }

  /** Whether a layer is unpacked as it comes. One of the same size as one that is here is likely to be that. */
  #mayBegin(size: number): boolean {
    const { layers, arrivals } = this.#context;
    if (this.#signal.aborted) return false;
    return this.#work.length < maxEarly && !arrivals.isBusy && !layers.all().some(({ blob }) => blob.size === size);
  }

  #begin(path: string): [grew: () => void, whole: (blob: StoredBlob) => void] {
    const { layers, arrivals } = this.#context;
    const layer = layers.begin(path, this.#signal);
    let whole: (blob?: StoredBlob) => void = () => {};
    const arrival = new Promise<StoredBlob | undefined>((resolve) => {
      whole = resolve;
    });
    // The reader reports what is missing.
    this.#signal.addEventListener('abort', () => whole(), { once: true });
    this.#run(
      arrivals.run(async () => {
        const blob = await arrival;
        if (blob) await layer.finish(blob, this.#lease);
        else await layer.abandon();
      }),
    );
    return [() => layer.grew(), whole];
  }

  /** A file that is whole. */
  #add(blob: StoredBlob): void {
    // The digest of a plain layer is its name.
    if (this.#work.length >= maxEarly || this.#context.layers.get(blob.digest)) return;
    const { layers, unpacks } = this.#context;
    this.#run(
      unpacks.run(async () => {
        if (!this.#signal.aborted) await layers.add({ blob, lease: this.#lease, signal: this.#signal });
      }),
    );
  }

  #run(work: Promise<unknown>): void {
    // The one that needs it tries again, and tells what is wrong.
    this.#work.push(
      work.then(
        () => {},
        () => {},
      ),
    );
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
