import type { BuildLine } from '@cleat/protocol/kinds/builder';

/** Lines that wait for a slow reader; then the build waits, too. */
const maxWaiting = 256;

/** The lines of a build, on their way to the caller. */
export class Lines {
  readonly #waiting: Buffer[] = [];
  #isClosed = false;
  #wakeReader: () => void = () => {};
  #room: Promise<void> | undefined;
  #makeRoom: () => void = () => {};

  /** Returns when there is room for more. After the end, what is said is lost. */
  async say(line: BuildLine): Promise<void> {
    if (this.#isClosed) return;
    this.#waiting.push(Buffer.from(`${JSON.stringify(line)}\n`));
    this.#wakeReader();
    if (this.#waiting.length < maxWaiting) return;
    this.#room ??= new Promise((resolve) => {
      this.#makeRoom = resolve;
    });
    await this.#room;
  }

  /** There will be no more. */
  end(): void {
    this.#isClosed = true;
    this.#wakeReader();
    this.#makeRoom();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const batch = this.#waiting.splice(0);
        if (batch.length > 0) {
          this.#room = undefined;
          this.#makeRoom();
          yield Buffer.concat(batch);
        } else if (this.#isClosed) return;
        else {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
      }
    } finally {
      this.end();
    }
  }
}
