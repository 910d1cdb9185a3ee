/**
 * A process that unpacks one archive and ends. argv: the target directory, and the options as JSON; stdin is the
 * archive, an open file. It reports on file descriptor 3, one JSON object a line: `{"read": bytes}` as it goes, then
 * `{"done": …}` or `{"error": …}`. On a process of its own because it works with synchronous calls and can be
 * killed.
 */
import { createHash } from 'node:crypto';
import { createReadStream, writeSync } from 'node:fs';
import { ByteSource } from '@cleat/linux/archive/byte-source';
import { decompress, detect } from '@cleat/linux/archive/compression';
import { TarReader } from '@cleat/linux/archive/tar-reader';
import { entryBytes, SpareSpace } from '@cleat/linux/files/spare-space';
import { Destination } from '@cleat/linux/rootfs/destination';
import { Root } from '@cleat/linux/rootfs/root';
import { extractAll } from '@cleat/linux/rootfs/tar-in';
import { dieWithParent } from '@cleat/linux/syscall/process';
import { asCleatError, invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import type { UnpackDone, UnpackOptions, UnpackReport } from './protocol.js';

const input = 0;
const output = 3;
/** Compressed bytes between two reports. */
const reportEvery = 512 * 1024;

function report(message: UnpackReport): void {
  writeSync(output, `${JSON.stringify(message)}\n`);
}

async function unpack(target: string, options: UnpackOptions): Promise<UnpackDone> {
  process.umask(0);
  using root = new Root(target);
  using destination = new Destination(root, '/');
  const { compression, source } = await detect(
    reported(owned(createReadStream('', { fd: input, start: 0, highWaterMark }))),
  );
  const known = compression === 'none' ? options.digest : undefined;
  const hash = createHash('sha256');
  let total = 0;
  const spare = new SpareSpace(target);
  const tooLarge = () =>
    invalidParameter(`the archive holds more than ${options.maxBytes} bytes once it is decompressed`);
  const bytes = new ByteSource(decompress(source, compression), (chunk) => {
    if (known === undefined) hash.update(chunk);
    total += chunk.length;
    if (total > options.maxBytes) throw tooLarge();
    spare.take(chunk.length);
  });
  let size = 0;
  let count = 0;
  await extractAll(new TarReader(bytes), destination, { layer: true }, (entrySize) => {
    size += entrySize;
    // A sparse file is larger than what the archive holds of it.
    if (size > options.maxBytes) throw tooLarge();
    spare.take(entryBytes);
    if (++count > options.maxEntries) throw invalidParameter(`the archive has more than ${options.maxEntries} entries`);
  });
  await bytes.drain();
  return { diffId: known ?? `sha256:${hash.digest('hex')}`, size, tarSize: total, compression };
}

const highWaterMark = 256 * 1024;

/** Tells how much of the archive was read. */
async function* reported(file: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let read = 0;
  let told = 0;
  for await (const chunk of file) {
    read += chunk.length;
    if (read - told >= reportEvery) {
      told = read;
      report({ read });
    }
    yield chunk;
  }
}

const [, , target = '', text = '{}'] = process.argv;
const options = JSON.parse(text) as UnpackOptions;
// Whoever starts the engine again removes the target: nobody may still write into it.
dieWithParent();
if (process.ppid !== options.parent) process.exit(1);
try {
  report({ done: await unpack(target, options) });
} catch (thrown) {
  const error = asCleatError(thrown);
  report({ error: { class: error.class, message: error.message } });
}
process.exit(0);
