import { Attach } from '@cleat/linux/conmon/attach';

/** The one connection of ours to a running container's standard input; made when the first byte comes. */
export class Stdin {
  readonly #bundle: string;
  readonly #onOutput: () => void;
  #attach: Promise<Attach> | undefined;

  /** @param onOutput called when the container printed something: the spool has it by then, or in a moment */
  constructor(bundle: string, onOutput: () => void) {
    this.#bundle = bundle;
    this.#onOutput = onOutput;
  }

  #connect(): Promise<Attach> {
    // The socket brings all output too; it is drained, and the bytes are served from the spool.
    this.#attach ??= Attach.connect(this.#bundle, { onData: this.#onOutput });
    return this.#attach;
  }

  /** @throws CleatError NotFound, Unavailable when nobody reads */
  async write(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    const attach = await this.#connect();
    await attach.write(Buffer.from(data.buffer, data.byteOffset, data.byteLength), signal);
  }

  /** End of file for the process, after what was written. The connection stays: closing it would discard input. */
  async end(): Promise<void> {
    await (await this.#connect()).closeInput();
  }

  close(): void {
    this.#attach?.then(
      (attach) => attach.close(),
      // It never came to be: the writer was told.
      () => {},
    );
  }
}
