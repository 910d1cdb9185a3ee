import type { Lease, StoredBlob } from '../../content/service.js';
import type { Descriptor } from '../../distribution/manifest.js';
import type { GrowingLayer, LayerRecord } from '../../layers/service.js';
import type { Context } from '../context.js';

/** Smaller ones are here before a process has begun with them. */
const smallest = 1024 * 1024;

/**
 * A layer that is unpacked while its blob comes: a plugin is one large layer, the runtime of its language, and nothing else
 * would be unpacked meanwhile. What it is made of is known once the blob is whole; until then nobody finds it.
 */
export class ArrivingLayer {
  readonly #context: Pick<Context, 'layers' | 'arrivals'>;
  readonly #size: number;
  readonly #signal: AbortSignal;
  #growing: GrowingLayer | undefined;
  #ending: Promise<void> = Promise.resolve();
  #free: () => void = () => {};

  constructor(context: Pick<Context, 'layers' | 'arrivals'>, { size }: Descriptor, signal: AbortSignal) {
    this.#context = context;
    this.#size = size;
    this.#signal = signal;
  }

  readonly onFile = (path: string): void => {
    const { layers, arrivals } = this.#context;
    if (this.#size < smallest || arrivals.isBusy || this.#signal.aborted) return;
    const turn = arrivals.take();
    this.#free = () => {
      this.#free = () => {};
      void turn.then((free) => free());
    };
    this.#growing = layers.begin(path, this.#signal);
  };

  /** The file is cut: what was unpacked is not of use any longer. */
  readonly onAnew = (): void => {
    const growing = this.#growing;
    this.#growing = undefined;
    if (growing) this.#ending = growing.abandon().finally(() => this.#free());
  };

  grew(): void {
    this.#growing?.grew();
  }

  /**
   * The blob is whole.
   * @returns undefined when it has to be unpacked as any other: it was not begun, or that failed, for which the other way
   * has the reason
   */
  async finish(blob: StoredBlob, lease: Lease): Promise<LayerRecord | undefined> {
    const growing = this.#growing;
    this.#growing = undefined;
    try {
      return await growing?.finish(blob, lease);
    } catch {
      return undefined;
    } finally {
      this.#free();
    }
  }

  /** Nothing of it is left, unless it was finished. */
  async abandon(): Promise<void> {
    this.onAnew();
    await this.#ending;
  }
}
