/** Blobs that work under way needs although no image refers to them yet: collecting spares them. In memory only. */
export class Leases {
  readonly #held = new Set<Lease>();

  take(): Lease {
    const lease = new Lease((ended) => this.#held.delete(ended));
    this.#held.add(lease);
    return lease;
  }

  holdsLayer(diffId: string): boolean {
    return [...this.#held].some((lease) => lease.layers.has(diffId));
  }

  holdsBlob(digest: string): boolean {
    return [...this.#held].some((lease) => lease.blobs.has(digest));
  }
}

export class Lease {
  readonly layers = new Set<string>();
  readonly blobs = new Set<string>();
  readonly #onEnd: (lease: Lease) => void;

  constructor(onEnd: (lease: Lease) => void) {
    this.#onEnd = onEnd;
  }

  keepLayer(diffId: string): void {
    this.layers.add(diffId);
  }

  keepBlob(digest: string): void {
    this.blobs.add(digest);
  }

  /** Collect what it held afterwards: nothing else protects that. */
  end(): void {
    this.#onEnd(this);
  }
}
