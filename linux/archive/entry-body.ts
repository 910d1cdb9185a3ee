import type { TarReader } from './tar-reader.js';

const zeros = Buffer.alloc(64 * 1024);

/** The whole content of the present file of an archive, its holes included. @param size the file's */
export async function* entryBody(reader: TarReader, size: number): AsyncGenerator<Buffer, void, void> {
  let at = 0;
  for (let piece = await reader.read(); piece; piece = await reader.read()) {
    for (; at < piece.offset; at += Math.min(zeros.length, piece.offset - at)) {
      yield zeros.subarray(0, piece.offset - at);
    }
    yield piece.data;
    at += piece.data.length;
  }
  for (; at < size; at += Math.min(zeros.length, size - at)) yield zeros.subarray(0, size - at);
}
