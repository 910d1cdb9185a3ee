import { createHash } from 'node:crypto';
import { close, closeSync, constants, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { ByteSource } from '@cleat/linux/archive/byte-source';
import { gunzip } from '@cleat/linux/archive/gunzip';
import { openInRoot } from '@cleat/linux/syscall/files';
import { dataLoss } from '@cleat/protocol/errors';
import { decodePart, type OutlinePart } from './format.js';

const readLater = promisify(read);
const closeLater = promisify(close);

/** One piece that is read, in bytes. */
const pieceBytes = 512 * 1024;

/**
 * The archive of a layer as it once came, uncompressed: its outline filled with the files' content.
 * @param directory the unpacked layer, which nobody writes to
 * @param isBrief what is given is only good until the next is asked for: memory that is made anew for each piece costs more
 * than reading it
 * @throws DataLoss at the end when it is not what came: something was changed on the disk
 */
export async function* archiveOf(
  outline: AsyncIterable<Buffer>,
  directory: string,
  diffId: string,
  isBrief = false,
): AsyncGenerator<Buffer, void, void> {
  const memory = isBrief ? Buffer.allocUnsafeSlow(pieceBytes) : undefined;
  const hash = createHash('sha256');
  const parts = new ByteSource(gunzip(outline));
  const root = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (let part = await nextPart(parts, diffId); part; part = await nextPart(parts, diffId)) {
      if ('bytes' in part) {
        hash.update(part.bytes);
        yield part.bytes;
        continue;
      }
      for await (const piece of contentOf(root, part, diffId, memory)) {
        hash.update(piece);
        yield piece;
      }
    }
  } finally {
    closeSync(root);
    await parts.close();
  }
  if (`sha256:${hash.digest('hex')}` !== diffId) throw lost(diffId, 'other content');
}

type FilePart = Extract<OutlinePart, { name: string }>;

async function* contentOf(
  root: number,
  part: FilePart,
  diffId: string,
  memory: Buffer | undefined,
): AsyncGenerator<Buffer, void, void> {
  const fd = opened(root, part.name, diffId);
  try {
    for (let done = 0; done < part.length; ) {
      const length = Math.min(pieceBytes, part.length - done);
      const piece = memory ?? Buffer.allocUnsafeSlow(length);
      const { bytesRead } = await readLater(fd, piece, 0, length, part.offset + done);
      if (bytesRead === 0) throw lost(diffId, `${part.name} is shorter`);
      done += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await closeLater(fd);
  }
}

function opened(root: number, name: string, diffId: string): number {
  try {
    // Not to wait, should somebody have put a FIFO there.
    return openInRoot(root, Buffer.from(name, 'latin1'), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw lost(diffId, `${name} cannot be opened`, cause);
  }
}

async function nextPart(parts: ByteSource, diffId: string): Promise<OutlinePart | undefined> {
  try {
    return await decodePart(parts);
  } catch (cause) {
    throw lost(diffId, 'its outline is damaged', cause);
  }
}

const lost = (diffId: string, why: string, cause?: unknown) =>
  dataLoss(`the layer ${diffId} is no longer what came (${why}): remove its images and pull or load them again`, {
    cause,
  });
