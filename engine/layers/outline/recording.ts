import type { ByteSource } from '@cleat/linux/archive/byte-source';
import { type Piece, TarReader } from '@cleat/linux/archive/tar-reader';
import type { ExtractOptions } from '@cleat/linux/rootfs/extract';
import { OutlineWriter } from './writer.js';

/** Longer names cannot be opened in one go. */
const maxName = 4000;

/** Writes an outline by watching an archive as it is read and extracted. */
export class Recording implements Disposable {
  readonly #writer: OutlineWriter;
  #isContent = false;
  #isTrue = true;

  constructor(path: string) {
    this.#writer = new OutlineWriter(path);
  }

  /** For the source of the archive's bytes. */
  readonly onTaken = (part: Buffer): void => {
    if (!this.#isContent && this.#isTrue && part.length > 0) this.#writer.bytes(part);
  };

  /** For the extractor. */
  readonly options: Pick<ExtractOptions, 'onPiece' | 'onReplaced'> = {
    onPiece: (name, offset, length) => {
      if (name.length > maxName) this.#isTrue = false;
      if (this.#isTrue) this.#writer.piece(name, offset, length);
    },
    // The content of the earlier entry is gone.
    onReplaced: () => {
      this.#isTrue = false;
    },
  };

  readerOf(source: ByteSource): TarReader {
    return new ContentReader(source, (isContent) => {
      this.#isContent = isContent;
    });
  }

  /** @returns whether the archive can be written again from the files and the outline, which is on the disk then */
  finish(): boolean {
    if (this.#isTrue) this.#writer.finish();
    return this.#isTrue;
  }

  [Symbol.dispose](): void {
    this.#writer[Symbol.dispose]();
  }
}

/** Says when it reads what is in a file. */
class ContentReader extends TarReader {
  readonly #say: (isContent: boolean) => void;

  constructor(source: ByteSource, say: (isContent: boolean) => void) {
    super(source);
    this.#say = say;
  }

  override async read(): Promise<Piece | undefined> {
    this.#say(true);
    try {
      return await super.read();
    } finally {
      this.#say(false);
    }
  }
}
