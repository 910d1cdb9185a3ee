import { crc32, createInflateRaw } from 'node:zlib';
import { invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';

/**
 * The content of gzip data (RFC 1952), one member after the other; what follows the last one and is none is left, as
 * Go's readers of archives leave it. Not Node's gunzip: it takes such bytes for an error, and loses with it what came
 * before them.
 * @throws through the iteration: InvalidParameter for damaged data, and what `source` throws
 */
export async function* gunzip(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const input = new Input(source);
  try {
    if (!(await skipHeader(input))) throw damaged('it has no header');
    do {
      let sum = 0;
      let length = 0;
      for await (const chunk of inflated(input)) {
        sum = crc32(chunk, sum);
        length += chunk.length;
        yield chunk;
      }
      const trailer = await input.take(8);
      if (trailer.length < 8) throw cutShort();
      if (trailer.readUInt32LE(0) !== sum || trailer.readUInt32LE(4) !== length % 2 ** 32) {
        throw damaged('its checksum is another');
      }
    } while (await skipHeader(input));
  } finally {
    await input.close();
  }
}

const cutShort = () => invalidParameter('unexpected EOF');
const damaged = (why: string, cause: unknown = new Error(why)) =>
  invalidParameter('the gzip data is damaged', { cause });

/** Bytes of a source, of which some may be given back. */
class Input {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** Returns the next bytes; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    if (this.#rest.length > 0) {
      const rest = this.#rest;
      this.#rest = Buffer.alloc(0);
      return rest;
    }
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done) return undefined;
      if (next.value.length > 0) return next.value;
    }
  }

  giveBack(chunk: Buffer): void {
    this.#rest = this.#rest.length > 0 ? Buffer.concat([chunk, this.#rest]) : chunk;
  }

  /** So many bytes, or fewer at the end. */
  async take(length: number): Promise<Buffer> {
    let taken: Buffer = Buffer.alloc(0);
    while (taken.length < length) {
      const chunk = await this.next();
      if (chunk === undefined) return taken;
      taken = taken.length > 0 ? Buffer.concat([taken, chunk]) : chunk;
    }
    this.giveBack(taken.subarray(length));
    return taken.subarray(0, length);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

const [headerSum, hasExtra, hasName, hasComment] = [2, 4, 8, 16];

/** @returns false where no member begins */
async function skipHeader(input: Input): Promise<boolean> {
  const head = await input.take(10);
  if (head.length < 3 || head[0] !== 0x1f || head[1] !== 0x8b || head[2] !== 8) return false;
  if (head.length < 10) throw cutShort();
  const flags = head[3] ?? 0;
  if (flags & hasExtra) {
    const size = await input.take(2);
    if (size.length < 2) throw cutShort();
    await input.take(size.readUInt16LE(0));
  }
  if (flags & hasName) await skipText(input);
  if (flags & hasComment) await skipText(input);
  if (flags & headerSum) await input.take(2);
  return true;
}

async function skipText(input: Input): Promise<void> {
  for (;;) {
    const chunk = await input.next();
    if (chunk === undefined) throw cutShort();
    const end = chunk.indexOf(0);
    if (end < 0) continue;
    input.giveBack(chunk.subarray(end + 1));
    return;
  }
}

/** One member's content; what of the input it did not need is given back. */
async function* inflated(input: Input): AsyncGenerator<Buffer> {
  const inflate = owned(createInflateRaw({ chunkSize: 256 * 1024 }));
  // An error of the source reaches the reader through the stream.
  const fed = feed(input, inflate).catch((error: unknown) => void inflate.destroy(error as Error));
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) yield chunk;
    await fed;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'Z_BUF_ERROR') throw cutShort();
    throw code.startsWith('Z_') ? damaged(code, cause) : cause;
  } finally {
    inflate.destroy();
  }
}

/** One chunk at a time, so that it is known how much of it was needed. */
async function feed(input: Input, inflate: ReturnType<typeof createInflateRaw>): Promise<void> {
  const gone = new Promise<void>((resolve) => inflate.once('close', resolve));
  for (let fed = 0; ; ) {
    const chunk = await input.next();
    if (chunk === undefined) {
      inflate.end();
      return;
    }
    fed += chunk.length;
    await Promise.race([gone, new Promise<void>((resolve) => inflate.write(chunk, () => resolve()))]);
    if (inflate.destroyed) return;
    const left = fed - inflate.bytesWritten;
    if (left === 0) continue;
    input.giveBack(chunk.subarray(chunk.length - left));
    return;
  }
}
