/**
 * A process that unpacks one archive and ends. argv: the target directory, and the options as JSON; stdin is the
 * archive, an open file. It reports on file descriptor 3, one JSON object a line: `{"read": bytes}` as it goes, then
 * `{"done": …}` or `{"error": …}`. On a process of its own because it changes its root, works with synchronous calls
 * and can be killed.
 */
import { createHash } from 'node:crypto';
import { readSync, statfsSync, writeSync } from 'node:fs';
import { changeRoot } from '@cleat/linux/syscall/chroot';
import { dieWithParent } from '@cleat/linux/syscall/process';
import { asCleatError, invalidParameter, systemError } from '@cleat/protocol/errors';
import { ByteSource } from './byte-source.js';
import { type Compression, decompress, detectCompression, magicLength } from './compression.js';
import { extract } from './extract.js';
import type { UnpackDone, UnpackOptions, UnpackReport } from './protocol.js';
import { TarReader } from './tar-reader.js';

const input = 0;
const output = 3;
/** Compressed bytes between two reports. */
const reportEvery = 512 * 1024;
/** Free bytes that an archive must leave on the file system, and how often that is looked at. */
const spareBytes = 64 * 1024 * 1024;
const spareCheckEvery = 32 * 1024 * 1024;

function report(message: UnpackReport): void {
  writeSync(output, `${JSON.stringify(message)}\n`);
}

function compressionOfInput(): Compression {
  const head = Buffer.alloc(magicLength);
  return detectCompression(head.subarray(0, readSync(input, head, 0, magicLength, 0)));
}

async function unpack(target: string, options: UnpackOptions): Promise<UnpackDone> {
  const compression = compressionOfInput();
  // An external decompressor must be started before the root changes.
  const decompressed = decompress(input, compression);
  const chunks = decompressed.chunks[Symbol.asyncIterator]();
  const first = await chunks.next();
  process.umask(0);
  changeRoot(target);

  const hash = createHash('sha256');
  let total = 0;
  let nextSpareCheck = 0;
  let reported = 0;
  const source = new ByteSource(rest(first, chunks), (chunk) => {
    hash.update(chunk);
    total += chunk.length;
    if (total > options.maxBytes) {
      throw invalidParameter(`the archive holds more than ${options.maxBytes} bytes once it is decompressed`);
    }
    if (decompressed.read() - reported >= reportEvery) {
      reported = decompressed.read();
      report({ read: reported });
    }
    if (total >= nextSpareCheck) {
      nextSpareCheck = total + spareCheckEvery;
      const { bavail, bsize } = statfsSync('/');
      if (bavail * bsize < spareBytes) throw systemError('no space left on device', { details: { errno: 'ENOSPC' } });
    }
  });
  const reader = new TarReader(source);
  const size = await extract(reader, { whiteouts: options.whiteouts, maxEntries: options.maxEntries });
  await source.drain();
  return { diffId: `sha256:${hash.digest('hex')}`, size, tarSize: total, compression };
}

async function* rest(first: IteratorResult<Buffer>, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.done) return;
  yield first.value;
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
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
