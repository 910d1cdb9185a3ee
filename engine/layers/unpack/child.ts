/**
 * A process that unpacks archives, one after the other. argv: the process id of the engine, with which it ends. It is
 * told on file descriptor 4 what to do, and reports on file descriptor 3, one JSON object a line (`protocol.ts`). On a
 * process of its own because it works with synchronous calls and can be killed.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ByteSource } from '@cleat/linux/archive/byte-source';
import { decompress, detect } from '@cleat/linux/archive/compression';
import { TarReader } from '@cleat/linux/archive/tar-reader';
import { entryBytes, SpareSpace } from '@cleat/linux/files/spare-space';
import { Destination } from '@cleat/linux/rootfs/destination';
import { Root } from '@cleat/linux/rootfs/root';
import { extractAll } from '@cleat/linux/rootfs/tar-in';
import { dieWithParent } from '@cleat/linux/syscall/process';
import { asCleatError, invalidParameter } from '@cleat/protocol/errors';
import { Recording } from '../outline/recording.js';
import { GrowingFile } from './growing-file.js';
import type { UnpackDone, UnpackMessage, UnpackOrder, UnpackReport } from './protocol.js';

const output = 3;
const input = 4;
/** Compressed bytes between two reports. */
const reportEvery = 512 * 1024;

function report(message: UnpackReport): void {
  writeSync(output, `${JSON.stringify(message)}\n`);
}

async function unpack(order: UnpackOrder, archive: GrowingFile): Promise<UnpackDone> {
  using recording = order.outline === undefined ? undefined : new Recording(order.outline);
  using root = new Root(order.target);
  using destination = new Destination(root, '/');
  const { compression, source } = await detect(archive);
  const hash = compression === 'none' ? undefined : createHash('sha256');
  let total = 0;
  const spare = new SpareSpace(order.target);
  const tooLarge = () =>
    invalidParameter(`the archive holds more than ${order.maxBytes} bytes once it is decompressed`);
  const onChunk = (chunk: Buffer): void => {
    hash?.update(chunk);
    total += chunk.length;
    if (total > order.maxBytes) throw tooLarge();
    spare.take(chunk.length);
  };
  const bytes = new ByteSource(decompress(source, compression), onChunk, recording?.onTaken);
  let size = 0;
  let count = 0;
  const reader = recording?.readerOf(bytes) ?? new TarReader(bytes);
  await extractAll(reader, destination, { layer: true, ...recording?.options }, (entrySize) => {
    size += entrySize;
    // A sparse file is larger than what the archive holds of it.
    if (size > order.maxBytes) throw tooLarge();
    spare.take(entryBytes);
    if (++count > order.maxEntries) throw invalidParameter(`the archive has more than ${order.maxEntries} entries`);
  });
  await bytes.drain();
  return {
    ...(hash && { diffId: `sha256:${hash.digest('hex')}` }),
    size,
    tarSize: total,
    compression,
    ...(recording && { hasOutline: recording.finish() }),
  };
}

let archive: GrowingFile | undefined;

/** Answers once, whatever happens. */
async function obey(order: UnpackOrder): Promise<void> {
  try {
    const fd = openSync(order.archive, 'r');
    try {
      let told = 0;
      archive = new GrowingFile(fd, order.isWhole, (read) => {
        if (read - told < reportEvery) return;
        told = read;
        report({ read });
      });
      report({ done: await unpack(order, archive) });
    } finally {
      closeSync(fd);
    }
  } catch (thrown) {
    const error = asCleatError(thrown);
    report({ error: { class: error.class, message: error.message } });
  }
}

process.umask(0);
// The next engine removes the target: nobody may still write into it.
dieWithParent();
if (process.ppid !== Number(process.argv[2])) process.exit(1);
createInterface({ input: new Socket({ fd: input, writable: false }) })
  .on('line', (line) => {
    const message = JSON.parse(line) as UnpackMessage;
    if ('unpack' in message) void obey(message.unpack);
    else archive?.tell(message.grown.isWhole);
  })
  .once('close', () => process.exit(0));
