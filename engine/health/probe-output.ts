/** Bytes of a probe's output that are kept, as Docker keeps them (moby `daemon/health.go`, limitedBuffer). */
const maxBytes = 4096;

/** The beginning of what a health check said. */
export class ProbeOutput {
  readonly #parts: Buffer[] = [];
  #size = 0;
  #truncated = false;

  push(data: Uint8Array): void {
    const kept = data.subarray(0, maxBytes - this.#size);
    if (kept.length > 0) this.#parts.push(Buffer.from(kept));
    this.#size += kept.length;
    this.#truncated ||= kept.length < data.length;
  }

  /** With `...` behind it when something was lost. */
  toString(): string {
    return Buffer.concat(this.#parts).toString() + (this.#truncated ? '...' : '');
  }
}
