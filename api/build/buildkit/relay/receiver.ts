import type { IncomingHttpHeaders } from 'node:http2';
import { Readable } from 'node:stream';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { bytesMessage } from '@cleat/protocol/grpc/common';
import { readMessages } from '@cleat/protocol/grpc/framing';
import type { CallHead, Method } from '@cleat/protocol/grpc/server';
import { owned } from '@cleat/protocol/guard';

export const sendMethod = '/moby.filesync.v1.FileSend/DiffCopy';

/** Takes the archive of a result. */
type Take = (archive: Readable) => Promise<void>;

/** Takes the results of one build that are for the engine: each once. */
export class Receiver {
  /** Those that have not come yet, by their numbers among the exporters of the build. */
  readonly #expected: Map<number, Take>;
  /** Numbers of those that are not here as a whole. */
  readonly #missing: Set<number>;
  #failure: unknown;

  constructor(expected: ReadonlyMap<number, Take>) {
    this.#expected = new Map(expected);
    this.#missing = new Set(expected.keys());
  }

  /** The method that takes what this call sends; undefined where that is not for the engine. */
  methodFor({ path, headers }: CallHead): Method | undefined {
    const number = path === sendMethod ? numberIn(headers) : -1;
    const take = this.#expected.get(number);
    if (!take) return undefined;
    this.#expected.delete(number);
    const done = (): void => void this.#missing.delete(number);
    const failed = (error: unknown): void => {
      this.#failure = error;
    };
    return {
      async serve(stream) {
        const archive = owned(Readable.from(dataOf(readMessages(stream, bytesMessage)), { objectMode: false }));
        try {
          await take(archive);
          done();
        } catch (error) {
          failed(error);
          throw error;
        } finally {
          archive.destroy();
        }
      },
    };
  }

  /** An error where a build says that it is done, and has sent less than it was to. */
  missing(): Error | undefined {
    if (this.#missing.size === 0) return undefined;
    const reason = this.#failure === undefined ? '' : `: ${messageOf(this.#failure)}`;
    return systemError(`BuildKit says that the build is done, but it has sent no image${reason}`);
  }
}

/** A BuildKit that knows of one exporter only does not number it. */
function numberIn(headers: IncomingHttpHeaders): number {
  const text = headers['buildkit-attachable-exporter-id'];
  return typeof text === 'string' && /^\d{1,4}$/.test(text) ? Number(text) : 0;
}

async function* dataOf(pieces: AsyncIterable<{ readonly data: Uint8Array }>): AsyncGenerator<Uint8Array> {
  for await (const { data } of pieces) if (data.length > 0) yield data;
}
