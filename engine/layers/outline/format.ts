/**
 * The outline of a layer: its archive without what its files hold, so that the archive can be written again, byte for
 * byte, from the unpacked layer. gzip members, which hold one part after the other:
 *
 *     'B' length (4 bytes) bytes                                     bytes of the archive: headers, padding, the end
 *     'F' offset (6) length (6) length of the name (4) name          a piece of a file, by its name in the layer
 *
 * Numbers are little-endian. (Others do the same: tar-split, of Docker and containers/storage.)
 */
export type OutlinePart = { bytes: Buffer } | { name: string; offset: number; length: number };

const bytesMark = 0x42;
const fileMark = 0x46;

export function encodePart(part: OutlinePart): Buffer {
  if ('bytes' in part) {
    const head = Buffer.alloc(5);
    head[0] = bytesMark;
    head.writeUInt32LE(part.bytes.length, 1);
    return Buffer.concat([head, part.bytes]);
  }
  const name = Buffer.from(part.name, 'latin1');
  const head = Buffer.alloc(17);
  head[0] = fileMark;
  head.writeUIntLE(part.offset, 1, 6);
  head.writeUIntLE(part.length, 7, 6);
  head.writeUInt32LE(name.length, 13);
  return Buffer.concat([head, name]);
}

/** Reads parts from a stream that gives exact lengths. @returns undefined for what is no outline */
export interface PartSource {
  take(length: number): Promise<Buffer>;
}

/** @throws Error for what is damaged */
export async function decodePart(source: PartSource): Promise<OutlinePart | undefined> {
  const [mark] = await source.take(1);
  if (mark === undefined) return undefined;
  if (mark === bytesMark) return { bytes: await exactly(source, (await exactly(source, 4)).readUInt32LE()) };
  if (mark !== fileMark) throw new Error('the outline is damaged');
  const head = await exactly(source, 16);
  const name = await exactly(source, head.readUInt32LE(12));
  return { name: name.toString('latin1'), offset: head.readUIntLE(0, 6), length: head.readUIntLE(6, 6) };
}

async function exactly(source: PartSource, length: number): Promise<Buffer> {
  const data = await source.take(length);
  if (data.length < length) throw new Error('the outline is cut short');
  return data;
}
