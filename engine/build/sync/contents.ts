import { invalidParameter } from '@cleat/protocol/errors';
import type { Listed } from './listing.js';
import type { TreeSource } from './service.js';

/** Contents up to this size are asked for ahead, many at a time, and held until they are whole. */
const smallBytes = 1024 * 1024;
const maxAskedBytes = 8 * 1024 * 1024;
const maxAsked = 256;
/** The most that a client may send of them: it may say less than it sends. */
const maxHeldBytes = 64 * 1024 * 1024;
/** Bytes that a piece costs beside its data, which may be a single byte. */
const pieceBytes = 256;

export interface Content {
  readonly file: Listed;
  readonly size: number;
  readonly pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * The contents of files, in the order of `files`. A client sends what it was asked for mixed; so small files are asked
 * for together, and put together here, and a large one is asked for alone, and passed on as it comes.
 */
export async function* contentsOf(source: TreeSource, files: readonly Listed[]): AsyncGenerator<Content> {
  const held = new Map<number, { pieces: Uint8Array[]; size: number; cost: number; isWhole: boolean }>();
  let asked = 0;
  let askedBytes = 0;
  let heldBytes = 0;
  let next = 0;

  async function askAhead(): Promise<void> {
    const numbers: number[] = [];
    for (let file = files[next]; file && file.entry.size <= smallBytes; file = files[next]) {
      if (asked > 0 && (asked >= maxAsked || askedBytes + file.entry.size > maxAskedBytes)) break;
      held.set(file.number, { pieces: [], size: 0, cost: 0, isWhole: false });
      asked++;
      askedBytes += file.entry.size;
      next++;
      numbers.push(file.number);
    }
    if (numbers.length > 0) await source.request(numbers);
  }

  async function takePiece(): Promise<void> {
    const { number, data } = await source.nextContent();
    const one = held.get(number);
    if (!one || one.isWhole) throw invalidParameter('the client sent contents that nobody asked for');
    if (data.length === 0) one.isWhole = true;
    else one.pieces.push(data);
    const cost = data.length + pieceBytes;
    one.size += data.length;
    one.cost += cost;
    heldBytes += cost;
    if (heldBytes > maxHeldBytes) throw invalidParameter('the client sent more than it had said');
  }

  for (const file of files) {
    if (file.entry.size > smallBytes) {
      next++;
      await source.request([file.number]);
      yield { file, size: file.entry.size, pieces: exactly(source, file) };
      continue;
    }
    // By halves: each call for more costs a turn.
    if (asked <= maxAsked / 2) await askAhead();
    const one = held.get(file.number);
    if (!one) throw invalidParameter('the client sent contents that nobody asked for');
    while (!one.isWhole) await takePiece();
    yield { file, size: one.size, pieces: one.pieces };
    held.delete(file.number);
    asked--;
    askedBytes -= file.entry.size;
    heldBytes -= one.cost;
  }
}

/** A large content, whose size has been told already. */
async function* exactly(source: TreeSource, { number, entry }: Listed): AsyncGenerator<Uint8Array> {
  let left = entry.size;
  for (;;) {
    const piece = await source.nextContent();
    if (piece.number !== number) throw invalidParameter('the client sent contents that nobody asked for');
    left -= piece.data.length;
    if (left < 0 || (piece.data.length === 0 && left > 0)) {
      throw invalidParameter(`${JSON.stringify(entry.path)} changed its size while it was sent: build again`);
    }
    if (piece.data.length === 0) return;
    yield piece.data;
  }
}
